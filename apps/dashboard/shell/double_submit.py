"""A form sent twice makes one thing: for what the database itself would take twice.

The page carries `{{ once }}` in a hidden field `once`; after the act, `remember` ties it to where
the answer led, and a second post of the same page is led there instead of acting again.
"""

import secrets

from django.http import HttpRequest

KEPT = 20  # answers remembered in a session


def token() -> str:
    return secrets.token_urlsafe(12)


def already(request: HttpRequest) -> str | None:
    """The address that the first post of this very form led to; None for the first."""
    answers = dict(request.session.get("once", []))
    return answers.get(request.POST.get("once", ""))


def remember(request: HttpRequest, url: str) -> None:
    if given := request.POST.get("once", ""):
        answers = [*request.session.get("once", []), [given, url]]
        request.session["once"] = answers[-KEPT:]

"""The page where people ask for all that is held about them, or to be erased.

Any link of theirs opens it, and nothing happens before the code is typed that goes to their
mailbox: the link may have been forwarded.
"""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.followers.models import Follower, PrivacyWish
from apps.followers.privacy import codes
from apps.followers.privacy.copies import ask_for_copy
from apps.followers.privacy.erase import erase as erase_follower
from apps.lib import tokens
from apps.subscriptions.privacy.copy import PURPOSE
from apps.subscriptions.public import follower_of, posted, proof, public_page, read_link, show
from apps.subscriptions.wording import WRONG_CODE, masked

SOURCE = "preference_center"


@public_page
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    return _shown(request, token, follower_of(read_link("preferences", token)))


def _shown(
    request: HttpRequest, token: str, follower: Follower, *, problem: str = "", status: int = 200
) -> HttpResponse:
    now = timezone.now()
    mailbox = codes.mailbox_of(follower, now=now)
    place = ""
    if mailbox:
        place = masked(mailbox.value)
    context = {
        "token": token,
        "place": place,
        "asked": codes.pending(follower, now=now),
        "problem": problem,
    }
    return show(request, "privacy/wishes", context, status=status)


@public_page
@require_POST
def ask(request: HttpRequest, token: str) -> HttpResponse:
    """Have the code mailed."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    if codes.mailbox_of(follower, now=said.now) is None:
        return show(request, "no_mailbox", {}, status=409)
    wish = PrivacyWish.COPY
    if posted(request).get("wish") == PrivacyWish.ERASE:
        wish = PrivacyWish.ERASE
    try:
        codes.ask(follower=follower, wish=wish, ip=said.ip, now=said.now)
    except codes.TooManyPrivacyCodes as refused:
        return _shown(request, token, follower, problem=str(refused), status=429)
    response = redirect("subscriptions:privacy", token)
    response.status_code = 303  # the browser fetches the page with GET, whatever it sent (RFC 9110)
    return response


@public_page
@require_POST
def copy(request: HttpRequest, token: str) -> HttpResponse:
    """Take the code, let the archive be written, and lead to where it will be."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    code = posted(request).get("code", "")[:20]
    with transaction.atomic():
        typed = codes.take(follower=follower, wish=PrivacyWish.COPY, code=code, now=said.now)
        if typed is codes.Typed.RIGHT:
            made = ask_for_copy(follower=follower, by=said.by, now=said.now)
    if typed is not codes.Typed.RIGHT:
        return _shown(request, token, follower, problem=str(WRONG_CODE[typed]), status=400)
    response = redirect("subscriptions:copy", tokens.make(PURPOSE, str(made.uid)))
    response.status_code = 303
    return response


@public_page
@require_POST
def erase(request: HttpRequest, token: str) -> HttpResponse:
    """Take the code, and erase whom it was mailed to."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    code = posted(request).get("code", "")[:20]
    with transaction.atomic():
        typed = codes.take(follower=follower, wish=PrivacyWish.ERASE, code=code, now=said.now)
        if typed is codes.Typed.RIGHT:
            erase_follower(follower=follower, by=said.by, now=said.now)
    if typed is not codes.Typed.RIGHT:
        return _shown(request, token, follower, problem=str(WRONG_CODE[typed]), status=400)
    return show(request, "privacy/erased", {})

"""Reading the development mailbox in the dashboard. In production these pages do not exist."""

from collections.abc import Callable
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.content.read_html import TokenKind, tokens
from apps.ops.mailbox import store

PAGE = 50
TABS = {
    "html": "HTML",
    "text": pgettext_lazy("email", "Text"),
    "headers": pgettext_lazy("email", "Headers"),
    "source": pgettext_lazy("email", "Source"),
}
# A mail is a stranger's page: it may show pictures and its own styles and open links elsewhere,
# nothing more.
MAIL_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; frame-ancestors"
    " 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)

View = Callable[..., HttpResponseBase]


def only_in_development(view: View) -> View:
    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if settings.PRODUCTION:
            raise Http404(_("There is no mailbox in production."))
        return view(request, *args, **kwargs)

    return shown


def folder() -> Path:
    return Path(settings.VAR_DIR) / "mailbox"


def _letter(id: str) -> tuple[store.Letter, bytes]:
    found = store.letter(folder(), id)
    if found is None:
        raise Http404(_("This mail is not in the mailbox (any more)."))
    return found


@only_in_development
@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    before = request.GET.get("before", "")
    found = list(islice(store.letters(folder(), text=text, before=before), PAGE + 1))
    older = ""
    if len(found) > PAGE:
        older = found[PAGE - 1].id
    context = {
        "letters": found[:PAGE],
        "older": older,
        "text": text,
        "before": before,
        "port": settings.MAILBOX_PORT,
    }
    return render(request, "ops/mailbox/list.html", context)


@only_in_development
@requires(Capability.VIEW)
@require_safe
def message(request: HttpRequest, id: str) -> HttpResponse:
    letter, content = _letter(id)
    html = store.body(content, "html")
    text = store.body(content, "plain")
    tab = request.GET.get("tab", "")
    if tab not in TABS:
        tab = "text"
        if html is not None:
            tab = "html"
    context = {
        "letter": letter,
        "tabs": TABS.items(),
        "tab": tab,
        "html": html,
        "text": text,
        "headers": [(name, str(value)) for name, value in store.parse(content).items()],
        "source": content.decode("utf-8", "replace"),
    }
    return render(request, "ops/mailbox/message.html", context)


@only_in_development
@requires(Capability.VIEW)
@require_safe
def html(request: HttpRequest, id: str) -> HttpResponse:
    """The mail's HTML as its own page for the frame, with its own policy;
    links open in a new tab.
    """
    _, content = _letter(id)
    page = store.body(content, "html")
    if page is None:
        page = f"<!doctype html><pre>{escape(store.body(content, 'plain') or '')}</pre>"
    base = '<base target="_blank">'
    # after <head>, because in front of the doctype it would put the browser into quirks mode
    tags = (token for token in tokens(page) if token.kind is TokenKind.START)
    head = next((tag for tag in tags if tag.name == "head"), None)
    at = 0
    if head:
        at = head.end
    response = HttpResponse(page[:at] + base + page[at:])
    response["Content-Security-Policy"] = MAIL_CSP
    response["X-Frame-Options"] = "SAMEORIGIN"
    response["Referrer-Policy"] = "no-referrer"
    return response


@only_in_development
@requires(Capability.VIEW)
@require_safe
def source(request: HttpRequest, id: str) -> HttpResponse:
    """The bytes as they came, to save."""
    letter, content = _letter(id)
    return HttpResponse(
        content,
        content_type="message/rfc822",
        headers={"Content-Disposition": f'attachment; filename="{letter.id}.eml"'},
    )

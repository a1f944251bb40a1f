"""The unsubscribe link of a mail: one click for mail programs (RFC 8058), a button for people."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation
from django.views.decorators.http import require_http_methods

from apps.followers.consent.matrix import words_of
from apps.followers.consent.opt_out import is_out, opt_out
from apps.followers.models import Follower
from apps.notifications.engagement.unsubscribed import note_unsubscribed
from apps.notifications.messages.links import managing_token
from apps.subscriptions.center import choices
from apps.subscriptions.public import (
    PublicLink,
    email_of,
    follower_of,
    is_revoked,
    named_by,
    posted_or_nothing,
    proof,
    public_page,
    read_link,
    show,
    speak,
)
from apps.subscriptions.wording import masked


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask on GET, which scanners send to every link, and change nothing; opt out on any POST.

    RFC 8058: a mail program posts `List-Unsubscribe=One-Click`, urlencoded or multipart, without
    cookie or log-in, and wants a 2xx without redirect, now and on every repeat, also when the
    follower is gone. What it really sends is read leniently: only the buttons of these pages say
    `what`, so whoever does not is a program, also when the body makes no sense.
    """
    link = read_link("unsubscribe", token)
    if request.method != "POST":
        return _page(request, "unsubscribe", follower_of(link), link)
    form = posted_or_nothing(request)
    one_click = "what" not in form
    follower = named_by(link)
    if follower is None:
        if one_click:
            return _short()
        return show(request, "unsubscribed", {"everything": True})
    speak(follower)
    source = "preference_center"
    if one_click:
        source = "one_click"
    wanted = ""
    if form.get("what") != "all":
        wanted = _type_key(link)
    said = proof(request, follower, source)
    with transaction.atomic():
        follower = opt_out(follower=follower, type_key=wanted, proof=said)
        if link.delivery:
            note_unsubscribed(
                delivery=link.delivery, follower=follower.uid, how=source, now=said.now
            )
    if one_click:
        return _short()
    if is_revoked(link, follower):
        return show(request, "unsubscribed", {"everything": not follower.subscribed})
    return _page(request, "unsubscribed", follower, link)


def _type_key(link: PublicLink) -> str:
    kind = link.kind()
    if kind:
        return kind.key
    return ""


def _page(request: HttpRequest, name: str, follower: Follower, link: PublicLink) -> HttpResponse:
    """Show what was said by now, and the way back from it for a day."""
    kind = link.kind()
    words = None
    if kind:
        words = words_of(kind, translation.get_language())
    email = ""
    if address := email_of(follower):
        email = masked(address.value)
    out = is_out(follower, _type_key(link))
    undo = ""
    if out:
        undo = choices.way_back(follower, now=timezone.now())
    context = {
        "kind": words,
        "email": email,
        "token": managing_token(follower),
        "everything": not follower.subscribed,
        "out": out,
        "undo": undo,
    }
    return show(request, name, context)


def _short() -> HttpResponse:
    return HttpResponse("Unsubscribed.\n", content_type="text/plain; charset=utf-8")

"""The unsubscribe link of a mail: one click for mail programs (RFC 8058), a button for people."""

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import translation
from django.views.decorators.http import require_http_methods

from apps.followers.consent.matrix import words_of
from apps.followers.models import Follower
from apps.subscriptions.opt_out import is_out, opt_out
from apps.subscriptions.public import (
    email_of,
    follower_of,
    own_link,
    posted_or_nothing,
    proof,
    public_page,
    read_link,
    show,
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
    form = QueryDict()
    if request.method == "POST":
        form = posted_or_nothing(request)
    one_click = request.method == "POST" and "what" not in form
    if request.method == "POST" and not Follower.objects.filter(uid=link.follower).exists():
        if one_click:
            return _short()
        return show(request, "unsubscribed", {"everything": True})
    follower = follower_of(link)
    kind = link.kind()
    type_key = ""
    if kind:
        type_key = kind.key
    if request.method == "POST":
        source = "preference_center"
        if one_click:
            source = "one_click"
        wanted = type_key
        if form.get("what") == "all":
            wanted = ""
        said = proof(request, follower, source)
        follower = opt_out(follower=follower, type_key=wanted, proof=said)
        if one_click:
            return _short()
    words = None
    if kind:
        words = words_of(kind, translation.get_language())
    email = ""
    if address := email_of(follower):
        email = masked(address.value)
    context = {
        "kind": words,
        "email": email,
        "preferences": own_link("preferences", follower),
        "everything": not follower.subscribed,
        "out": is_out(follower, type_key),
    }
    page = "unsubscribe"
    if request.method == "POST":
        page = "unsubscribed"
    return show(request, page, context)


def _short() -> HttpResponse:
    return HttpResponse("Unsubscribed.\n", content_type="text/plain; charset=utf-8")

"""What all public pages share: no log-in and no cookie, a signed link for a key, the follower's
own language.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, QueryDict, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from apps.followers.consent.record import Proof
from apps.followers.models import Address, Follower, NotificationType
from apps.lib import tokens
from apps.lib.actor import Actor, ActorKind
from apps.lib.network.client_ip import client_ip
from apps.notifications.messages.links import managing_token, read_managing
from apps.subscriptions.wording import EDITION

View = Callable[..., HttpResponse]

# What Django raises at the first look at `GET`, `POST` or `body` of a request it can't read.
UNREADABLE = (
    BadRequest,
    MultiPartParserError,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    UnreadablePostError,
)


def public_page(view: View) -> View:
    """Guard a page: a bad link and a request that can't be read get a friendly answer, and no
    address with a token is passed on, stored or indexed.

    Exempt from CSRF on purpose: there is no cookie that another site could ride on, the secret is
    the link itself, and mail servers post without one (RFC 8058).
    """

    @csrf_exempt
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except tokens.BadToken:
            response = show(request, "bad_link", {}, status=404)
        except UNREADABLE:
            response = show(request, "unreadable", {}, status=400)
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "no-store"
        response["X-Robots-Tag"] = "noindex"
        return response

    return page


def show(
    request: HttpRequest, name: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """Render templates/subscriptions/<name>.html, with what each template needs."""
    context = {"site_name": settings.SITE_NAME, "site_address": settings.SITE_ADDRESS, **context}
    return render(request, f"subscriptions/{name}.html", context, status=status)


def posted(request: HttpRequest) -> QueryDict:
    """Read the form that was sent: all of it at once, so that one limit holds for files, too.

    Raises what `public_page` answers with a page.
    """
    _all = request.body
    return request.POST


def posted_or_nothing(request: HttpRequest) -> QueryDict:
    """Read the form for an act that needs none of it: what can't be read says nothing."""
    try:
        return posted(request)
    except UNREADABLE:
        return QueryDict()


@dataclass(frozen=True, slots=True)
class PublicLink:
    """Whom a link to these pages names, and the type of message it stood in, by id or key."""

    follower: UUID
    type_id: int = 0
    type_key: str = ""

    def kind(self) -> NotificationType | None:
        rows = NotificationType.objects.all()
        if self.type_id:
            return rows.filter(pk=self.type_id).first()
        return rows.filter(key=self.type_key).first()


def read_link(page: str, token: str) -> PublicLink:
    """Read the managing token of a message, or an old link to `page` from before there were such.

    Raises BadToken.
    """
    try:
        mark = read_managing(token)
    except tokens.BadToken:
        payload = tokens.read(page, token)
        return PublicLink(UUID(payload["f"]), type_key=payload.get("t", ""))
    return PublicLink(mark.follower, type_id=mark.notification_type)


def follower_of(link: PublicLink) -> Follower:
    """Find whom the link was made for; the page speaks that person's language from here on.

    Raises BadToken for somebody who is gone,
    so that a link tells nobody whether a person was ever here.
    """
    follower = Follower.objects.filter(uid=link.follower).first()
    if follower is None:
        raise tokens.BadToken("This link belongs to nobody any more.")
    speak(follower)
    return follower


def speak(follower: Follower) -> None:
    """Speak the follower's language until the next request, where LocaleMiddleware decides anew.

    An unknown language leaves its choice.
    """
    with suppress(LookupError):
        language = translation.get_supported_language_variant(follower.language.lower())
        translation.activate(language)


def own_link(name: str, follower: Follower) -> str:
    """Give the address of a page of the subscription center, for this follower."""
    return reverse(f"subscriptions:{name}", args=[managing_token(follower)])


def email_of(follower: Follower) -> Address | None:
    return follower.addresses.filter(channel="email", primary=True).first()


def proof(request: HttpRequest, follower: Follower, source: str) -> Proof:
    """Who speaks on this page, from where, and which text they see."""
    ip = client_ip(request)
    return Proof(
        source=source,
        by=Actor(ActorKind.FOLLOWER, id=str(follower.uid), label=str(follower), ip=ip),
        now=timezone.now(),
        wording=f"{EDITION}/{translation.get_language()}",
        ip=ip,
        user_agent=request.headers.get("User-Agent", ""),
    )

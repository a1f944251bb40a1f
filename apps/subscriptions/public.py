"""What all public pages share: no log-in and no cookie, a signed link for a key, the follower's
own language.
"""

import datetime as dt
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
from django.http import (
    HttpRequest,
    HttpResponse,
    QueryDict,
    StreamingHttpResponse,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from apps.followers.consent.record import Proof
from apps.followers.consent.tombstones import Erased
from apps.followers.models import Address, Follower, NotificationType
from apps.lib import tokens
from apps.lib.actor import Actor, ActorKind
from apps.lib.ids import moment_of
from apps.lib.network.client_ip import client_ip
from apps.notifications.messages.links import DEAD, read_managing
from apps.notifications.models import Delivery
from apps.subscriptions.wording import EDITION

View = Callable[..., HttpResponse | StreamingHttpResponse]
LINK_TYPE = "preference_link"  # of the mail with a link that somebody asked for
FRESH_FOR = dt.timedelta(days=1)

# What Django raises at the first look at `GET`, `POST` or `body` of a request it can't read.
UNREADABLE = (
    BadRequest,
    MultiPartParserError,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
    UnreadablePostError,
)


class PreviewLink(Exception):  # no error of anybody's
    """The link stood in a preview, and is nobody's."""


def public_page(view: View) -> View:
    """Guard a page: a bad link and a request that can't be read get a friendly answer, and no
    address with a token is passed on, stored or indexed.

    Exempt from CSRF on purpose: there is no cookie that another site could ride on, the secret is
    the link itself, and mail servers post without one (RFC 8058).
    """

    @csrf_exempt
    @wraps(view)
    def page(
        request: HttpRequest, *args: Any, **kwargs: Any
    ) -> HttpResponse | StreamingHttpResponse:
        try:
            response = view(request, *args, **kwargs)
        except PreviewLink:
            response = show(request, "preview_link", {})
        except (tokens.BadToken, Erased):  # gone, or about to be
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
    """Whom a link to these pages names, and the message it stood in: its type by id or key, its
    delivery, and when it was made. None: long ago.
    """

    follower: UUID
    type_id: int = 0
    type_key: str = ""
    delivery: UUID | None = None
    made_at: dt.datetime | None = None

    def kind(self) -> NotificationType | None:
        rows = NotificationType.objects.all()
        if self.type_id:
            return rows.filter(pk=self.type_id).first()
        return rows.filter(key=self.type_key).first()


def read_link(page: str, token: str) -> PublicLink:
    """Read the managing token of a message, or an old link to `page` from before there were such.

    Raises BadToken, and PreviewLink for that of a preview.
    """
    if token == DEAD.managing:
        raise PreviewLink
    try:
        mark = read_managing(token)
    except tokens.BadToken:
        payload = tokens.read(page, token)
        return PublicLink(UUID(payload["f"]), type_key=payload.get("t", ""))
    return PublicLink(
        mark.follower,
        type_id=mark.notification_type,
        delivery=mark.delivery,
        made_at=moment_of(mark.delivery),
    )


def follower_of(link: PublicLink) -> Follower:
    """Find whom the link was made for; the page speaks that person's language from here on.

    Raises BadToken for somebody who is gone, so that a link tells nobody whether a person was ever
    here, and for a link that was revoked.
    """
    follower = named_by(link)
    if follower is None or is_revoked(link, follower):
        raise tokens.BadToken("This link belongs to nobody any more.")
    speak(follower)
    return follower


def named_by(link: PublicLink) -> Follower | None:
    """Find whom a link names, or whom that one was merged into; None for somebody who is gone."""
    follower = Follower.objects.filter(uid=link.follower).first()
    if follower is None:
        follower = Follower.objects.filter(merged__uid=link.follower).first()
    return follower


def is_revoked(link: PublicLink, follower: Follower) -> bool:
    """Whether the follower's links were taken back after this one was made."""
    ends = [follower.links_since]
    if link.follower != follower.uid:  # of one who was merged into this one
        ends += follower.merged.filter(uid=link.follower).values_list("links_since", flat=True)
    since = [end for end in ends if end]
    if not since:
        return False
    return link.made_at is None or link.made_at <= max(since)


def is_fresh(link: PublicLink, follower: Follower) -> bool:
    """Whether the link proves that its holder reads the follower's mailbox today.

    A link in a mail may have been forwarded, and never expires: it may stop messages, and begin
    none. Who has no mailbox here has no better proof than the link: it may add a phone or a
    browser. What shows or gives away more asks `was_asked_for`.
    """
    return email_of(follower) is None or was_asked_for(link, follower)


def was_asked_for(link: PublicLink, follower: Follower) -> bool:
    """Whether the link was asked for on these pages today, so that it came to the mailbox alone.

    Of nobody who has no mailbox here: whoever was forwarded one of their links would read all that
    they ever got.
    """
    if link.delivery is None:
        return False
    asked = Delivery.objects.filter(
        uid=link.delivery,
        follower=follower,
        notification__notification_type__key=LINK_TYPE,
        created_at__gt=timezone.now() - FRESH_FOR,
    )
    return asked.exists()


def speak(follower: Follower) -> None:
    """Speak the follower's language until the next request, where LocaleMiddleware decides anew.

    An unknown language leaves its choice.
    """
    with suppress(LookupError):
        language = translation.get_supported_language_variant(follower.language.lower())
        translation.activate(language)


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

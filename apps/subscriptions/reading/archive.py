"""The public archive: what staff show to everybody, as pages and as feeds.

These pages have no token: they may be found, kept and shared.
"""

import datetime as dt
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import translation
from django.utils.feedgenerator import Atom1Feed, Rss201rev2Feed
from django.utils.text import Truncator
from django.utils.translation import get_language_info, gettext
from django.views.decorators.http import require_safe

from apps.campaigns.models import Campaign
from apps.campaigns.public_archive import public_campaigns, public_copy
from apps.content.problems import RenderError
from apps.content.read_html import TokenKind, tags
from apps.content.render import Rendered
from apps.lib.written import written
from apps.subscriptions.public import View, show
from apps.subscriptions.reading.framed import framed

AT_ONCE = 20
FRESH_SECONDS = 300  # a reader or a cache may show a page for that long after it was recalled
_SUMMARY = 200  # characters

log = logging.getLogger("carillon.subscriptions")


@dataclass(frozen=True, slots=True)
class Shown:
    """A campaign as everybody sees it."""

    campaign: Campaign
    copy: Rendered
    sent_at: dt.datetime

    @property
    def path(self) -> str:
        return reverse("subscriptions:archived", args=[self.campaign.uid])

    @property
    def subject(self) -> str:
        return str(self.copy.parts["subject"])

    @property
    def summary(self) -> str:
        parts = self.copy.parts
        words = parts.get("preheader") or parts.get("text", "")
        return Truncator(" ".join(words.split())).chars(_SUMMARY)

    @property
    def day(self) -> str:
        return written(self.sent_at.astimezone(ZoneInfo(settings.TIME_ZONE)), "d MMMM y")


def _public(view: Callable[..., HttpResponse]) -> View:
    """Let anybody see, find and for a while keep the page."""

    @wraps(view)
    @require_safe
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = f"public, max-age={FRESH_SECONDS}"
        return response

    return page


@_public
def index(request: HttpRequest) -> HttpResponse:
    """The newest first, a page at a time."""
    rows = public_campaigns()
    if last := _last_seen(request):
        place = Campaign.objects.filter(uid=last).values_list("send_at", "pk").first()
        if place:
            moment, pk = place
            rows = rows.filter(Q(send_at__lt=moment) | Q(send_at=moment, pk__lt=pk))
    found = list(rows[: AT_ONCE + 1])
    older = ""
    if len(found) > AT_ONCE:
        older = str(found[AT_ONCE - 1].uid)
    context = {"shown": _shown(found[:AT_ONCE]), "older": older}
    return show(request, "reading/archive", context)


@_public
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    """One campaign, with what other sites show of it when it is shared."""
    shown = _one(request, uid)
    address = settings.SITE_URL + shown.path
    query = ""
    if asked := request.GET.get("language", ""):
        query = f"?{urlencode({'language': asked})}"
    context = {
        "subject": shown.subject,
        "summary": shown.summary,
        "sent_at": shown.day,
        "address": address,
        "picture": picture_in(shown.copy.parts.get("html", "")),
        "language": shown.copy.language,
        "letter": reverse("subscriptions:archived-mail", args=[uid]) + query,
        "languages": _languages(shown),
    }
    return show(request, "reading/archived", context)


@_public
def mail(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The mail's own page, for the frame."""
    return framed(request, _one(request, uid).copy)


@_public
def rss(request: HttpRequest) -> HttpResponse:
    return _feed(Rss201rev2Feed, "subscriptions:archive-rss")


@_public
def atom(request: HttpRequest) -> HttpResponse:
    return _feed(Atom1Feed, "subscriptions:archive-atom")


def picture_in(html: str) -> str:
    """Find the first picture of a mail that other sites can show; "" without one."""
    for tag in tags(html):
        if tag.kind is not TokenKind.START or tag.name != "img":
            continue
        said = {attribute.name: attribute.value.strip() for attribute in tag.attributes}
        source = said.get("src", "")
        if source.startswith("https://") and said.get("width") != "1":
            return source
    return ""


def _last_seen(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("before", ""))
    except ValueError:
        return None


def _one(request: HttpRequest, uid: UUID) -> Shown:
    campaign = get_object_or_404(public_campaigns(), uid=uid)
    language = request.GET.get("language", "") or translation.get_language()
    try:
        return _as_shown(campaign, language)
    except RenderError as error:
        log.exception("Campaign %s can't be shown in the public archive.", campaign.uid)
        raise Http404 from error


def _shown(campaigns: Iterable[Campaign]) -> list[Shown]:
    """Write them in the language of the page; one that can't be written is left out."""
    found = []
    for campaign in campaigns:
        try:
            found.append(_as_shown(campaign, translation.get_language()))
        except RenderError:
            log.exception("Campaign %s can't be shown in the public archive.", campaign.uid)
    return found


def _as_shown(campaign: Any, language: str) -> Shown:
    return Shown(campaign, public_copy(campaign, language), campaign.sent_at)


def _languages(shown: Shown) -> list[tuple[str, str]]:
    """List the other languages that the mail has words in: tag and name."""
    notification = shown.campaign.runs.latest("number").notification
    tags_ = notification.version.translations.values_list("language", flat=True)
    others = [tag for tag in tags_ if tag != shown.copy.language]
    return [(tag, _name(tag)) for tag in others]


def _name(tag: str) -> str:
    try:
        return str(get_language_info(tag.lower())["name_local"])
    except KeyError:
        return tag


def _feed(kind: type[Atom1Feed | Rss201rev2Feed], name: str) -> HttpResponse:
    site = settings.SITE_URL
    said = gettext("Mails from %(site_name)s") % {"site_name": settings.SITE_NAME}
    feed = kind(
        title=said,
        link=site + reverse("subscriptions:archive"),
        description=said,
        language=translation.get_language(),
        feed_url=site + reverse(name),
    )
    for shown in _shown(public_campaigns()[:AT_ONCE]):
        feed.add_item(
            title=shown.subject,
            link=site + shown.path,
            description=shown.summary,
            pubdate=shown.sent_at,
            updateddate=shown.sent_at,
            unique_id=f"urn:uuid:{shown.campaign.uid}",
            unique_id_is_permalink=False,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=feed.content_type)

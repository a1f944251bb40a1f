"""The receipt of what somebody agreed to and refused: when, where, and in which words.

It holds addresses of the internet and names of browsers, so it is for whoever reads the mailbox.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from apps.followers.consent.matrix import words_of
from apps.followers.consent.rhythm import zone_of
from apps.followers.consent.wording import words_seen
from apps.followers.models import (
    Channel,
    ConsentRecord,
    Follower,
    NotificationType,
)
from apps.lib.actor import ActorKind
from apps.lib.written import written
from apps.subscriptions.public import (
    PublicLink,
    email_of,
    follower_of,
    public_page,
    read_link,
    show,
    was_asked_for,
)
from apps.subscriptions.reading.words import ACTS, WHERE
from apps.subscriptions.wording import CHANNELS

LATEST = 100  # on the page; the file has them all


@public_page
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The latest records, the newest first."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    context = _context(token, link, follower)
    if context["fresh"]:
        names = _names()
        zone = zone_of(follower)
        context["records"] = []
        records = _records(follower)[:LATEST]
        words = _words_seen(records)
        for record in records:
            context["records"].append(
                {
                    "act": ACTS.get(record.act, record.act.replace("_", " ")),
                    "at": written(record.at.astimezone(zone), "d MMMM y, HH:mm"),
                    "where": WHERE.get(record.source, record.source.replace("_", " ")),
                    "said": _said(record, names),
                    "wording": record.wording,
                    "words": words[record.wording],
                    **_own(record),
                }
            )
    return show(request, "reading/receipt", context)


@public_page
@require_safe
def file(request: HttpRequest, token: str) -> HttpResponse:
    """All records as JSON, to be kept; without a fresh link the page that mails one."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    context = _context(token, link, follower)
    if not context["fresh"]:
        return show(request, "reading/receipt", context)
    records = _records(follower)
    words = _words_seen(records)
    told = {
        "follower": str(follower.uid),
        "made_at": timezone.now().isoformat(),
        "records": [_as_json(record, words) for record in records],
    }
    answer = JsonResponse(told, json_dumps_params={"ensure_ascii": False, "indent": 2})
    answer["Content-Disposition"] = 'attachment; filename="consent-receipt.json"'
    return answer


def _context(token: str, link: PublicLink, follower: Follower) -> dict[str, Any]:
    return {
        "token": token,
        "fresh": was_asked_for(link, follower),
        "has_mailbox": email_of(follower) is not None,
    }


def _records(follower: Follower) -> QuerySet[ConsentRecord]:
    return ConsentRecord.objects.filter(follower=follower)


def _words_seen(records: Iterable[ConsentRecord]) -> dict[str, str]:
    return {wording: words_seen(wording) for wording in {record.wording for record in records}}


def _own(record: ConsentRecord) -> dict[str, str | None]:
    """What a record has of the place where somebody acted. Where staff or a program acted for the
    follower it is their address, and their note.
    """
    if record.actor_kind != ActorKind.FOLLOWER:
        return {"reason": "", "ip": None, "user_agent": ""}
    return {"reason": record.reason, "ip": record.ip, "user_agent": record.user_agent}


def _as_json(record: ConsentRecord, words: Mapping[str, str]) -> dict[str, Any]:
    return {
        "at": record.at.isoformat(),
        "act": record.act,
        "source": record.source,
        "scope": record.scope,
        "wording": record.wording,
        "words": words[record.wording],
        "by": record.actor_kind,
        **_own(record),
    }


def _names() -> dict[str, str]:
    language = translation.get_language()
    return {kind.key: words_of(kind, language)[0] for kind in NotificationType.objects.all()}


def _said(record: ConsentRecord, names: dict[str, str]) -> list[str]:
    """Say what each choice became."""
    said = []
    for cell in record.scope.get("cells", []):
        name = names.get(cell["type"], cell["type"])
        said.append(_switched(f"{name} ({_channel(cell['channel'])})", cell["after"]))
    for switch in record.scope.get("channels", []):
        said.append(_switched(_channel(switch["channel"]), not switch["muted_after"]))
    return said


def _switched(what: str, after: bool | None) -> str:
    if after is None:
        return gettext("{what}: as it is for everybody").format(what=what)
    if after:
        return gettext("{what}: on").format(what=what)
    return gettext("{what}: off").format(what=what)


def _channel(name: str) -> str:
    if name in Channel.values:
        return str(CHANNELS[Channel(name)])
    return name

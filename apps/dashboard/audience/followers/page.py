"""One person's page with everything known."""

import datetime as dt
import json
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_safe

from apps.accounts.history import history_of
from apps.accounts.permissions import Capability, requires
from apps.dashboard.audience.followers.found import found
from apps.dashboard.shell.code_words import begun, explained, in_words
from apps.followers.consent import matrix as consent_matrix
from apps.followers.consent.rhythm import rhythm_of
from apps.followers.devices.push_devices import CHANNELS as DEVICES
from apps.followers.models import (
    AddressState,
    Channel,
    ConsentRecord,
    CustomField,
    DigestCadence,
    Follower,
)
from apps.followers.people import address_claims
from apps.lib.written import written

LATEST = 50  # rows of each kind of history on a follower's page
_MONDAY = dt.date(2024, 1, 1)  # any


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    matrix = consent_matrix.matrix(follower)
    custom, rest = _custom_values(follower)
    metadata = ""
    if rest:
        metadata = json.dumps(rest, ensure_ascii=False, indent=2)
    channels = []
    if matrix:
        channels = [cell.label for cell in matrix[0].cells]
    addresses = []
    devices = []
    for address in follower.addresses.all():
        if address.channel not in DEVICES:
            addresses.append(address)
        elif address.state != AddressState.GONE:
            devices.append(address)
    tags = list(follower.tags.all())
    consents = follower.consent_records.all()[:LATEST]
    deliveries = follower.deliveries.select_related("notification__notification_type")
    history = history_of("follower", follower.uid, most=LATEST, explain=explained)
    context = {
        "follower": follower,
        "addresses": addresses,
        "claims": address_claims.waiting(follower, now=timezone.now()),
        "devices": devices,
        **_rhythm(follower),
        "tags": tags,
        "custom": custom,
        "metadata": metadata,
        "matrix": matrix,
        "channels": channels,
        "muted": [in_words(channel) for channel in consent_matrix.muted_channels(follower)],
        "consents": [_consent(record) for record in consents],
        "deliveries": deliveries[:LATEST],
        "history": history,
        "has_email": any(each.channel == Channel.EMAIL for each in addresses),
        "site_zone": settings.TIME_ZONE,
    }
    return render(request, "dashboard/audience/followers/detail.html", context)


def _custom_values(follower: Follower) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """The values of custom fields under their labels, and what else the metadata hold."""
    language = get_language() or settings.LANGUAGE_CODE
    rest = dict(follower.metadata)
    custom = []
    for field in CustomField.objects.all():
        if field.key in rest:
            value = field.shown(rest.pop(field.key), language)
            if value is True:
                value = gettext("Yes")
            elif value is False:
                value = gettext("No")
            custom.append((field.label(language), value))
    return custom, rest


def _rhythm(follower: Follower) -> dict[str, Any]:
    """What the person said about time, in words; "" or None where nothing was said."""
    rhythm = rhythm_of(follower)
    quiet = _quiet_hours(rhythm.quiet)
    digest = rhythm.get_cadence_display()
    if rhythm.cadence in (DigestCadence.DAILY, DigestCadence.WEEKLY):
        digest += f", {rhythm.digest_at:%H:%M}"
    if rhythm.cadence == DigestCadence.WEEKLY:
        day = _weekday(rhythm.digest_weekday, "EEEE")
        digest = gettext("{digest} on {day}").format(digest=digest, day=day)
    pause = None
    if rhythm.paused_until and rhythm.paused_until > timezone.now():
        pause = rhythm.paused_until
    return {"quiet": quiet, "digest": digest, "pause": pause}


def _quiet_hours(quiet: dict[str, Any]) -> list[str]:
    """Quiet hours by weekday ("0" is Monday) as lines of one span and its days."""
    days: dict[str, list[str]] = {}
    for day, (start, end) in sorted(quiet.items()):
        names = days.setdefault(f"{start}–{end}", [])
        names.append(_weekday(int(day), "EEE"))
    lines = []
    for span, names in days.items():
        when = ", ".join(names)
        if len(names) == 7:
            when = gettext("every day")
        lines.append(f"{span} {when}")
    return lines


def _weekday(number: int, pattern: str) -> str:
    """Name a day of the week, Monday is 0, by a pattern of CLDR."""
    return written(_MONDAY + dt.timedelta(days=number), pattern)


def _consent(record: ConsentRecord) -> dict[str, Any]:
    """A record of consent as the page shows it, what it says in words."""
    cells = record.scope.get("cells", [])
    switches = record.scope.get("channels", [])
    return {
        "act": begun(record.act),
        "by": record.actor_label or record.actor_kind,
        "source": in_words(record.source),
        "said": [*map(_cell_words, cells), *map(_switch_words, switches)],
        "reason": record.reason,
        "at": record.at,
        "ip": record.ip,
        "wording": record.wording,
    }


def _cell_words(cell: dict[str, Any]) -> str:
    """Say what became of one preference."""
    said = gettext("{type} on {channel}: default")
    if cell["after"]:
        said = gettext("{type} on {channel}: on")
    elif cell["after"] is False:
        said = gettext("{type} on {channel}: off")
    return said.format(type=cell["type"], channel=in_words(cell["channel"]))


def _switch_words(switch: dict[str, Any]) -> str:
    """Say what became of a channel that was switched as a whole."""
    said = gettext("all of {channel}: on")
    if switch["muted_after"]:
        said = gettext("all of {channel}: off")
    return said.format(channel=in_words(switch["channel"]))


urlpatterns = [
    path("followers/<uuid:uid>/", detail, name="follower"),
]

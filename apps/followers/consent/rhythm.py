"""When a follower wants to be written to: quiet hours, how often what may wait comes, and a pause.

No row means the defaults, and a row that says nothing else is deleted. What follows from it for one
message is decided in notifications/decide/decision.py.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from apps.followers.consent.record import Proof, locked
from apps.followers.models import DigestCadence, Follower, Rhythm
from apps.followers.profile_fields import BadFollower
from apps.lib.facts import Kind
from apps.lib.partial import UNSET, Unset, given
from apps.lib.refusals import NOT_NOW
from apps.lib.wallclock import UnknownZone, zone

LONGEST_SNOOZE = dt.timedelta(days=366)
WEEKDAYS = tuple("0123456")  # Monday is 0
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What `set_rhythm` takes: UNSET stays as it is, None brings the default back."""

    # {"0": ["22:00", "07:00"]}: all of them, by weekday (Monday is "0")
    quiet: Mapping[str, Sequence[str]] | Unset | None = UNSET
    cadence: str | Unset | None = UNSET
    digest_at: dt.time | str | Unset | None = UNSET
    digest_weekday: int | Unset | None = UNSET
    paused_until: dt.datetime | Unset | None = UNSET

    def __bool__(self) -> bool:
        return bool(given(self))


@dataclass(frozen=True, slots=True)
class RhythmChange:
    """What really changed; `before` given back to `set_rhythm` undoes it.

    False when nothing changed.
    """

    before: Wishes
    after: Wishes

    def __bool__(self) -> bool:
        return bool(self.after)


def rhythm_of(follower: Follower) -> Rhythm:
    """What the follower said, or the defaults (then not stored). One query."""
    return Rhythm.objects.filter(follower=follower).first() or Rhythm(follower=follower)


class Zoned(Protocol):
    """A follower, or what a sender knows of one."""

    time_zone: str


def zone_of(follower: Zoned) -> ZoneInfo:
    """The follower's zone, else the site's: also where the name is unknown here,
    for it must not mean "at any time".
    """
    try:
        return zone(follower.time_zone or settings.TIME_ZONE)
    except UnknownZone:
        return zone(settings.TIME_ZONE)


def set_rhythm(*, follower: Follower, values: Wishes, proof: Proof) -> RhythmChange:
    """Store what the follower wishes: only what is given, all or nothing. Raises BadFollower."""
    checked: dict[str, Any] = {}
    for name, value in given(values).items():
        checked[name] = _CHECKED[name](value, proof.now)
    with transaction.atomic():
        person = locked(follower)
        row = rhythm_of(person)
        was = {}
        new = {}
        for name, value in checked.items():
            before = getattr(row, name)
            if before != value:
                was[name] = before
                new[name] = value
                setattr(row, name, value)
        if not new:
            return RhythmChange(Wishes(), Wishes())
        if all(getattr(row, name) == getattr(_UNSAID, name) for name in _CHECKED):
            row.delete()
        else:
            row.updated_at = proof.now
            row.save()
        turn = RhythmChange(Wishes(**was), Wishes(**new))
        scope = {"before": as_json(turn.before), "after": as_json(turn.after)}
        proof.record(person, "rhythm_changed", scope)
        proof.tell(Kind.DELIVERY_PREFERENCES_CHANGED, person, scope)
    return turn


def as_json(wishes: Wishes) -> dict[str, Any]:
    """Wishes as the API shows them: times as HH:MM, moments in ISO 8601."""
    return {name: _text(value) for name, value in given(wishes).items()}


def from_json(wishes: Mapping[str, Any]) -> Wishes:
    """Read back what `as_json` wrote."""
    said = dict(wishes)
    moment = said.get("paused_until")
    if moment:
        said["paused_until"] = dt.datetime.fromisoformat(moment)
    return Wishes(**said)


def _text(value: Any) -> Any:
    match value:
        case dt.datetime():
            return value.isoformat()
        case dt.time():
            return f"{value:%H:%M}"
    return value


# ------------------------------------------------------------------ what may be wished
def _quiet(value: Mapping[str, Sequence[str]] | None, now: dt.datetime) -> dict[str, list[str]]:
    checked = {}
    for day, span in sorted((value or {}).items()):
        if day not in WEEKDAYS:
            raise BadFollower(_no_weekday(repr(day)), field="quiet")
        if not isinstance(span, list | tuple) or len(span) != 2:
            said = gettext('Quiet hours need a start and an end, such as ["22:00", "07:00"].')
            raise BadFollower(said, field="quiet")
        start, end = (_clock("quiet", each) for each in span)
        if start == end:
            said = gettext("Quiet hours from {start} to {end} have no length. Choose another end.")
            times = {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
            raise BadFollower(said.format(**times), field="quiet")
        checked[day] = [f"{start:%H:%M}", f"{end:%H:%M}"]
    return checked


def _cadence(value: str | None, now: dt.datetime) -> str:
    if value is None:
        return DigestCadence.INSTANT.value
    if value not in DigestCadence.values:
        said = gettext("{value!r} is not a cadence. Use one of: {known}.")
        known = ", ".join(DigestCadence.values)
        raise BadFollower(said.format(value=value, known=known), field="cadence")
    return DigestCadence(value).value


def _digest_at(value: dt.time | str | None, now: dt.datetime) -> dt.time:
    if value is None:
        return _UNSAID.digest_at
    return _clock("digest_at", value)


def _digest_weekday(value: int | None, now: dt.datetime) -> int:
    if value is None:
        return 0
    if value not in range(7):
        raise BadFollower(_no_weekday(str(value)), field="digest_weekday")
    return value


def _no_weekday(said: str) -> str:
    return gettext("{day} is not a weekday. Use 0 (Monday) to 6 (Sunday).").format(day=said)


def _paused_until(value: dt.datetime | None, now: dt.datetime) -> dt.datetime | None:
    if value is None:
        return None
    if value <= now:
        said = gettext("A pause must end in the future. Choose a later moment.")
        raise BadFollower(said, field="paused_until", cause=NOT_NOW)
    if value > now + LONGEST_SNOOZE:
        said = gettext("A pause ends within a year. Choose an earlier day, or unsubscribe.")
        raise BadFollower(said, field="paused_until", cause=NOT_NOW)
    return value


def _clock(field: str, value: Any) -> dt.time:
    if isinstance(value, dt.time):
        return value.replace(second=0, microsecond=0, tzinfo=None)
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        said = gettext("{value!r} is not a time of day. Write it as HH:MM, such as 08:30.")
        raise BadFollower(said.format(value=value), field=field)
    return dt.time.fromisoformat(value)


_CHECKED: dict[str, Callable[[Any, dt.datetime], Any]] = {
    "quiet": _quiet,
    "cadence": _cadence,
    "digest_at": _digest_at,
    "digest_weekday": _digest_weekday,
    "paused_until": _paused_until,
}
_UNSAID = Rhythm()

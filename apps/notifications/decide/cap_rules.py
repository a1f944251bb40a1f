"""Caps: how many messages one follower gets in a window; made, changed and removed here,
counted in caps.py.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import UNFIT, RefusalKind, Refused, not_one_of
from apps.lib.written import grouped
from apps.notifications.models import Cap, CapOutcome

MOST_DAYS = 366
MOST_SECONDS = MOST_DAYS * 24 * 3600


class BadCap(Refused):
    """Values that can't go together; `field` is the one to change."""


class CapNameTaken(BadCap):
    """Another cap has this name."""

    kind = RefusalKind.STATE
    field = "name"


@dataclass(frozen=True, slots=True)
class CapValues:
    """All that staff decide about a cap.

    One of `days` (calendar days of the follower) and `seconds` (rolling).
    """

    name: str
    channels: Sequence[str]
    limit: int
    days: int | None = None
    seconds: int | None = None
    commercial: bool = True
    outcome: str = CapOutcome.DEFER
    enabled: bool = True


def create_cap(*, values: CapValues, by: Actor, now: dt.datetime) -> Cap:
    """Create a cap, which counts from now on: what was sent before is not known to it.

    Raises BadCap.
    """
    check(values)
    try:
        with transaction.atomic():
            cap = Cap.objects.create(**_columns(values), created_at=now)
            data = {"before": {}, "after": _columns(values)}
            tell(Kind.CAP_CHANGED, by=by, now=now, about=cap, data=data)
    except IntegrityError:
        raise _taken(values.name) from None
    return cap


def change_cap(*, cap: Cap, values: CapValues, by: Actor, now: dt.datetime) -> Cap:
    """Change a cap, and give it as it is now; what it has counted stays counted.

    Raises BadCap. Nothing is written when nothing differs.
    """
    check(values)
    try:
        with transaction.atomic():
            row = Cap.objects.select_for_update().get(pk=cap.pk)
            before = _columns(values_of(row))
            after = _columns(values)
            changed = [name for name in after if before[name] != after[name]]
            if changed:
                for name in changed:
                    setattr(row, name, after[name])
                row.save(update_fields=changed)
                data = {
                    "before": {name: before[name] for name in changed},
                    "after": {n: after[n] for n in changed},
                }
                tell(Kind.CAP_CHANGED, by=by, now=now, about=row, data=data)
    except IntegrityError:
        raise _taken(values.name) from None
    return row


def delete_cap(*, cap: Cap, by: Actor, now: dt.datetime) -> None:
    """Delete a cap; what waits under it goes when it comes due."""
    with transaction.atomic():
        data = {"before": _columns(values_of(cap))}
        tell(Kind.CAP_REMOVED, by=by, now=now, about=cap, data=data)
        Cap.objects.filter(pk=cap.pk).delete()


def values_of(cap: Cap) -> CapValues:
    """What staff have decided about the cap."""
    return CapValues(**{name: getattr(cap, name) for name in CapValues.__dataclass_fields__})


def check(values: CapValues) -> None:
    """Raises BadCap with what to do."""
    if not values.name.strip():
        raise BadCap(
            gettext("Give the cap a name; it is shown as the reason why a message waits."),
            field="name",
        )
    if not values.channels:
        raise BadCap(
            gettext("Choose at least one channel; those chosen are counted together."),
            field="channels",
        )
    if unknown := sorted(set(values.channels) - set(Channel.values)):
        raise BadCap(not_one_of(", ".join(unknown), Channel.values), field="channels")
    if not 1 <= values.limit <= 1000:
        raise BadCap(
            gettext("Let 1 to 1,000 messages pass. To send none, switch the type off."),
            field="limit",
        )
    if (values.days is None) == (values.seconds is None):
        raise BadCap(gettext("Give either calendar days or seconds."), field="days", cause=UNFIT)
    if values.days is not None and not 1 <= values.days <= MOST_DAYS:
        said = gettext("Give 1 to {most} days.").format(most=MOST_DAYS)
        raise BadCap(said, field="days")
    if values.seconds is not None and not 1 <= values.seconds <= MOST_SECONDS:
        said = gettext("Give 1 to {most} seconds.").format(most=grouped(MOST_SECONDS))
        raise BadCap(said, field="seconds")
    if values.outcome not in CapOutcome.values:
        raise BadCap(not_one_of(repr(values.outcome), CapOutcome.values), field="outcome")


def _columns(values: CapValues) -> dict[str, Any]:
    # in the channels' own order, so that the same choice is the same list
    chosen = [channel for channel in Channel.values if channel in values.channels]
    return asdict(replace(values, name=values.name.strip(), channels=chosen))


def _taken(name: str) -> CapNameTaken:
    said = gettext("There is already a cap called “{name}”. Choose another name.")
    return CapNameTaken(said.format(name=name.strip()))

"""Merge two followers: one stays, and everything of the other becomes theirs."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import rhythm_of
from apps.followers.consent.tombstones import refuse_leaving
from apps.followers.merging import outcome
from apps.followers.models import (
    Address,
    AddressClaim,
    ChannelMute,
    ConsentRecord,
    Export,
    Follower,
    ImportedFollower,
    MergedFollower,
    PhoneCode,
    Preference,
    PrivacyCode,
    Rhythm,
    SignUp,
    Tagging,
)
from apps.followers.models.deletion import keep_out
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused

SOURCE = "merge"
# Rows that only change whose they are.
_MOVED = (SignUp, AddressClaim, PhoneCode, PrivacyCode, ConsentRecord, MergedFollower)


class CanNotMerge(Refused):
    """Two followers can't be merged; the sentence says what to do."""

    kind = RefusalKind.STATE
    field = "other"


@dataclass(frozen=True, slots=True)
class Compared:
    """What one thing is of both, and will be; lists where there are several."""

    name: str
    kept: Any
    gone: Any
    after: Any


def preview(*, kept: Follower, gone: Follower) -> Iterator[Compared]:
    """Say line by line what a merge would make of the two. Raises CanNotMerge."""
    _check(kept, gone)
    for name, value in outcome.columns_after(kept, gone).items():
        yield Compared(name, getattr(kept, name), getattr(gone, name), value)
    ours = [str(row) for row in kept.addresses.all()]
    theirs = [str(row) for row in gone.addresses.all()]
    yield Compared("addresses", ours, theirs, ours + theirs)
    tags = sorted(kept.tags.values_list("name", flat=True))
    others = sorted(gone.tags.values_list("name", flat=True))
    yield Compared("tags", tags, others, sorted({*tags, *others}))


def merge(*, kept: Follower, gone: Follower, by: Actor, now: dt.datetime) -> Follower:
    """Make one follower of two for good, and give who stays. Raises CanNotMerge, Erased."""
    _check(kept, gone)
    with transaction.atomic():
        keep_out([kept.pk, gone.pk])
        both = Follower.objects.select_for_update().filter(pk__in=[kept.pk, gone.pk])
        rows = {row.pk: row for row in both.order_by("pk")}
        if len(rows) < 2:
            raise CanNotMerge(gettext("One of them is not there any more."))
        row = rows[kept.pk]
        other = rows[gone.pk]
        refuse_leaving(row)
        refuse_leaving(other)
        columns = outcome.columns_after(row, other)
        before = {name: getattr(row, name) for name in columns}
        for path in settings.MERGES:
            import_string(path)(kept=row, gone=other, now=now)
        _take_places(row, other)
        _take_words(row, other, now)
        for model in _MOVED:
            model._default_manager.filter(follower=other).update(follower=row)
        _take_once(row, other)
        Export.objects.filter(asked__follower=str(other.uid)).delete()
        MergedFollower.objects.create(
            uid=other.uid,
            follower=row,
            external_id=other.external_id or "",
            links_since=other.links_since,
            merged_at=now,
        )
        told = {"merged": {"id": str(other.uid), "name": other.label}}
        other.delete()
        Follower.objects.filter(pk=row.pk).update(**columns, updated_at=now)
        row.refresh_from_db()
        changed = {name: value for name, value in columns.items() if value != before[name]}
        was = {name: before[name] for name in changed}
        told |= {"before": _plain(was), "after": _plain(changed)}
        proof = Proof(source=SOURCE, by=by, now=now)
        proof.record(row, "merged", {"subscribed": row.subscribed, "merged": str(gone.uid)})
        tell(Kind.FOLLOWER_MERGED, by=by, now=now, about=row, data=told)
    return row


def _check(kept: Follower, gone: Follower) -> None:
    if kept.pk == gone.pk:
        raise CanNotMerge(gettext("Choose two different followers."))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    plain = {}
    for name, value in values.items():
        plain[name] = value
        if isinstance(value, dt.datetime):
            plain[name] = value.isoformat()
    return plain


def _take_places(row: Follower, other: Follower) -> None:
    """Give the addresses over; the primary ones stay primary where the other has none."""
    channels = row.addresses.filter(primary=True).values_list("channel", flat=True)
    theirs = Address.objects.filter(follower=other)
    theirs.filter(channel__in=list(channels)).update(primary=False)
    theirs.update(follower=row)


def _take_words(row: Follower, other: Follower, now: dt.datetime) -> None:
    """Let the stricter word of both stand, cell by cell."""
    said = []
    for each in (row, other):
        cells = Preference.objects.filter(follower=each)
        said.append({(cell.notification_type_id, cell.channel): cell.allowed for cell in cells})
    after = outcome.cells_after(*said)
    for (kind, channel), allowed in after.items():
        Preference.objects.update_or_create(
            follower=row,
            notification_type_id=kind,
            channel=channel,
            defaults={"allowed": allowed, "updated_at": now},
        )
    muted = ChannelMute.objects.filter(follower=row).values("channel")
    ChannelMute.objects.filter(follower=other).exclude(channel__in=muted).update(follower=row)
    theirs = Rhythm.objects.filter(follower=other).first()
    if theirs is None:
        return
    own = Rhythm.objects.filter(follower=row).first()
    if own is None:
        own = rhythm_of(row)
        own.quiet = theirs.quiet
        own.cadence = theirs.cadence
        own.digest_at = theirs.digest_at
        own.digest_weekday = theirs.digest_weekday
    pauses = [each for each in (own.paused_until, theirs.paused_until) if each]
    own.paused_until = max(pauses, default=None)
    own.updated_at = now
    own.save()


def _take_once(row: Follower, other: Follower) -> None:
    """Give over what each follower has once: tags, and lines of files."""
    tags = Tagging.objects.filter(follower=row).values("tag")
    Tagging.objects.filter(follower=other).exclude(tag__in=tags).update(follower=row)
    jobs = ImportedFollower.objects.filter(follower=row).values("job")
    ImportedFollower.objects.filter(follower=other).exclude(job__in=jobs).update(follower=row)

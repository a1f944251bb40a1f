"""A copy of all that is held about one person: asked for, written in the background as exports
are, and given away for a day.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from apps.followers.consent.record import locked
from apps.followers.consent.tombstones import refuse_leaving
from apps.followers.exports.source import PERSON, reader_of
from apps.followers.exports.start import TASK
from apps.followers.models import Export, ExportState, Follower
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import WrongState

Written = Callable[[Export, Follower], Iterator[bytes]]


def ask_for_copy(*, follower: Follower, by: Actor, now: dt.datetime) -> Export:
    """Let a copy be written; one that is being written already is given back, but for the reader
    none that staff or a program asked for: it has no page of theirs. Raises Erased.
    """
    with transaction.atomic():
        row = locked(follower)
        refuse_leaving(row)
        own = copies_of(row).filter(by_kind=by.kind)
        running = own.filter(state=ExportState.RUNNING).first()
        if running:
            return running
        asked = {"follower": str(row.uid)}
        source = reader_of(PERSON)
        label = by.label[:200]
        if by.kind == ActorKind.FOLLOWER:
            label = ""
        job = Export.objects.create(
            kind=PERSON,
            asked=asked,
            columns=list(source.columns),
            rows_total=source.count(asked),
            by_kind=by.kind,
            by_id=by.id,
            by_label=label,
            created_at=now,
            touched_at=now,
        )
        tell(Kind.DATA_COPY_ASKED, by=by, now=now, about=row)
        announce(TASK, lane=Lane.BULK, job_id=job.pk)
    return job


def copies_of(follower: Follower) -> QuerySet[Export]:
    """Find the copies of what is held about somebody, the newest first."""
    return Export.objects.filter(kind=PERSON, asked__follower=str(follower.uid))


def file_name(copy: Export) -> str:
    """Name the archive: by its day, and by nothing of the person."""
    return f"my-data-{copy.created_at:%Y-%m-%d}.zip"


def archive_of(copy: Export, follower: Follower) -> Iterator[bytes]:
    """Give the archive. Raises WrongState where it is not ready."""
    if copy.state != ExportState.READY:
        raise WrongState(gettext("This copy is not ready yet."))
    return cast(Written, import_string(settings.PERSON_ARCHIVE))(copy, follower)


def fetch_copy(*, copy: Export, follower: Follower, by: Actor, now: dt.datetime) -> Iterator[bytes]:
    """Give the archive, and tell who fetched it. Raises WrongState where it is not ready."""
    pieces = archive_of(copy, follower)
    with transaction.atomic():
        tell(Kind.DATA_COPY_FETCHED, by=by, now=now, about=follower)
    return pieces

"""Begin an export."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.exports.source import PERSON, BadExport, source_of
from apps.followers.models import Export, ExportState
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import NOT_FOUND, RefusalKind

TASK = "apps.followers.exports.write.run"
MOST_RUNNING = 5


class TooManyExports(BadExport):
    """A few run already; one more would only make all slower."""

    kind = RefusalKind.STATE


def start_export(
    *,
    kind: str,
    asked: Mapping[str, Any],
    columns: Sequence[str] = (),
    by: Actor,
    now: dt.datetime,
) -> Export:
    """Let the rows of a kind be written in the background; no columns are all of them.

    Raises BadExport, TooManyExports.
    """
    source = source_of(kind)
    filtered = source.check(asked)
    if unknown := [name for name in columns if name not in source.columns]:
        said = gettext("There is no column {column!r}. Known: {known}.")
        words = {"column": unknown[0], "known": ", ".join(source.columns)}
        raise BadExport(said.format(**words), field="columns", cause=NOT_FOUND)
    running = Export.objects.filter(state=ExportState.RUNNING).exclude(kind=PERSON)
    if running.count() >= MOST_RUNNING:
        raise TooManyExports(gettext("Some exports are running. Wait for one of them to end."))
    wanted = [name for name in source.columns if not columns or name in columns]
    total = source.count(filtered)
    with transaction.atomic():
        job = Export.objects.create(
            kind=kind,
            asked=filtered,
            columns=wanted,
            rows_total=total,
            by_kind=by.kind,
            by_id=by.id,
            by_label=by.label[:200],
            created_at=now,
            touched_at=now,
        )
        data = {"what": kind, "filter": filtered, "columns": wanted, "rows": total}
        tell(Kind.EXPORT_STARTED, by=by, now=now, about=job, data=data)
        announce(TASK, lane=Lane.BULK, job_id=job.pk)
    return job

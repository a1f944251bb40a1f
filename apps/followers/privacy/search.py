"""Go through what others wrote about somebody who is erased, a slice of one table at a time."""

from collections.abc import Callable, Sequence
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.db.models import Model
from django.utils.module_loading import import_string

from apps.followers.exports.write import pack, unpack
from apps.followers.models import Erasure, ExportChunk, ImportProblem
from apps.lib.erasing.person import MASK, DataSubject

SLICE = 500
_SLICES = {"followers.ExportChunk": 5}  # each has thousands of rows
_KEYS = ("dedup_key",)  # put together by programs
# Takes the person out of a row, without storing it; names the columns that changed.
Clear = Callable[[Any, DataSubject], Sequence[str]]


def slice_of(erasure: Erasure, person: DataSubject) -> None:
    """Search the next slice, and set how far it went."""
    label, how = list(settings.SEARCHED.items())[erasure.place]
    model = apps.get_model(label)
    most = _SLICES.get(label, SLICE)
    rows = model._default_manager.order_by("pk")
    found = list(rows.filter(pk__gt=erasure.last_id)[:most])
    for row in found:
        if _cleared(row, how, person):
            # as it is now, and nobody else changes it meanwhile
            fresh = rows.select_for_update().filter(pk=row.pk).first()
            if fresh is not None and (changed := _cleared(fresh, how, person)):
                fresh.save(update_fields=changed)
                erasure.found += 1
    if len(found) < most:
        erasure.place += 1
        erasure.last_id = 0
    else:
        erasure.last_id = found[-1].pk


def _cleared(row: Model, how: str | Sequence[str], person: DataSubject) -> Sequence[str]:
    if isinstance(how, str):
        return cast(Clear, import_string(how))(row, person)
    changed = []
    for name in how:
        before = getattr(row, name)
        if name in _KEYS:
            after = person.masked_in_key(before, _mask(row, name))
        else:
            after = person.masked(before, _mask(row, name))
        if after != before:
            setattr(row, name, after)
            changed.append(name)
    return changed


def _mask(row: Model, name: str) -> str:
    """Give a mask of its own to a column that may hold each text once."""
    once = any(name in rule.fields for rule in row._meta.total_unique_constraints)
    once |= any(name in getattr(rule, "fields", ()) for rule in row._meta.constraints)
    if once:
        return f"{MASK} {row.pk}"
    return MASK


def is_problem_of(row: ImportProblem, person: DataSubject) -> bool:
    """Whether a refused row of a file is about the person."""
    texts = [row.message, *map(str, row.row)]
    named = bool(person.external_id) and person.external_id in row.row
    return named or any(map(person.is_in, texts))


def clear_problem(row: ImportProblem, person: DataSubject) -> Sequence[str]:
    """Keep of a refused row that there was one."""
    if is_problem_of(row, person):
        row.row = []
        row.message = MASK
        return ["row", "message"]
    return []


def clear_chunk(row: ExportChunk, person: DataSubject) -> Sequence[str]:
    """Leave the person's rows out of a file that is taken out."""
    rows = unpack(row.body)
    kept = [cells for cells in rows if not _is_about(cells, person)]
    if len(kept) == len(rows):
        return []
    row.body = pack(kept)
    return ["body"]


def _is_about(cells: Sequence[Any], person: DataSubject) -> bool:
    return any(person.emptied({"cell": cell})["cell"] != cell for cell in cells)

"""Writes everything that is encrypted anew with the first of FIELD_KEYS,
so that the others can go.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import transaction
from django.db.models import Model, Q

from apps.lib.actor import Actor
from apps.lib.crypto import Undecryptable, rewritten
from apps.lib.facts import Kind, Subject, tell

BATCH = 200  # rows locked at once: 20 ms of arithmetic


@dataclass(slots=True)
class Rotated:
    """What was found in one place.

    `closed`: primary keys of rows that none of FIELD_KEYS opens; they stay.
    """

    place: str
    fresh: int = 0  # written with the first key already
    rewritten: int = 0
    closed: list[Any] = field(default_factory=list)


def rotate_keys(*, by: Actor, now: dt.datetime, dry_run: bool = False) -> list[Rotated]:
    """Go through all places of settings.ENCRYPTED; one result for each.

    With `dry_run` nothing is written.

    Rows are locked in small batches, so that senders and pages go on meanwhile. Whoever stops it
    starts it again: what was rewritten is passed over.
    """
    found = [_place(name, *where, dry_run=dry_run) for name, where in settings.ENCRYPTED.items()]
    if not dry_run and any(each.rewritten or each.closed for each in found):
        data = {
            each.place: {"rewritten": each.rewritten, "closed": len(each.closed)} for each in found
        }
        site = Subject("site", "", "FIELD_KEYS")
        tell(Kind.FIELD_KEYS_ROTATED, by=by, now=now, about=site, data=data)
    return found


def _place(name: str, model: str, column: str, keys: Sequence[str], *, dry_run: bool) -> Rotated:
    result = Rotated(name)
    last = 0
    rows = apps.get_model(model)._default_manager.order_by("pk")
    if keys:
        rows = rows.filter(reduce(or_, (Q(**{f"{column}__has_key": key}) for key in keys)))
    else:
        rows = rows.exclude(**{column: ""})
    while True:
        with transaction.atomic():
            batch = list(rows.filter(pk__gt=last).select_for_update()[:BATCH])
            for row in batch:
                _row(row, column, keys, result, dry_run=dry_run)
        if not batch:
            return result
        last = batch[-1].pk


def _row(row: Model, column: str, keys: Sequence[str], result: Rotated, *, dry_run: bool) -> None:
    stored = getattr(row, column)
    if keys:
        parts = {key: stored[key] for key in keys if stored.get(key)}
    else:
        parts = {"": stored}
    try:
        new = {key: text for key, old in parts.items() if (text := rewritten(old))}
    except Undecryptable:
        result.closed.append(row.pk)
        return
    if not new:
        result.fresh += 1
        return
    result.rewritten += 1
    if not dry_run:
        value = new.get("")
        if keys:
            value = stored | new
        setattr(row, column, value)
        row.save(update_fields=[column])

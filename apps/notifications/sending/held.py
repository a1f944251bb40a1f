"""Rows that a sender holds: its lease, whether they may still go, and giving them back."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.utils import timezone

from apps.lib.sql.raw import fetch
from apps.notifications.books import tallies
from apps.notifications.books.transitions import doubted_among
from apps.notifications.messages.row import COLUMNS, Row, row_of
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
)
from apps.notifications.sending.judge import decide_rows, judge_rows

LEASE = dt.timedelta(seconds=60)


def lease_end() -> Combinable:
    """By the clock of the database: those of two machines may differ by more than a lease."""
    return ExpressionWrapper(Now() + Value(LEASE), output_field=DateTimeField())


def held_by(owner: str, ids: Iterable[int]) -> set[int]:
    """Of these rows, the ones that `owner` has claimed and nobody took over;
    locked until the transaction ends.
    """
    rows = Delivery.objects.filter(
        pk__among=set(ids), status=DeliveryStatus.QUEUED, lease_owner=owner
    )
    return set(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def held_rows(owner: str) -> list[Row]:
    """All that `owner` holds, for whoever takes over from it."""
    rows = Delivery.objects.filter(status=DeliveryStatus.QUEUED, lease_owner=owner).order_by("pk")
    found = fetch(rows.values_list(*COLUMNS))
    kinds = Notification.objects.select_related("notification_type").in_bulk(
        {each[2] for each in found}
    )
    return [row_of(each, kinds[each[2]]) for each in found]


def still_wanted(owner: str, rows: Sequence[Row], *, now: dt.datetime) -> list[Row]:
    """Of rows that wait in this process, those that may still go, their lease renewed; the others
    are skipped or put off. Their places under a cap they have.
    """
    wanted: list[Row] = []
    groups: dict[tuple[int, str], list[Row]] = {}
    with transaction.atomic():
        held = held_by(owner, (row.pk for row in rows))
        for row in rows:
            if row.pk in held:
                groups.setdefault((row.notification.notification_type_id, row.channel), []).append(
                    row
                )
        for (_, channel), group in groups.items():
            # each claim has read its notification anew: the number says which one it is
            of = {row.notification.pk: row.notification for row in group}
            for pk, expires_at in Notification.objects.filter(pk__in=of).values_list(
                "pk", "expires_at"
            ):
                of[pk].expires_at = expires_at
            judged = judge_rows(of, channel, {row.pk for row in group})
            wanted += decide_rows(channel, judged, ledger=None, now=now, held=True)
        Delivery.objects.filter(pk__among={row.pk for row in wanted}).update(
            lease_until=lease_end()
        )
    allowed = {row.pk for row in wanted}
    return [row for row in rows if row.pk in allowed]


def stopped(notifications: Collection[int]) -> set[int]:
    """Those of them that a person has paused or cancelled."""
    with connection.cursor() as cursor:  # by hand: a sender asks ten times a second
        cursor.execute(
            f"SELECT id FROM {Notification._meta.db_table} "  # noqa: S608  # a name of ours and marks, no value
            f"WHERE state <> %s AND id IN ({', '.join(['%s'] * len(notifications))})",
            [NotificationState.SENDING.value, *notifications],
        )
        return {pk for (pk,) in cursor.fetchall()}


def release(owner: str, rows: Iterable[Row]) -> None:
    """Rows that were claimed and not handed over: waiting again, uncharged,
    or cancelled with their notification.
    """
    by_pk = {row.pk: row for row in rows}
    if not by_pk:
        return
    with transaction.atomic():
        mine = [by_pk[pk] for pk in sorted(held_by(owner, by_pk))]
        of = {row.notification.pk for row in mine}
        cancelled = Notification.objects.filter(pk__in=of, state=NotificationState.CANCELLED)
        gone = set(cancelled.values_list("pk", flat=True))
        doubted = doubted_among(row.pk for row in mine if row.notification.pk in gone)
        ends: dict[tuple[DeliveryStatus, str | None], list[Row]] = {}
        for row in mine:
            if row.notification.pk not in gone:
                end: tuple[DeliveryStatus, str | None] = (DeliveryStatus.PENDING, None)
            elif row.pk in doubted:  # "cancelled" would be a claim
                end = (DeliveryStatus.IN_DOUBT, "in_doubt")
            else:
                end = (DeliveryStatus.CANCELLED, None)
            ends.setdefault(end, []).append(row)
        before = []
        after = []
        for (status, reason), group in ends.items():
            finished = None
            if status != DeliveryStatus.PENDING:
                finished = timezone.now()
            change: dict[str, Any] = {"status": status, "finished_at": finished} | (
                {"reason": reason} if reason else {}
            )
            before += [row.place() for row in group]
            after += [
                row.place()._replace(status=status.value, reason=reason or row.reason)
                for row in group
            ]
            Delivery.objects.filter(pk__among={row.pk for row in group}).update(
                attempts=F("attempts") - 1, lease_owner="", lease_until=None, **change
            )
        tallies.shift(tallies.moved(before, after))

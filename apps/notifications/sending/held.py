"""Rows that a sender holds: its lease, whether they may still go, and giving them back."""

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from apps.lib import steady_clock
from apps.lib.sql.raw import fetch
from apps.notifications.books import slices, tallies
from apps.notifications.books.transitions import doubted_among
from apps.notifications.messages.row import COLUMNS, NOTIFICATION, Row, row_of
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Shelf,
)
from apps.notifications.sending.judge import decide_rows, judge_rows


def held_by(owner: str, ids: Iterable[int]) -> set[int]:
    """Lock, until the transaction ends, the rows among `ids` that `owner` has claimed and nobody
    took over; their ids.
    """
    rows = Delivery.objects.filter(
        pk__among=set(ids), status=DeliveryStatus.QUEUED, lease_owner=owner
    )
    return set(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def held_rows(owner: str) -> list[Row]:
    """All that `owner` holds, for whoever takes over from it."""
    alone = Delivery.objects.filter(shelf=Shelf.IN_HAND, lease_owner=owner)
    ids = set(alone.values_list("pk", flat=True)) | slices.in_hand(owner)
    rows = Delivery.objects.filter(pk__among=ids, status=DeliveryStatus.QUEUED, lease_owner=owner)
    found = fetch(rows.order_by("pk").values_list(*COLUMNS))
    related = Notification.objects.select_related("notification_type")
    of = related.in_bulk({each[NOTIFICATION] for each in found})
    return [row_of(each, of[each[NOTIFICATION]]) for each in found]


def still_wanted(owner: str, rows: Sequence[Row], *, now: dt.datetime) -> list[Row]:
    """Look again at rows that wait in this process: those that may still go, with their lease
    renewed; the others are skipped or put off. They keep their places under a cap.
    """
    wanted: list[Row] = []
    groups: dict[tuple[int, str], list[Row]] = {}
    with transaction.atomic():
        held = held_by(owner, (row.pk for row in rows))
        for row in rows:
            if row.pk in held:
                key = (row.notification.notification_type_id, row.channel)
                groups.setdefault(key, []).append(row)
        for (_, channel), group in groups.items():
            # each claim has read its notification anew: the number says which one it is
            of = {row.notification.pk: row.notification for row in group}
            fresh = Notification.objects.filter(pk__in=of)
            for pk, expires_at in fresh.values_list("pk", "expires_at"):
                of[pk].expires_at = expires_at
            judged = judge_rows(of, channel, {row.pk for row in group})
            wanted += decide_rows(channel, judged, ledger=None, now=now, held=True)
        _renew(owner, {row.pk for row in wanted})
    allowed = {row.pk for row in wanted}
    return [row for row in rows if row.pk in allowed]


def _renew(owner: str, ids: set[int]) -> None:
    """Renew the leases of which half is over: each new one costs its row a write to all indexes,
    and most rows leave within a second or two.
    """
    rows = Delivery.objects.filter(pk__among=ids, lease_until__lt=Now() + slices.LEASE / 2)
    rows.update(lease_until=slices.lease_end())
    slices.renew(owner)


def stopped(notifications: Collection[int]) -> set[int]:
    """The ids of those that a person has paused or cancelled."""
    marks = ", ".join(["%s"] * len(notifications))
    asked = (
        f"SELECT id FROM {Notification._meta.db_table} "  # noqa: S608  # a name of ours and marks
        f"WHERE state <> %s AND id IN ({marks})"
    )
    with connection.cursor() as cursor:  # by hand: a sender asks ten times a second
        cursor.execute(asked, [NotificationState.SENDING.value, *notifications])
        return {pk for (pk,) in cursor.fetchall()}


def release(owner: str, rows: Iterable[Row]) -> None:
    """Give back rows that were claimed and not handed over: they wait again, uncharged, or are
    cancelled with their notification.
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
        ends: dict[tuple[DeliveryStatus, str | None, int | None], list[Row]] = {}
        for row in mine:
            if row.notification.pk not in gone:
                end: tuple[DeliveryStatus, str | None] = (DeliveryStatus.PENDING, None)
            elif row.pk in doubted:  # "cancelled" would be a claim
                end = (DeliveryStatus.IN_DOUBT, "in_doubt")
            else:
                end = (DeliveryStatus.CANCELLED, None)
            # the account that had it before, if any, and not the one that gives it back
            ends.setdefault((*end, row.account_id), []).append(row)
        before = []
        after = []
        for (status, reason, account), group in ends.items():
            change: dict[str, Any] = {"status": status, "finished_at": None, "account": account}
            if status != DeliveryStatus.PENDING:
                change["finished_at"] = steady_clock.now()
            if reason:
                change["reason"] = reason
            for row in group:
                place = row.place()
                before.append(place)
                after.append(place._replace(status=status.value, reason=reason or row.reason))
            Delivery.objects.filter(pk__among={row.pk for row in group}).update(
                attempts=F("attempts") - 1,
                lease_owner="",
                lease_until=None,
                in_slice=False,
                **change,
            )
        tallies.shift(tallies.moved(before, after))

"""What a provider reports of a message it took: that it arrived, or never will.

In any order, each counts once. Of two reports the heavier one stands: a server that has taken a
mail may still send it back, and whoever read it has it.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from apps.channels.contract import Outcome, Remedy, Result
from apps.channels.sms.answers import Report
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, tell
from apps.notifications.books import tallies
from apps.notifications.books.transitions import moved
from apps.notifications.decide import fallback
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    ProviderAccount,
)
from apps.notifications.sending import remedies

UNDELIVERED = "undelivered"  # the reason of what failed by a report
REPORTED = "reported"  # … and of what was given up or in doubt, and did arrive
_OPEN = (DeliveryStatus.PENDING, DeliveryStatus.QUEUED)
_ARRIVED = (EventKind.DELIVERED, EventKind.COMPLAINED, EventKind.UNSUBSCRIBED)
_ALL_WEIGHT = 4


class TooEarly(RuntimeError):
    """Nobody can say yet which try the report is about: the provider should come again."""


@dataclass(frozen=True, slots=True)
class Stands:
    """How a delivery stands as a report meets it. `weight`: of the report that it stands by, 0 for
    none.
    """

    status: str
    provider_id: str
    attempts: int
    weight: int = 0


def moves(told: Report, stands: Stands) -> DeliveryStatus | None:
    """The status that the report gives a delivery, None to leave it. Raises TooEarly.

    That it arrived goes before whatever else was told but a heavier report, by this provider or
    the next, and spares a try that still waits. "Failed" is about one try, so it must name the one
    we hold; and before the hand-over is booked there is no name yet.
    """
    if stands.status in (DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED, DeliveryStatus.HELD):
        return None
    if stands.weight >= told.weight:
        return None
    if told.arrived:
        return DeliveryStatus.DELIVERED
    if stands.status == DeliveryStatus.QUEUED and stands.attempts > 1:
        raise TooEarly
    if stands.status == DeliveryStatus.PENDING:
        return None
    if stands.status == DeliveryStatus.FAILED and not stands.weight:
        return None
    named = stands.provider_id and told.name
    if named and stands.provider_id.strip("<>") != told.name.strip("<>"):
        return None
    return DeliveryStatus.FAILED


def report(
    *,
    told: Report,
    account: ProviderAccount,
    now: dt.datetime,
    kind: EventKind | None = None,
) -> bool:
    """Book a report; whether it changed the delivery. One that came before, or is about no delivery
    of ours, does not. `kind`: what a person did, in place of "arrived".

    A sender that still holds the row finds at its own booking that it holds it no more.
    Raises TooEarly.
    """
    with transaction.atomic():
        row = _locked(told, account)
        if row is None:
            return False
        stands = Stands(row.status, row.provider_id, row.attempts, _weight_of(row))
        to = moves(told, stands)
        was = row.status
        if kind is None:
            kind = EventKind.UNDELIVERED
            if told.arrived:
                kind = EventKind.DELIVERED
        said = told.said
        if row.follower_id is None:  # who was erased since is not named again
            said = ""
        detail = {
            "said": said, "account": account.pk, "reason": row.reason, "weight": told.weight,
        }  # fmt: skip
        _, fresh = DeliveryEvent.objects.get_or_create(
            provider_event_id=f"{account.pk}:{told.event}"[:255],
            defaults={"delivery": row, "at": now, "kind": kind, "detail": detail},
        )
        if fresh:
            _tell_of_address(row, told, to, now=now)
        if to is None or not fresh:
            return False
        deltas = _move(row, told, to, account, now)
        if to == DeliveryStatus.DELIVERED:
            deltas.update(fallback.reached(deliveries=[row.pk], now=now))
        elif was != to:
            fallback.advance(deliveries=[row.pk], now=now)
            data = {"channel": row.channel, "reason": UNDELIVERED, "said": said}
            tell(Kind.DELIVERY_FAILED, by=SYSTEM, now=now, about=row, data=data)
        tallies.shift(deltas)
    if was in _OPEN:
        tallies.finish_if_done(row.notification_id, now=now)
    return True


def _weight_of(row: Delivery) -> int:
    """The weight of the report by which the delivery stands as it does, 0 where it is none."""
    if row.status == DeliveryStatus.DELIVERED:
        kinds: tuple[EventKind, ...] = _ARRIVED
    elif row.status == DeliveryStatus.FAILED and row.reason == UNDELIVERED:
        kinds = (EventKind.UNDELIVERED,)
    else:
        return 0
    events = DeliveryEvent.objects.filter(delivery=row.pk, kind__in=kinds)
    usual = 1
    if row.status == DeliveryStatus.DELIVERED:
        usual = _ALL_WEIGHT
    weights = [int(each.get("weight", usual)) for each in events.values_list("detail", flat=True)]
    return max(weights, default=usual)


def _tell_of_address(
    row: Delivery, told: Report, to: DeliveryStatus | None, *, now: dt.datetime
) -> None:
    """Tell the address what the report says of it, the same in any order of reports.

    That an address does not exist is a network's guess: it counts where the message failed by it,
    and no longer than until that message arrives. That somebody stopped messages there is that
    person's word: it counts whatever became of the message.
    """
    if row.address is None:
        return
    channel = row.channel
    address = row.address.value
    if told.arrived:
        failures = DeliveryEvent.objects.filter(delivery=row.pk, kind=EventKind.UNDELIVERED)
        for said_at, detail in failures.values_list("at", "detail"):
            if detail.get("weight", 1) > told.weight:
                continue
            remedies.refute(channel=channel, address=address, said_at=said_at, now=now)
    elif to == DeliveryStatus.FAILED or told.remedy is Remedy.STOPPED:
        refusal = Outcome(Result.PERMANENT_RECIPIENT, told.said, remedy=told.remedy)
        remedies.apply([(channel, address, refusal)], now=now, of=row.pk)


def _locked(told: Report, account: ProviderAccount) -> Delivery | None:
    """Lock the delivery, with all that its end may call or call off: two reports about one chain
    would else each hold what the other one wants.
    """
    mine = Delivery.objects.filter(uid=told.delivery, channel=account.channel)
    known = mine.select_related("notification").first()
    if known is None:
        return None
    rows = Delivery.objects.filter(pk=known.pk)
    if known.notification.fallback and known.follower_id:
        rows = Delivery.objects.filter(
            notification=known.notification_id, follower=known.follower_id
        )
    list(rows.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    return Delivery.objects.select_related("follower", "address").filter(pk=known.pk).first()


def _move(
    row: Delivery, told: Report, to: DeliveryStatus, account: ProviderAccount, now: dt.datetime
) -> Any:
    """Set the row as the report has it; what that does to the tallies."""
    changes: dict[str, Any] = {"finished_at": now, "lease_owner": "", "lease_until": None}
    if row.status != DeliveryStatus.SENT and told.name:
        changes |= {"provider_id": told.name, "account": account}
    if to == DeliveryStatus.FAILED:
        changes |= {"reason": UNDELIVERED, "error": told.said}
    else:
        changes |= {"error": "", "reason": _allowed(row)}
    _, deltas = moved(Delivery.objects.filter(pk=row.pk), to, **changes)
    return deltas


def _allowed(row: Delivery) -> str:
    """Why the message was sent: of one that had failed by a report, the reason it had before."""
    if row.status not in (DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT):
        return row.reason
    if row.reason == UNDELIVERED:
        failures = DeliveryEvent.objects.filter(delivery=row.pk, kind=EventKind.UNDELIVERED)
        for detail in failures.order_by("pk").values_list("detail", flat=True):
            if (before := str(detail["reason"])) != UNDELIVERED:
                return before
    return REPORTED

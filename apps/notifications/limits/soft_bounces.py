"""Mails that come back for reasons that may pass: how many stop an address.

Nothing is counted apart: the deliveries of an address say what became of each mail.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext

from apps.channels.blame import Whose
from apps.channels.returned.verdict import verdict
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import suppression
from apps.followers.models import Address, Channel, ConsentRecord, SuppressionReason
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import Refused
from apps.notifications.models import BounceRule, Delivery, DeliveryStatus

# a mail that a server took, and that has not come back since, has arrived: servers try for five
# days (RFC 5321 4.5.4.1; Postfix's maximal_queue_lifetime) and then send it back
QUIET = dt.timedelta(days=6)
MOST_LOOKED_AT = 200  # of an address's mails, the latest
MOST_DAYS = 365
_FAILED = ("undelivered", "refused_recipient", "gave_up")


class BadBounceRule(Refused):
    """A rule that nothing could meet; `field` is the one to change."""


@dataclass(frozen=True, slots=True)
class BounceRuleValues:
    """The rule: `bounces` mails that came back, on `days` days of UTC at least, within
    `within_days` days and with no mail that arrived between them.
    """

    enabled: bool = True
    bounces: int = 5
    days: int = 3
    within_days: int = 30


class Past(NamedTuple):
    """What became of one mail, and when."""

    at: dt.datetime
    came_back: bool


def counted(past: Iterable[Past], values: BounceRuleValues, *, now: dt.datetime) -> int:
    """How many bounces stop the address by the rule; 0 where they don't yet.

    They are forgotten after a time, and by a mail that arrived.
    """
    oldest = now - dt.timedelta(days=values.within_days)
    found = []
    for each in sorted(past, reverse=True):
        if not each.came_back or each.at <= oldest:
            break
        found.append(each.at)
    days = {at.astimezone(dt.UTC).date() for at in found}
    if values.enabled and len(found) >= values.bounces and len(days) >= values.days:
        return len(found)
    return 0


def rule() -> BounceRuleValues:
    """The rule that holds now."""
    row = BounceRule.objects.first()
    if row is None:
        return BounceRuleValues()
    return BounceRuleValues(row.enabled, row.bounces, row.days, row.within_days)


def change_rule(*, values: BounceRuleValues, by: Actor, now: dt.datetime) -> BounceRuleValues:
    """Put the rule in the place of the one that held. Raises BadBounceRule."""
    if values.bounces < 2:
        raise BadBounceRule(gettext("One bounce says nothing. Write 2 or more."), field="bounces")
    if not 1 <= values.within_days <= MOST_DAYS:
        said = gettext("Write from 1 to {most} days.").format(most=MOST_DAYS)
        raise BadBounceRule(said, field="within_days")
    if not 1 <= values.days <= min(values.within_days, values.bounces):
        said = gettext("So many bounces can't come on so many days. Write fewer days.")
        raise BadBounceRule(said, field="days")
    with transaction.atomic():
        before = rule()
        fields = {
            "enabled": values.enabled,
            "bounces": values.bounces,
            "days": values.days,
            "within_days": values.within_days,
        }
        row, _ = BounceRule.objects.update_or_create(only=True, defaults=fields)
        changes = {
            name: [getattr(before, name), value]
            for name, value in fields.items()
            if getattr(before, name) != value
        }
        if changes:
            tell(Kind.BOUNCE_RULE_CHANGED, by=by, now=now, about=row, data=changes)
    return values


def count(*, address: str, said: str, now: dt.datetime, of: int | None = None) -> None:
    """Note that a mail came back now, for what `said` tells; enough of them stop the address.
    `of`: the delivery that is still booked as taken.

    In the transaction that books it. What was said of us, our server or the mail, does not count:
    a block list is no fault of who reads.
    """
    if not tells_of_mailbox(said):
        return
    values = rule()
    if not values.enabled:
        return
    try:
        key = normalise(Channel.EMAIL, address)[1]
    except BadAddress:
        return
    row = Address.objects.filter(channel=Channel.EMAIL, key=key).first()
    if row is None:
        return
    past = [Past(now, came_back=True), *_past(row, values, now, of)]
    if counted(past, values, now=now):
        past = [each for each in past if each.at > _released_at(row)]
    times = counted(past, values, now=now)
    if not times:
        return
    suppression.suppress(
        channel=Channel.EMAIL,
        value=row.value,
        reason=SuppressionReason.SOFT_BOUNCE,
        note=f"{times} mails came back. {said}",
        by=SYSTEM,
        now=now,
    )


def tells_of_mailbox(said: str) -> bool:
    """Whether the words are about the address itself."""
    return bool(said) and verdict(said).whose is Whose.RECIPIENT


def _released_at(address: Address) -> dt.datetime:
    """When somebody took the address off the list last: what came back before counts no more."""
    acts = ConsentRecord.objects.filter(follower=address.follower_id, act="address_released")
    for scope, at in acts.order_by("-at").values_list("scope", "at"):
        if scope.get("address") == address.key:
            return at
    return dt.datetime.min.replace(tzinfo=dt.UTC)


def _past(
    address: Address, values: BounceRuleValues, now: dt.datetime, of: int | None
) -> list[Past]:
    """What became of the mails to an address before, as far as it is known; without that of now."""
    since = now - dt.timedelta(days=values.within_days)
    # by the index of an address's deliveries
    mails = Delivery.objects.filter(
        address=address, channel=Channel.EMAIL, finished_at__gt=since, finished_at__lt=now
    )
    if of is not None:
        mails = mails.exclude(pk=of)
    columns = ("status", "reason", "error", "finished_at", "opened_at")
    latest = mails.order_by("-finished_at").values_list(*columns)[:MOST_LOOKED_AT]
    found = []
    for status, reason, error, at, opened in latest:
        taken = status == DeliveryStatus.SENT and at < now - QUIET
        if taken or opened or status == DeliveryStatus.DELIVERED:
            found.append(Past(at, came_back=False))
        elif status == DeliveryStatus.FAILED and reason in _FAILED and tells_of_mailbox(error):
            found.append(Past(at, came_back=True))
    return found

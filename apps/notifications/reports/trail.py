"""The way of one delivery, from its planning to where it stands: steps as values, and each in
words.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy, pgettext_lazy

from apps.lib.written import written
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    ProviderAccount,
)
from apps.notifications.models.sentences import in_words
from apps.notifications.reports.balance import explain

# The first step's kinds; then come those of DeliveryEvent, and at last the delivery's status.
ALLOWED = "allowed"
DECIDED_AGAINST = "decided_against"

_STANDS: dict[str, Promise] = {
    DeliveryStatus.PENDING: pgettext_lazy("delivery", "Due"),
    DeliveryStatus.HELD: gettext_lazy("Goes out with others"),
    DeliveryStatus.QUEUED: gettext_lazy("Being sent now"),
    DeliveryStatus.SENT: gettext_lazy("Sent"),
    DeliveryStatus.DELIVERED: gettext_lazy("Delivered"),
    DeliveryStatus.CANCELLED: gettext_lazy("Cancelled"),
    DeliveryStatus.SKIPPED: gettext_lazy("Not sent"),
    DeliveryStatus.FAILED: gettext_lazy("Failed for good"),
    DeliveryStatus.IN_DOUBT: gettext_lazy("Held for a person"),
}
_STANDS_BECAUSE: dict[str, Promise] = {
    DeliveryStatus.PENDING: gettext_lazy("It leaves as soon as its turn comes."),
    DeliveryStatus.HELD: gettext_lazy("Unless it is alone then."),
    DeliveryStatus.CANCELLED: gettext_lazy("The notification was cancelled before its turn."),
    DeliveryStatus.IN_DOUBT: gettext_lazy("A person decides what happens."),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One point on a delivery's way.

    `kind`: ALLOWED or DECIDED_AGAINST, an event's kind, or the delivery's status if `is_last`.
    `at`: None while it is being sent. `account`: an account's name. `said`: by the provider or
    the sender. `by`: the person. `until`: when it is asked again. `digest`: the public id of the
    delivery that carries it.
    """

    kind: str
    at: dt.datetime | None
    is_last: bool = False
    reason: str = ""
    attempt: int = 0
    account: str = ""
    said: str = ""
    by: str = ""
    until: dt.datetime | None = None
    provider_id: str = ""
    digest: str = ""

    @property
    def title(self) -> str:
        """What happened, in a few words."""
        if self.is_last:
            return str(_STANDS[self.kind])
        if self.kind in (ALLOWED, DECIDED_AGAINST):
            return gettext("Planned")
        return str(EventKind(self.kind).label)

    @property
    def text(self) -> str:
        """The details in sentences; empty where the title says all. Times are local ones."""
        if self.is_last:
            return _where_it_stands(self)
        if self.kind == DECIDED_AGAINST:
            return gettext("Decided against: {why}.").format(why=explain(self.reason))
        if self.kind == ALLOWED:
            if self.reason:
                return gettext("Allowed: {why}.").format(why=explain(self.reason))
            return gettext("Allowed to go.")
        return _what_happened(self)


def trail_of(
    delivery: Delivery, events: Iterable[DeliveryEvent], accounts: dict[int, str]
) -> list[Step]:
    """The delivery's whole way, oldest step first.

    `events`: the delivery's own. `accounts`: names by primary key, as `account_names` finds them.
    """
    steps = [_decision(delivery)]
    steps += [_of_event(event, accounts) for event in events]
    steps.append(_standing(delivery, accounts))
    return steps


def account_names(delivery: Delivery, events: Iterable[DeliveryEvent]) -> dict[int, str]:
    """Names, by primary key, of the accounts that the delivery and its events tell of."""
    told = {event.detail.get("account") for event in events}
    wanted = {delivery.account_id, *told} - {None}
    return dict(ProviderAccount.objects.filter(pk__in=wanted).values_list("pk", "name"))


def _decision(delivery: Delivery) -> Step:
    """Whether it was allowed, and why; an outcome that replaced the reason leaves only the fact."""
    planned = delivery.created_at
    if delivery.status == DeliveryStatus.SKIPPED:
        return Step(DECIDED_AGAINST, planned, reason=delivery.reason)
    if delivery.status in (DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT):
        return Step(ALLOWED, planned)
    if delivery.reason == "retried":
        return Step(ALLOWED, planned)
    return Step(ALLOWED, planned, reason=delivery.reason)


def _of_event(event: DeliveryEvent, accounts: dict[int, str]) -> Step:
    detail = event.detail
    until = None
    if "until" in detail:
        until = dt.datetime.fromisoformat(detail["until"])
    return Step(
        event.kind,
        event.at,
        reason=str(detail.get("reason", "")),
        attempt=detail.get("attempt") or 0,
        account=accounts.get(detail.get("account"), ""),
        said=str(detail.get("said", "")),
        by=str(detail.get("by", "")),
        until=until,
        digest=str(detail.get("digest", "")),
    )


def _standing(delivery: Delivery, accounts: dict[int, str]) -> Step:
    """The last step: how the delivery stands now."""
    at: dt.datetime | None
    match delivery.status:
        case DeliveryStatus.PENDING | DeliveryStatus.HELD:
            at = delivery.due_at
        case DeliveryStatus.QUEUED:
            at = None
        case _:
            at = delivery.finished_at
    account = ""
    if delivery.account_id:
        account = accounts.get(delivery.account_id, "")
    return Step(
        delivery.status,
        at,
        is_last=True,
        reason=delivery.reason,
        attempt=delivery.attempts,
        account=account,
        provider_id=delivery.provider_id,
    )


def _what_happened(step: Step) -> str:
    text = in_words(step.said)
    if not text and step.by:
        text = gettext("By {name}.").format(name=step.by)
    if not text and step.until:
        until = written(timezone.localtime(step.until), "d MMM y, HH:mm")
        text = gettext("Until {moment}: {why}.").format(moment=until, why=explain(step.reason))
    if step.attempt:
        return f"{_attempt(step)} {text}"
    return text


def _where_it_stands(step: Step) -> str:
    match step.kind:
        case DeliveryStatus.SENT | DeliveryStatus.DELIVERED:
            sentences = []
            if step.attempt:
                sentences.append(_handed_over(step))
            if step.provider_id:
                said = gettext("The provider calls it {name}.")
                sentences.append(said.format(name=step.provider_id))
            return " ".join(sentences)
        case DeliveryStatus.SKIPPED | DeliveryStatus.FAILED:
            return explain(step.reason)
    return str(_STANDS_BECAUSE.get(step.kind, ""))


def _attempt(step: Step) -> str:
    said = gettext("Attempt {number}.")
    if step.account:
        said = gettext("Attempt {number} through {account}.")
    return said.format(number=step.attempt, account=step.account)


def _handed_over(step: Step) -> str:
    said = gettext("Handed over at attempt {number}.")
    if step.account:
        said = gettext("Handed over through {account} at attempt {number}.")
    return said.format(number=step.attempt, account=step.account)

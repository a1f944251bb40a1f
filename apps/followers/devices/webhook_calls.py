"""Remember how a webhook's calls went, and end them after days of failures, until somebody
switches the webhook on.

Standard Webhooks (https://github.com/standard-webhooks/standard-webhooks): an endpoint that fails
for days is disabled, one that answers 410 at once, and its owner is told. A row that somebody else
has locked is passed over: nobody waits here in a ring, and the next answer is heard.
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet, TextChoices
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.consent import tombstones
from apps.followers.devices.push_devices import key_of
from apps.followers.models import Address, AddressState, Channel, Follower, OffReason, Webhook
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell

# The first failure is so long ago, and calls failed on so many different days: one message that
# fails today, and one that did a week ago, say little.
FAILING = dt.timedelta(days=5)
FAILED_DAYS = 5
TOLD_EVERY = dt.timedelta(minutes=1)  # that all is well: else a row for each flush
# the fields of one about which nothing is known
UNTRIED = {
    "succeeded_at": None,
    "answer": "",
    "answered_at": None,
    "failing_since": None,
    "failed_on": None,
    "failed_days": 0,
    "off_at": None,
    "off_reason": "",
}


class WebhookState(TextChoices):
    """How a webhook stands, in one word."""

    GOOD = "good", pgettext_lazy("webhook", "Works")
    FAILING = "failing", pgettext_lazy("webhook", "Failing")  # since its last success
    OFF = "off", pgettext_lazy("webhook", "Switched off")
    UNTRIED = "untried", _("Not called yet")


_STANDS = {
    WebhookState.GOOD: Q(off_at=None, failing_since=None, succeeded_at__isnull=False),
    WebhookState.FAILING: Q(off_at=None, failing_since__isnull=False),
    WebhookState.OFF: Q(off_at__isnull=False),
    WebhookState.UNTRIED: Q(off_at=None, failing_since=None, succeeded_at=None),
}


def listed(standing: str = "") -> QuerySet[Webhook]:
    """List the webhooks that stand so, or all; each with its address and follower."""
    rows = Webhook.objects.select_related("address__follower")
    if standing:
        return rows.filter(_STANDS[WebhookState(standing)])
    return rows


def stopped_since(since: dt.datetime) -> int:
    """Count the webhooks that were switched off since, and not by hand."""
    return Webhook.objects.filter(off_at__gte=since).exclude(off_reason=OffReason.PERSON).count()


def standing_of(row: Webhook) -> WebhookState:
    if row.off_at:
        return WebhookState.OFF
    if row.failing_since:
        return WebhookState.FAILING
    if row.succeeded_at:
        return WebhookState.GOOD
    return WebhookState.UNTRIED


class CallResult(NamedTuple):
    """What became of one call.

    `gone`: the receiver said 410. `said`: its words, or why there are none.
    """

    url: str
    good: bool
    gone: bool
    said: str


def reason_to_stop(row: Webhook, *, gone: bool, now: dt.datetime) -> OffReason | None:
    """Say why there should be no more calls after one that failed; None = go on."""
    if gone:
        return OffReason.GONE
    lasting = row.failing_since is not None and now - row.failing_since >= FAILING
    if lasting and row.failed_days >= FAILED_DAYS:
        return OffReason.FAILING
    return None


def heard(answers: Sequence[CallResult], *, now: dt.datetime) -> None:
    """Remember what the receivers answered, in this order.

    In the transaction that books the answers.
    """
    told: dict[str, list[CallResult]] = {}
    for answer in answers:
        told.setdefault(key_of(answer.url), []).append(answer)
    calm = Q(failing_since=None, succeeded_at__gt=now - TOLD_EVERY)
    failed = []
    for key, each in told.items():
        if not all(answer.good for answer in each):
            failed.append(key)
    rows = Webhook.objects.filter(
        Q(address__key__in=failed) | ~calm,
        address__channel=Channel.WEBHOOK,
        address__key__in=told,
    ).select_related("address__follower")
    # SQLite has one writer at a time anyway
    skip = connection.features.has_select_for_update_skip_locked
    for row in rows.select_for_update(skip_locked=skip, of=("self",)):
        for answer in told[row.address.key]:
            _hear(row, answer, now)
        row.save()


def _hear(row: Webhook, answer: CallResult, now: dt.datetime) -> None:
    row.answer = answer.said[:300]
    row.answered_at = now
    if answer.good:
        row.succeeded_at = now
        row.failing_since = None
        row.failed_on = None
        row.failed_days = 0
        return
    row.failing_since = row.failing_since or now
    if row.failed_on != now.date():
        row.failed_on = now.date()
        row.failed_days = row.failed_days + 1
    if row.off_at is None and (why := reason_to_stop(row, gone=answer.gone, now=now)):
        _stop(row, why, by=SYSTEM, now=now)


def switch_off(*, webhook: Address, by: Actor, now: dt.datetime) -> bool:
    """Switch a webhook off by hand: messages for it are skipped from now on, waiting ones too.

    False where it was off.
    """
    with transaction.atomic():
        row = _locked(webhook)
        if row is None or row.off_at:
            return False
        _stop(row, OffReason.PERSON, by=by, now=now)
        row.save()
    return True


def switch_on(*, webhook: Address, by: Actor, now: dt.datetime) -> bool:
    """Call it again; what failed before does not count any more. False where it was on.

    Raises Erased.
    """
    with transaction.atomic():
        people = Follower.objects.select_for_update(no_key=True)
        follower = people.filter(pk=webhook.follower_id).first()
        row = _locked(webhook)
        if follower is None or row is None or not row.off_at:
            return False
        tombstones.refuse_leaving(follower)
        row.off_at = None
        row.off_reason = ""
        row.failing_since = None
        row.failed_on = None
        row.failed_days = 0
        row.save()
        Address.objects.filter(pk=row.pk).update(state=AddressState.ACTIVE)
        data = {"url": row.address.value}
        tell(Kind.WEBHOOK_SWITCHED_ON, by=by, now=now, about=row.address.follower, data=data)
    return True


def _locked(webhook: Address) -> Webhook | None:
    rows = Webhook.objects.select_for_update(of=("self",)).select_related("address__follower")
    return rows.filter(pk=webhook.pk).first()


def _stop(row: Webhook, why: OffReason, *, by: Actor, now: dt.datetime) -> None:
    row.off_at = now
    row.off_reason = why
    Address.objects.filter(pk=row.pk).update(state=AddressState.OFF)
    with translation.override("en"):  # facts are kept in one language
        reason = str(why.label)
    data = {"url": row.address.value, "why": reason, "said": row.answer}
    if row.failing_since:
        data["failing_since"] = row.failing_since.isoformat(timespec="seconds")
    tell(Kind.WEBHOOK_SWITCHED_OFF, by=by, now=now, about=row.address.follower, data=data)

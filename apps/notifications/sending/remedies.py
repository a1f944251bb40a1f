"""What a refusal of the recipient does to the address,
in the transaction that books the refusal.
"""

import datetime as dt
from collections.abc import Iterable
from contextlib import suppress

from apps.channels.contract import Outcome, Remedy, Result
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import suppression
from apps.followers.devices import push_devices
from apps.followers.devices.webhook_calls import CallResult, heard
from apps.followers.models import (
    GUESSED,
    Channel,
    Suppression,
    SuppressionReason,
    channel_of_address,
)
from apps.lib.actor import SYSTEM
from apps.notifications.limits import soft_bounces

_REASONS = {Remedy.BOUNCED: SuppressionReason.HARD_BOUNCE, Remedy.STOPPED: SuppressionReason.STOP}


def apply(
    refusals: Iterable[tuple[str, str, Outcome]], *, now: dt.datetime, of: int | None = None
) -> None:
    """Act on refusals, (channel, address, outcome) each, where the provider said that they are
    about the recipient. `of`: the delivery of a single one that is still booked as taken.

    In the order of the addresses: two senders that meet the same dead ones would else wait for each
    other in a ring.
    """
    for channel, address, outcome in sorted(refusals, key=lambda each: each[:2]):
        if outcome.result is not Result.PERMANENT_RECIPIENT or not address:
            continue
        if channel == Channel.WEBHOOK:
            continue  # what its answers say, good ones too, is heard in `answered`
        if outcome.remedy is Remedy.GONE:
            push_devices.gone(channel=channel, value=address, since=outcome.gone_since, now=now)
        elif reason := _REASONS.get(outcome.remedy):
            try:
                suppression.suppress(
                    channel=channel_of_address(channel),
                    value=address,
                    reason=reason,
                    note=outcome.detail,
                    by=SYSTEM,
                    now=now,
                )
            except BadAddress:
                # no rule of ours would let the address in now; then nothing goes there either
                continue
        elif channel == Channel.EMAIL:
            soft_bounces.count(address=address, said=outcome.detail, now=now, of=of)


def refute(*, channel: str, address: str, said_at: dt.datetime, now: dt.datetime) -> None:
    """Take an address off the list: a message arrived of which a report had said at `said_at` that
    its address does not exist.

    Only what that report put there goes, which has its very moment. What other messages met stays,
    and so does a STOP: it is somebody's word, and no network's arrival takes that back.
    """
    place = channel_of_address(channel)
    rows = Suppression.objects.filter(channel=place, reason__in=GUESSED, created_at=said_at)
    with suppress(BadAddress):  # then it was never put there
        if entry := rows.filter(key=normalise(place, address)[1]).first():
            suppression.release(
                suppression=entry, note="The message did arrive.", by=SYSTEM, now=now
            )


def answered(calls: Iterable[tuple[str, str, Outcome]], *, now: dt.datetime) -> None:
    """Remember what webhooks answered. `calls`: (channel, address, outcome) of all that was handed
    over.
    """
    answers = []
    for channel, address, outcome in calls:
        if channel != Channel.WEBHOOK:
            continue
        if (good := outcome.result is Result.ACCEPTED) or outcome.remedy is not Remedy.NONE:
            answers.append(CallResult(address, good, outcome.remedy is Remedy.GONE, outcome.detail))
    if answers:
        heard(answers, now=now)

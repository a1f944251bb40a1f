"""What would happen to a message for a follower at some moment: the sender's own questions are
asked, and nothing is stored.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, gettext_lazy

from apps.channels.sms.segments import Segments, segments
from apps.content.drafts import published_version
from apps.content.problems import RenderError
from apps.followers.consent.verdict_sql import ALLOWING, with_verdict
from apps.followers.models import Channel, Follower, NotificationType
from apps.notifications.accounts import routing
from apps.notifications.decide import caps, gather
from apps.notifications.decide.decision import Act, ChainState, Decision
from apps.notifications.decide.fallback import chain_of
from apps.notifications.messages.person import person_of
from apps.notifications.models import Notification, ProviderAccount, TypeTemplate
from apps.notifications.notify import lane_of
from apps.notifications.preview import Sample, preview
from apps.notifications.reports.balance import explain

SAYINGS = {
    Act.SEND: gettext_lazy("It goes"),
    Act.SKIP: gettext_lazy("It does not go"),
    Act.WAIT: gettext_lazy("It waits"),
    Act.HOLD: gettext_lazy("It waits for a digest"),
}
_BEST = {reason: place for place, reason in enumerate(ALLOWING)}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What would happen to the message.

    `planned_at`: when it leaves, as far as can be known now; None when it doesn't. `account`: the
    way it would take then; None when none is open, or nothing leaves. `segments`: what the type's
    own template costs as a text message.
    """

    decision: Decision
    explanation: str
    planned_at: dt.datetime | None
    account: ProviderAccount | None
    segments: Segments | None


def forecast(
    *,
    follower: Follower,
    notification_type: NotificationType,
    channel: str,
    at: dt.datetime,
    data: Mapping[str, Any] | None = None,
    throttle_key: str = "",
    expires_at: dt.datetime | None = None,
) -> Forecast:
    """A message that is first due `at`, by what is known now. Of several devices the best one's."""
    kind = notification_type
    if expires_at is None and kind.lifetime:
        expires_at = at + dt.timedelta(seconds=kind.lifetime)
    notification = Notification(
        notification_type=kind,
        send_at=at,
        expires_at=expires_at,
        throttle_key=throttle_key,
        fallback=chain_of(kind.fallback, kind.channels),
        fallback_after=kind.fallback_after,
    )
    person = person_of(follower)
    verdict, via = _verdict(follower, kind, channel)
    ledger = caps.open_ledger(
        notification, channel, [person], caps=caps.enabled(), now=at, lock=False
    )
    [decision] = gather.decisions(
        notification,
        channel,
        [gather.Asked(person, verdict)],
        habits=gather.habits_of_all({person.pk: person}),
        ledger=ledger,
        now=at,
        chain=_chain(follower, notification, channel),
    )
    planned_at = decision.at
    if decision.act is Act.SEND:
        planned_at = at
    lane = lane_of(kind)
    account = None
    if planned_at:
        account = routing.account_for(channel, now=planned_at, lane=lane.value, via=via)
    explanation = f"{SAYINGS[decision.act]}: {explain(decision.reason)}."
    if planned_at and account is None:
        nobody = gettext("No account of the channel could take it then.")
        explanation = f"{explanation} {nobody}"
    costs = None
    if channel == Channel.SMS:
        costs = _segments(follower, kind, data)
    return Forecast(decision, explanation, planned_at, account, costs)


def _verdict(follower: Follower, kind: NotificationType, channel: str) -> tuple[str, str]:
    """The Reason, and the service that knows the address."""
    rows = with_verdict(Follower.objects.filter(pk=follower.pk).order_by(), kind, channel)
    found = rows.values_list("verdict", "primary_address__via")
    verdict, via = min(found, key=lambda row: _BEST.get(row[0], len(_BEST)))
    return verdict, via or ""


def _chain(
    follower: Follower, notification: Notification, channel: str
) -> dict[int, tuple[ChainState, dt.datetime]]:
    """How the chain stands when the rows are born: the channels before this one that may be used
    get their time first.
    """
    chain = notification.fallback
    if channel not in chain[1:]:
        return {}
    before = chain[: chain.index(channel)]
    hopeful = 0
    for each in before:
        verdict, _ = _verdict(follower, notification.notification_type, each)
        if verdict in _BEST:
            hopeful += 1
    standing = ChainState.NONE
    if hopeful:
        standing = ChainState.TRYING
    turn = notification.send_at + dt.timedelta(seconds=hopeful * notification.fallback_after)
    return {follower.pk: (standing, turn)}


def _segments(
    follower: Follower, kind: NotificationType, data: Mapping[str, Any] | None
) -> Segments | None:
    own = TypeTemplate.objects.filter(notification_type=kind).select_related("template").first()
    version = None
    if own:
        version = published_version(own.template)
    if version is None:
        return None
    sample = Sample(version=version, notification_type=kind, follower=follower, data=data)
    try:
        rendered = preview(sample, channel=Channel.SMS)
    except RenderError:
        return None
    body = rendered.parts.get("body", "")
    if body:
        return segments(body)
    return None

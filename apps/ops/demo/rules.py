"""The demo world's rules: when some people want to be written to, how much is too much,
and what goes out by itself.
"""

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from apps.campaigns.events.rules import RuleValues, create_rule
from apps.campaigns.events.store import NewEvent, record
from apps.campaigns.models import Segment, ZoneMode
from apps.campaigns.recurring.edit import RecurringValues, create_recurring
from apps.content.models import Template
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import WEEKDAYS, Wishes, set_rhythm
from apps.followers.models import Channel, DigestCadence, Follower, NotificationType
from apps.lib.actor import Actor, ActorKind
from apps.notifications.decide.cap_rules import CapValues, create_cap
from apps.notifications.models import CapOutcome

NIGHT = {day: ["22:00", "07:00"] for day in WEEKDAYS}
WISHES: tuple[Wishes, ...] = (
    Wishes(quiet=NIGHT),
    Wishes(cadence=DigestCadence.DAILY, digest_at="08:30"),
    Wishes(
        quiet=NIGHT | {"5": ["21:00", "10:00"], "6": ["21:00", "09:00"]},
        cadence=DigestCadence.DAILY,
    ),
    Wishes(cadence=DigestCadence.WEEKLY, digest_weekday=4, digest_at="17:00"),
    Wishes(quiet={"5": ["00:00", "12:00"], "6": ["00:00", "12:00"]}),
    Wishes(cadence=DigestCadence.HOURLY),
)


def let_some_choose_hours(followers: Sequence[Follower], *, now: dt.datetime) -> None:
    """Every wish twice, and one who is on holiday."""
    for number, follower in enumerate(followers[3::9][: 2 * len(WISHES)]):
        _say(follower, WISHES[number % len(WISHES)], now=now - dt.timedelta(days=number))
    _say(followers[1], Wishes(paused_until=now + dt.timedelta(days=6)), now=now)


def _say(follower: Follower, wishes: Wishes, *, now: dt.datetime) -> None:
    by = Actor(ActorKind.FOLLOWER, str(follower.uid), follower.name)
    set_rhythm(
        follower=follower,
        values=wishes,
        proof=Proof(source="preference_center", by=by, now=now),
    )


def make_rules(segments: dict[str, Segment], *, by: Actor, now: dt.datetime) -> None:
    create_cap(
        values=CapValues(
            name="Three commercial emails a week",
            channels=[Channel.EMAIL],
            limit=3,
            days=7,
            outcome=CapOutcome.DEFER,
        ),
        by=by,
        now=now,
    )
    create_rule(
        values=RuleValues(
            name="Confirm a paid order",
            event="order.paid",
            notification_type=NotificationType.objects.get(key="transactional"),
            mapping={
                "order_number": "data.number",
                "items": "data.items",
                "total": "data.total",
                "currency": "data.currency",
                "action_url": "data.url",
            },
        ),
        by=by,
        now=now,
    )
    create_rule(
        values=RuleValues(
            name="The card runs out soon",
            event="card.expiring",
            conditions={"all": [{"field": "data.days_left", "op": "less", "value": 15}]},
            notification_type=NotificationType.objects.get(key="alert"),
            template=Template.objects.get(key="action_required"),
            mapping={"task": "data.task", "due_date": "data.expires_on", "action_url": "data.url"},
        ),
        by=by,
        now=now,
    )
    create_recurring(
        values=RecurringValues(
            name="Finish your profile",
            notification_type=NotificationType.objects.get(key="reminder"),
            audience={"segments": [str(segments["New in the last 30 days"].uid)]},
            cadence={"kind": "weekly", "weekdays": ["monday"], "times": ["09:00"]},
            data={"percent": 60, "missing": ["Time zone"], "action_url": f"{settings.SITE_URL}/"},
            zone_mode=ZoneMode.FOLLOWER,
        ),
        by=by,
        now=now,
    )


def let_things_happen(followers: Sequence[Follower], *, now: dt.datetime) -> None:
    """Workers make messages of them, as of any event; one is about nothing that anybody is told."""
    url = f"{settings.SITE_URL}/"
    orders = [
        ("A-10472", "Team plan, one month", 49.0),
        ("A-10473", "Two more seats", 18.5),
        ("A-10474", "Books", 31.2),
    ]
    events = [
        NewEvent(
            "order.paid",
            follower=follower,
            data={
                "number": number,
                "items": [{"name": item, "quantity": 1, "price": total}],
                "total": total,
                "currency": "EUR",
                "url": url,
            },
            occurred_at=now - dt.timedelta(minutes=7 * place),
            dedup_key=number,
        )
        for place, (follower, (number, item, total)) in enumerate(
            zip(followers[5::40], orders, strict=False)
        )
    ]
    for follower, days in zip(followers[9::40], (10, 45), strict=False):
        data = {
            "task": "Renew your card",
            "days_left": days,
            "expires_on": (now + dt.timedelta(days=days)).date().isoformat(),
            "url": url,
        }
        events.append(NewEvent("card.expiring", follower=follower, data=data, occurred_at=now))
    record(events=events, now=now)

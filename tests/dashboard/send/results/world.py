"""A world in which everything has happened to somebody, made up by chance."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass

from apps.campaigns.models import Campaign, Run
from apps.followers.models import Follower
from apps.notifications.books import tallies
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, DeliveryEvent, Notification, NotificationState
from tests.campaigns.drafts import make_campaign
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, tell

AT = dt.datetime(2026, 5, 4, 12, 0, 30, tzinfo=dt.UTC)
BODY = (
    '<p><a href="https://example.com/a">A</a> <a href="https://example.com/b?c=1&amp;d=2">B</a> '
    '<a href="https://example.com/c">C</a></p>'
)
DOMAINS = ("example.com", "mail.example", "пример.рф", "example.org")
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0",
    "curl/8.5.0",
)
STANDS = (
    ("sent", ""),
    ("sent", ""),
    ("delivered", "reported"),
    ("failed", "refused_recipient"),
    ("failed", "undelivered"),
    ("failed", "gave_up"),
    ("skipped", "unsubscribed"),
    ("pending", ""),
    ("in_doubt", "in_doubt"),
)


@dataclass(frozen=True)
class World:
    notifications: Sequence[Notification]
    campaigns: Sequence[Campaign]


def make_people(count: int, chance: random.Random) -> list[Follower]:
    return [
        make_follower(
            email=f"p{number}@{chance.choice(DOMAINS)}",
            name=f"Person {number}",
            language=chance.choice(["en", "ru", "pt-BR"]),
        )
        for number in range(count)
    ]


def make_world(seed: int, *, people: int = 24) -> World:
    """Two campaigns and a call, each sent to the same people; what came of it is by chance."""
    chance = random.Random(seed)
    version = make_version(body=BODY)
    everybody = make_people(people, chance)
    news = make_type("news")
    notifications = []
    campaigns = []
    for name in ("First", "Second", ""):
        sent = tell(
            news, everybody, version=version, tracking=True, channels=["email", "in_app"], now=AT
        )
        notifications.append(sent)
        if name:
            campaign = make_campaign(name, notification_type=news)
            Run.objects.create(campaign=campaign, notification=sent, started_at=AT)
            Campaign.objects.filter(pk=campaign.pk).update(state="sent")
            campaigns.append(campaign)
        happen(sent, chance)
    Follower.objects.filter(pk=everybody[0].pk).delete()  # is gone by now
    return World(notifications, campaigns)


def happen(notification: Notification, chance: random.Random) -> None:
    """Let each message meet its fate, and people and machines look at what was sent."""
    events = []
    for row in notification.deliveries.order_by("pk"):
        status, reason = chance.choice(STANDS)
        over = None
        if status != "pending":
            over = AT + dt.timedelta(minutes=chance.randrange(90))
        Delivery.objects.filter(pk=row.pk).update(status=status, reason=reason, finished_at=over)
        if status in ("sent", "delivered") and row.channel == "email" and over:
            for _ in range(chance.randrange(4)):
                at = over + dt.timedelta(seconds=chance.randrange(5, 3 * 24 * 3600))
                agent = chance.choice(AGENTS)
                events.append(store.Event(row.uid, chance.randrange(4), at, agent))
            for kind in ("complained", "unsubscribed"):
                if chance.random() < 0.2:
                    DeliveryEvent.objects.create(delivery=row, at=over, kind=kind)
    tallies.rebuild(notification.pk)
    chance.shuffle(events)
    store.store(events[::2])
    store.store(events[1::2])
    Notification.objects.filter(pk=notification.pk).update(state=NotificationState.DONE)

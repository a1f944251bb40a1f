"""The inbox lists what arrived and remembers what was read."""

import datetime as dt
from uuid import uuid4

from apps.accounts.models import AuditEntry
from apps.channels.contract import InAppMessage
from apps.followers.models import Follower
from apps.inbox.deliver import InApp
from apps.inbox.reading import items_of, mark_read, unread_count
from apps.lib.actor import Actor, ActorKind

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
HERSELF = Actor(ActorKind.FOLLOWER, label="follower")


def receive(follower: Follower, *titles: str) -> None:
    with InApp.open({}) as session:
        for title in titles:
            session.send(InAppMessage(uuid4(), follower.uid, "informational", title, "", ""))


def test_an_inbox_holds_its_own_messages_newest_first(anna: Follower, boris: Follower) -> None:
    receive(anna, "one", "two")
    receive(boris, "his")
    assert [item.title for item in items_of(anna)] == ["two", "one"]
    assert (unread_count(anna), unread_count(boris)) == (2, 1)


def test_reading_is_remembered_once(anna: Follower) -> None:
    receive(anna, "one", "two")
    item = items_of(anna)[0]
    assert mark_read(item=item, by=HERSELF, now=NOW)
    assert not mark_read(item=item, by=HERSELF, now=NOW + dt.timedelta(hours=1))
    assert item.read_at == NOW
    assert unread_count(anna) == 1
    assert AuditEntry.objects.filter(kind="inbox_item.read").count() == 1

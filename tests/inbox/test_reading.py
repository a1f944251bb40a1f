"""The inbox lists what arrived and remembers what its reader said about it."""

import datetime as dt
from uuid import uuid4

from apps.accounts.models import AuditEntry
from apps.channels.messages import InAppMessage
from apps.followers.models import Follower
from apps.inbox.deliver import InApp
from apps.inbox.models import InboxItem
from apps.inbox.reading import archive, items_of, mark_read, mark_unread, read_all, unread_count
from apps.inbox.removal import removed_of
from apps.lib.actor import Actor, ActorKind
from apps.notifications import control
from apps.notifications.models import Notification
from tests.make import make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver

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


def test_reading_is_remembered_once_and_can_be_taken_back(anna: Follower) -> None:
    receive(anna, "one", "two")
    item = items_of(anna)[0]
    assert mark_read(item=item, by=HERSELF, now=NOW)
    assert not mark_read(item=item, by=HERSELF, now=NOW + dt.timedelta(hours=1))
    assert item.read_at == NOW
    assert unread_count(anna) == 1
    assert AuditEntry.objects.filter(kind="inbox_item.read").count() == 1
    assert mark_unread(item=item, by=HERSELF, now=NOW)
    assert not mark_unread(item=item, by=HERSELF, now=NOW)
    assert items_of(anna)[0].read_at is None
    assert unread_count(anna) == 2
    assert AuditEntry.objects.filter(kind="inbox_item.changed").count() == 1


def test_what_is_archived_is_not_read_by_that_and_counts_no_more(anna: Follower) -> None:
    receive(anna, "one", "two")
    item = items_of(anna)[0]
    assert archive(item=item, archived=True, by=HERSELF, now=NOW)
    assert not archive(item=item, archived=True, by=HERSELF, now=NOW)
    assert (item.archived_at, item.read_at, unread_count(anna)) == (NOW, None, 1)
    assert archive(item=item, archived=False, by=HERSELF, now=NOW)
    assert unread_count(anna) == 2


def test_all_that_is_new_is_read_at_once_and_nobody_elses(anna: Follower, boris: Follower) -> None:
    receive(anna, "one", "two", "three")
    receive(boris, "his")
    archive(item=items_of(anna)[0], archived=True, by=HERSELF, now=NOW)
    assert read_all(follower=anna, by=HERSELF, now=NOW) == 2
    assert read_all(follower=anna, by=HERSELF, now=NOW) == 0
    assert (unread_count(anna), unread_count(boris)) == (0, 1)
    assert InboxItem.objects.filter(read_at=NOW).count() == 2
    assert AuditEntry.objects.filter(kind="inbox.read").count() == 1


def told(anna: Follower) -> Notification:
    """In her inbox, with a mail for the case that she does not look there."""
    kind = make_type(
        "hint", category="informational", fallback=["in_app", "email"], fallback_after=600
    )
    notification = tell(kind, [anna], version=make_version(), channels=["in_app", "email"])
    drain()
    assert stands(notification) == {"sent": 1, "pending": 1}
    return notification


def test_who_read_it_in_the_inbox_gets_no_mail_about_it(anna: Follower, receiver: Receiver) -> None:
    notification = told(anna)
    mark_read(item=items_of(anna)[0], by=HERSELF, now=NOW)
    assert set(notification.deliveries.values_list("channel", "status", "reason")) == {
        ("in_app", "delivered", "default_on"),
        ("email", "skipped", "reached_elsewhere"),
    }
    assert stands(notification) == {"delivered": 1, "skipped": 1}
    mark_unread(item=items_of(anna)[0], by=HERSELF, now=NOW)
    assert stands(notification) == {"delivered": 1, "skipped": 1}
    assert not receiver.arrived


def test_reading_all_calls_fallbacks_off_too(anna: Follower, receiver: Receiver) -> None:
    notification = told(anna)
    read_all(follower=anna, by=HERSELF, now=NOW)
    assert stands(notification) == {"delivered": 1, "skipped": 1}


def test_what_is_retracted_leaves_the_inbox_and_what_waits_is_cancelled(
    anna: Follower, receiver: Receiver
) -> None:
    receive(anna, "another")
    notification = told(anna)
    counts = control.retract(notification=notification, by=HERSELF, now=NOW)
    assert (counts["cancelled"], counts["handed_off"], counts["total"]) == (1, 1, 2)
    assert removed_of(notification) == 1
    assert [item.title for item in items_of(anna)] == ["another"]
    assert unread_count(anna) == 1
    assert stands(notification) == {"sent": 1, "cancelled": 1}
    assert AuditEntry.objects.filter(kind="notification.retracted").count() == 1


def test_one_that_is_through_can_be_retracted_and_comes_back_no_more(
    anna: Follower, receiver: Receiver
) -> None:
    notification = tell(make_type(), [anna], version=make_version(), channels=["in_app"])
    drain()
    notification.refresh_from_db()
    assert notification.state == "done"
    assert control.retract(notification=notification, by=HERSELF, now=NOW)["handed_off"] == 1
    assert control.retract(notification=notification, by=HERSELF, now=NOW)["handed_off"] == 1, (
        "twice is no harm"
    )
    assert notification.state == "cancelled", "nothing of it is sent again"
    row = notification.deliveries.get()
    InApp.open({}).send(InAppMessage(row.uid, anna.uid, "informational", "Hello", "", ""))
    assert not items_of(anna).exists()

"""Wait until what was stopped is still: "it is stopped" is said when nothing more leaves."""

import time
from collections.abc import Callable, Sequence
from functools import partial

from django.db import connection, transaction

from apps.lib.actor import ActorKind
from apps.lib.facts import Fact
from apps.notifications.models import Delivery, DeliveryStatus, Shelf, Slice

STILL_SECONDS = 3.0  # whoever stops something waits that long for what is in hand
PEOPLE = (ActorKind.STAFF, ActorKind.API_KEY, ActorKind.FOLLOWER)


def wait_until_still(in_hand: Callable[[], object]) -> None:
    """Wait, after a stop was committed, until no sender holds a row of what was stopped, so that
    the answer to who asked is true. `in_hand`: whether one does.

    Senders look ten times a second at what they may send, and every two seconds at the wishes of
    their readers; one that waits for a server's answer is waited for up to STILL_SECONDS.
    """
    if connection.in_atomic_block:
        return  # not committed yet: the senders can't see it
    until = time.monotonic() + STILL_SECONDS
    while in_hand() and time.monotonic() < until:
        time.sleep(0.05)


def holds_of_account(account_id: int) -> bool:
    """Whether a sender holds a row that it claimed for this account."""
    deliveries = Delivery._meta.db_table
    asked = (
        f"SELECT EXISTS(SELECT 1 FROM {deliveries} "  # noqa: S608  # names of ours
        # as in the index `delivery_leased`, which has the few that are in hand
        f"WHERE shelf = {Shelf.IN_HAND.value} AND lease_until IS NOT NULL AND account_id = %s) "
        f"OR EXISTS(SELECT 1 FROM {Slice._meta.db_table} s JOIN {deliveries} d "
        "ON d.id BETWEEN s.first AND s.last AND d.notification_id = s.notification_id "
        "WHERE NOT s.owner = '' AND d.status = 'queued' AND d.account_id = %s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(asked, [account_id, account_id])
        [found] = cursor.fetchone()
    return bool(found)


def wait_for_followers(facts: Sequence[Fact]) -> None:
    """Subscriber: have a person who stopped messages to somebody wait until none is in hand.

    Only where somebody waits for the answer: not for what the system does, nor for a file.
    """
    said = [fact for fact in facts if fact.about.type == "follower" and fact.by.kind in PEOPLE]
    people = {fact.about.id for fact in said if fact.data.get("source") != "import"}
    if people:
        transaction.on_commit(partial(wait_until_still, partial(_holds_of, people)))


def _holds_of(people: set[str]) -> bool:
    held = Delivery.objects.filter(follower__uid__in=people, status=DeliveryStatus.QUEUED)
    return held.order_by().exists()

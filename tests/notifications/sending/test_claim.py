"""Rows that a sender holds and has not begun: none of them may fall between two looks."""

import datetime as dt
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from apps.followers.models import Follower, NotificationType, Rhythm
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.accounts.edit import AccountLimits, AccountValues, change_account
from apps.notifications.books import slices
from apps.notifications.limits.domains import set_domain_limit
from apps.notifications.models import Cap, Delivery, Notification, ProviderAccount
from apps.notifications.sending import claim
from apps.notifications.sending import held as sending_held
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


def test_rows_of_two_claims_of_one_notification_are_all_looked_at_again(
    db: None, receiver: Receiver
) -> None:
    people = [make_follower(email=f"p{n}@example.com", subscribed=True) for n in range(4)]
    kind = make_type()
    tell(kind, people, version=make_version())
    held: list[Any] = []
    for _ in range(2):
        batch = claim.claim(Lane.BULK, owner="me", size=2)
        assert batch is not None
        held += batch.rows
    wanted = sending_held.still_wanted("me", held, now=timezone.now())
    assert [row.address for row in wanted] == [person.email for person in people]


def test_a_lease_is_renewed_when_half_of_it_is_over_and_not_before(
    db: None, receiver: Receiver
) -> None:
    people = [make_follower(email=f"p{n}@example.com") for n in range(2)]
    tell(make_type(), people, version=make_version())
    batch = claim.claim(Lane.BULK, owner="me", size=2)
    assert batch is not None
    young, old = (row.pk for row in batch.rows)
    left = slices.LEASE / 2 - dt.timedelta(seconds=1)
    Delivery.objects.filter(pk=old).update(lease_until=Now() + left)
    before = dict(Delivery.objects.values_list("pk", "lease_until"))
    assert len(sending_held.still_wanted("me", batch.rows, now=timezone.now())) == 2
    after = dict(Delivery.objects.values_list("pk", "lease_until"))
    assert after[young] == before[young]
    assert after[old] >= before[old] + slices.LEASE / 2


def test_single_messages_of_a_type_are_claimed_together_each_with_its_own_words(
    db: None, receiver: Receiver
) -> None:
    kind = make_type(key="code", category="informational")
    version = make_version()
    people = [make_follower(email=f"p{n}@example.com") for n in range(4)]
    told = [tell(kind, [person], version=version, data={"n": n}) for n, person in enumerate(people)]
    other = tell(make_type(key="other", category="informational"), people[:1], version=version)
    control.pause(notification=told[1], by=TESTER, now=timezone.now())
    taken: list[Any] = []
    while batch := claim.claim(Lane.TRANSACTIONAL, owner="me", size=100):
        taken.append(
            {
                (row.address, row.notification.pk, row.notification.data.get("n"))
                for row in batch.rows
            }
        )
        if any(row.notification == other for row in batch.rows):
            assert len(batch.rows) == 1, "another type has rules of its own"
    assert {(people[n].email, told[n].pk, n) for n in (0, 2, 3)} in taken, (
        "types take turns in no order"
    )
    assert stands(told[1]) == {"pending": 1}


def test_a_hundred_single_messages_cost_hardly_more_statements_than_one(
    db: None, receiver: Receiver, django_assert_max_num_queries: Any
) -> None:
    kind = make_type(key="code", category="informational")
    version = make_version()
    person = make_follower(email="p@example.com")
    for _ in range(20):
        tell(kind, [person], version=version)
    with django_assert_max_num_queries(25):
        batch = claim.claim(Lane.TRANSACTIONAL, owner="me", size=100)
    assert batch
    assert len(batch.rows) == 20


def test_a_cap_is_kept_where_single_messages_come_together(db: None, receiver: Receiver) -> None:
    Cap.objects.create(
        name="Two a day",
        channels=["email"],
        commercial=False,
        limit=2,
        seconds=86_400,
        created_at=timezone.now(),
    )
    kind = make_type(key="code", category="informational")
    version = make_version()
    person = make_follower(email="p@example.com")
    told = [tell(kind, [person], version=version) for _ in range(4)]
    for _ in range(6):
        claim.claim(Lane.TRANSACTIONAL, owner="me", size=100)
    assert sorted(next(iter(stands(each))) for each in told) == [
        "pending",
        "pending",
        "queued",
        "queued",
    ]


def test_a_throttle_holds_beside_a_digest_of_its_type(
    anna: Follower, boris: Follower, receiver: Receiver
) -> None:
    kind = make_type(key="orders", category="informational", digest=True)
    version = make_version()
    gathered = tell(kind, [anna], version=version)
    Notification.objects.filter(pk=gathered.pk).update(source="digest")
    NotificationType.objects.update(throttle_count=1, throttle_seconds=3600)
    kind.refresh_from_db()
    sent = [tell(kind, [boris], version=version) for _ in range(3)]
    drain()
    assert sum(stands(each).get("sent", 0) for each in sent) == 1


def test_one_that_may_not_go_keeps_the_next_one_from_nothing(
    anna: Follower, boris: Follower, receiver: Receiver
) -> None:
    kind = make_type(key="orders", category="informational")
    version = make_version()
    now = timezone.now()
    Cap.objects.create(
        name="c", channels=["email"], commercial=False, limit=5, days=1, created_at=now
    )
    Rhythm.objects.create(follower=anna, paused_until=now + dt.timedelta(days=1), updated_at=now)
    tell(kind, [anna], version=version)
    second = tell(kind, [boris], version=version)
    batch = claim.claim(Lane.TRANSACTIONAL, owner="me", size=10)
    assert batch
    assert [row.notification for row in batch.rows] == [second]


def test_a_claim_is_not_the_last_one_where_some_that_it_found_have_to_wait(
    db: None, receiver: Receiver
) -> None:
    set_domain_limit(domain="slow.example", per_minute=0.1, by=TESTER, now=timezone.now())
    names = ("quick", "slow")
    people = [make_follower(email=f"p{n}@{names[n % 2]}.example") for n in range(9)]
    tell(make_type(), people, version=make_version())
    claims: list[tuple[int, bool]] = []
    while batch := claim.claim(Lane.BULK, owner="me", size=4):
        claims.append((len(batch.rows), batch.last))
    assert claims == [(3, False), (2, False), (1, True)]


def test_an_account_whose_rate_is_used_up_is_not_asked_for_each_notification(
    db: None, receiver: Receiver, django_assert_max_num_queries: Any
) -> None:
    account = ProviderAccount.objects.get(provider="smtp")
    now = timezone.now()
    change_account(
        account=account, values=AccountValues(limits=AccountLimits(rate=0.1)), by=TESTER, now=now
    )
    kind = make_type()
    version = make_version()
    person = make_follower(email="p@example.com")
    for _ in range(20):
        tell(kind, [person], version=version)
    assert claim.claim(Lane.BULK, owner="me", size=1)
    with django_assert_max_num_queries(20):
        assert claim.claim(Lane.BULK, owner="me", size=1) is None


def test_a_single_message_does_not_wait_until_a_large_notification_before_it_is_through(
    db: None, receiver: Receiver
) -> None:
    crowd = [make_follower(email=f"p{n}@example.com") for n in range(30)]
    version = make_version()
    tell(make_type(key="terms", category="informational"), crowd, version=version)
    receipt = tell(make_type(key="receipt", category="informational"), crowd[:1], version=version)
    claims = 0
    while stands(receipt) == {"pending": 1}:
        assert claim.claim(Lane.TRANSACTIONAL, owner="me", size=1)
        claims += 1
    assert claims < 30

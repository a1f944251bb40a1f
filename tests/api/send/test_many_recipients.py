"""Many named recipients in one call: nobody else's write waits for long.

Counted in statements: SQLite has one writer, and everybody waits while a transaction is open.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from apps.accounts.models import AuditEntry
from apps.accounts.permissions import Scope
from apps.followers.models import Address, ConsentRecord, Follower, NotificationType
from apps.followers.people import in_bulk
from apps.notifications.models import Delivery, TypeTemplate
from tests.api.world import make_client
from tests.make import make_follower, make_template, make_type

People = Sequence[dict[str, Any]]
FEW = 20
MANY = 120  # more statements are needed where lists are cut into batches
A_BATCH = 10


@pytest.fixture(autouse=True)
def orders(db: None) -> NotificationType:
    kind = make_type("orders", category="informational")
    template = make_template("order", title="Order")
    TypeTemplate.objects.create(notification_type=kind, template=template)
    return kind


def tell(api: APIClient, people: People) -> Any:
    body = {"type": "orders", "recipients": people, "channels": ["email"]}
    return api.post("/api/v1/notify", body)


def statements(api: APIClient, people: People) -> int:
    with CaptureQueriesContext(connection) as asked:
        answer = tell(api, people)
    assert answer.status_code == 202, answer.json()
    return len(asked)


def named(start: int, count: int, **more: Any) -> list[dict[str, Any]]:
    numbers = range(start, start + count)
    return [{"email": f"p{each}@example.com", "name": f"P {each}", **more} for each in numbers]


@pytest.mark.reported
@pytest.mark.parametrize("more", [{}, {"tags": ["Buyers", "Early"]}, {"phone": ""}])
def test_a_hundred_unknown_people_take_no_more_statements_than_twenty(
    api: APIClient, more: dict[str, Any]
) -> None:
    statements(api, named(0, 2, **more))  # tags and what is kept
    few = statements(api, named(100, FEW, **more))
    assert statements(api, named(1000, MANY, **more)) <= few + A_BATCH
    assert Delivery.objects.count() == 2 + FEW + MANY


@pytest.mark.reported
def test_each_new_person_may_bring_a_tag_of_their_own(api: APIClient) -> None:
    def tagged(start: int, count: int) -> People:
        return [{**person, "tags": [person["name"]]} for person in named(start, count)]

    few = statements(api, tagged(100, FEW))
    assert statements(api, tagged(1000, MANY)) <= few + A_BATCH
    assert Follower.objects.get(name="P 1007").tags.get().name == "P 1007"


@pytest.mark.reported
def test_what_is_said_again_of_known_people_is_not_written_again(api: APIClient) -> None:
    people = named(0, MANY, tags=["Buyers"], metadata={"plan": "pro"}, language="de")
    tell(api, people)
    written = AuditEntry.objects.count()
    before = set(Follower.objects.values_list("updated_at", flat=True))
    assert statements(api, people) < 40
    assert set(Follower.objects.values_list("updated_at", flat=True)) == before
    assert AuditEntry.objects.count() == written + 1  # of the notification


@pytest.mark.reported
def test_names_of_known_people_are_taken_over_together(api: APIClient) -> None:
    tell(api, named(0, MANY))
    said = {"language": "de", "metadata": {"plan": "pro"}, "tags": ["Buyers"]}
    few = statements(api, named(0, FEW, **said))
    assert statements(api, named(0, MANY, **said)) <= few + A_BATCH
    changed = Follower.objects.filter(language="de", metadata__plan="pro", tags__name="Buyers")
    assert changed.count() == MANY
    assert AuditEntry.objects.filter(kind="follower.changed").count() == MANY
    assert AuditEntry.objects.filter(kind="follower.tagged").count() == MANY


@pytest.mark.reported
@pytest.mark.django_db(transaction=True)
def test_who_is_known_is_read_before_the_writer_is_taken(api: APIClient) -> None:
    with CaptureQueriesContext(connection) as asked:
        tell(api, named(0, 3))
    said = [each["sql"] for each in asked.captured_queries]
    read = next(place for place, sql in enumerate(said) if 'FROM "followers_address"' in sql)
    written = next(place for place, sql in enumerate(said) if '"followers_follower" (' in sql)
    begun = [place for place, sql in enumerate(said) if sql.startswith("BEGIN")]
    assert any(read < place < written for place in begun)


def test_new_people_are_added_as_one_alone_would_be(api: APIClient) -> None:
    tell(api, [{"email": "Anna@Example.com", "phone": "+49 30 901820", "first_name": "Anna"}])
    alone = Follower.objects.get()
    facts = list(AuditEntry.objects.filter(kind__startswith="follower.").values_list("kind"))
    others = [
        {"email": f"B{each}@Example.com", "phone": f"+49 30 90182{each}", "first_name": "Boris"}
        for each in (1, 2)
    ]
    tell(api, others)
    for follower in Follower.objects.exclude(pk=alone.pk):
        assert (follower.name, follower.language) == ("Boris", alone.language)
        assert (follower.subscribed, follower.metadata) == (False, {})
        assert [row.primary for row in follower.addresses.all()] == [True, True]
        assert ConsentRecord.objects.get(follower=follower).act == "unsubscribed"
    assert set(Address.objects.filter(channel="email").values_list("key", flat=True)) >= {
        "b1@example.com",
        "b2@example.com",
    }
    again = list(AuditEntry.objects.filter(kind__startswith="follower.").values_list("kind"))
    assert len(again) == 3 * len(facts)


def test_a_new_person_named_twice_is_one_who_got_all_that_was_said(api: APIClient) -> None:
    twice = [
        {"email": "new@example.com", "name": "New"},
        {"email": "NEW@example.com", "phone": "+4930901820", "tags": ["Buyers"]},
        {"email": "other@example.com"},
    ]
    assert tell(api, twice).status_code == 202
    new = Follower.objects.get(addresses__key="new@example.com")
    assert (new.name, new.phone) == ("New", "+4930901820")
    assert [tag.name for tag in new.tags.all()] == ["Buyers"]
    assert Delivery.objects.count() == 2


def test_a_key_that_may_change_nobody_adds_nothing_to_a_new_person_named_twice(
    problem: Any,
) -> None:
    teller = make_client(Scope.NOTIFICATIONS_WRITE)
    twice = [{"email": "new@example.com"}, {"email": "new@example.com", "phone": "+4930901820"}]
    problem(tell(teller, twice), 400, field="recipients.1.phone")
    assert not Follower.objects.exists()


def test_somebody_who_was_added_meanwhile_is_told_and_not_refused(
    api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = in_bulk.add_followers

    def late(**said: Any) -> Any:
        if not Follower.objects.exists():
            make_follower(email="p1@example.com")
        return add(**said)

    monkeypatch.setattr(in_bulk, "add_followers", late)
    assert tell(api, named(0, 3)).status_code == 202
    assert Follower.objects.count() == 3
    assert Delivery.objects.count() == 3

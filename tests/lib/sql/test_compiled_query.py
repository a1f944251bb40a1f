"""Look-ups that are put together once find what the ORM finds."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.followers.models import Address, Follower, NotificationType
from apps.lib.sql.compiled_query import Kept, asked_ahead
from tests.make import make_type

pytestmark = pytest.mark.django_db

ADDRESS = Kept(
    lambda channel, key: Address.objects.filter(channel=channel, key=key).select_related(
        "follower"
    ),
    "channel",
    "key",
)
TYPE = Kept(lambda key: NotificationType.objects.filter(key=key, active=True), "key")


@pytest.mark.parametrize("prepared", [True, False])
def test_a_kept_look_up_finds_the_same_row_with_what_belongs_to_it(
    anna: Follower, boris: Follower, prepared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.ensure_connection()
    if connection.vendor == "postgresql" and not prepared:
        monkeypatch.setattr(connection.connection, "prepare_threshold", None)
    for person in (anna, boris, anna):
        wanted = Address.objects.get(follower=person, channel="email")
        found = ADDRESS.first(channel="email", key=wanted.key)
        assert found is not None
        with CaptureQueriesContext(connection) as asked:
            assert found.follower == person
            assert found.follower.metadata == person.metadata
        assert not asked.captured_queries, "it was read along"
        fields = [field.attname for field in Address._meta.concrete_fields]
        assert [getattr(found, name) for name in fields] == [
            getattr(wanted, name) for name in fields
        ]


def test_what_is_not_there_or_not_meant_is_not_found(anna: Follower) -> None:
    kind = make_type("orders")
    assert ADDRESS.first(channel="email", key="nobody@example.com") is None
    assert ADDRESS.first(channel="sms", key=Address.objects.get(follower=anna).key) is None
    assert TYPE.first(key="orders") == kind
    NotificationType.objects.update(active=False)
    assert TYPE.first(key="orders") is None


def test_a_row_that_was_found_can_be_changed_and_stored(anna: Follower) -> None:
    kind = make_type("orders")
    found = TYPE.first(key="orders")
    assert found is not None
    found.name = "Orders and deliveries"
    found.save()
    kind.refresh_from_db()
    assert kind.name == "Orders and deliveries"


def test_what_is_remembered_is_given_only_while_the_database_has_it_so(anna: Follower) -> None:
    remembered = Kept(
        lambda key: Address.objects.filter(key=key).select_related("follower"),
        "key",
        remembers=True,
    )
    key = Address.objects.get(follower=anna).key
    for name in ("Anna", "Anna", "Anna Weber", "Anna", "Anna"):
        Follower.objects.exclude(name=name).update(name=name)  # a row that is read along
        for _ in range(2):
            found = remembered.first(key=key)
            assert found is not None
            assert found.follower.name == name
    Address.objects.update(value="Anna@example.com")
    found = remembered.first(key=key)
    assert found is not None
    assert found.value == "Anna@example.com"
    found.value = "not stored"
    again = remembered.first(key=key)
    assert again is not None
    assert again.value == "Anna@example.com"
    Address.objects.filter(follower=anna).delete()
    assert remembered.first(key=key) is None


def test_look_ups_that_are_asked_ahead_find_the_same(anna: Follower, boris: Follower) -> None:
    make_type("orders")
    key = Address.objects.get(follower=anna).key
    with asked_ahead(
        (TYPE, {"key": "orders"}),
        (ADDRESS, {"channel": "email", "key": key}),
        (TYPE, {"key": "nothing"}),
    ):
        with CaptureQueriesContext(connection) as asked:
            kind = TYPE.first(key="orders")
            found = ADDRESS.first(channel="email", key=key)
            assert TYPE.first(key="nothing") is None
        assert not asked.captured_queries
        other = ADDRESS.first(channel="email", key=Address.objects.get(follower=boris).key)
    assert kind is not None
    assert kind.key == "orders"
    assert found is not None
    assert found.follower == anna
    assert other is not None
    assert other.follower == boris
    NotificationType.objects.update(active=False)
    assert TYPE.first(key="orders") is None

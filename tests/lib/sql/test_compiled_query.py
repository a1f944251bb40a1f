"""Look-ups that are put together once find what the ORM finds."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.followers.models import Address, Follower, NotificationType
from apps.lib.sql.compiled_query import Kept
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

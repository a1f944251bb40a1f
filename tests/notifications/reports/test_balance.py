"""Lists of deliveries are looked for where the tallies say that they are."""

from typing import Any

import pytest
from django.db import connection

from apps.followers.models import Follower
from apps.notifications.models import Delivery, Notification
from apps.notifications.reports import balance
from tests.make import make_type
from tests.notifications.world import make_version, tell


@pytest.mark.django_db
def test_no_delivery_is_read_for_a_list_that_has_none(
    anna: Follower, dana: Follower, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    tell(make_type(), [anna, dana], version=make_version())
    waiting = {"status": "pending"}
    rows = Delivery.objects.filter(**waiting)
    assert list(balance.where_tallied(rows, **waiting)) == list(rows) != []
    skipped = {"status": "skipped", "reason": "no_address", "channel": "email"}
    rows = Delivery.objects.filter(**skipped)
    assert [row.follower for row in balance.where_tallied(rows, **skipped)] == [dana]
    with django_assert_num_queries(1):
        texted = Delivery.objects.filter(channel="sms")
        assert not balance.where_tallied(texted, channel="sms")
    # where many notifications have such rows, they are found as the list is read
    monkeypatch.setattr(balance, "FEW", 0)
    assert [row.follower for row in balance.where_tallied(rows, **skipped)] == [dana]
    assert balance.where_tallied(rows) is rows


@pytest.mark.django_db
def test_a_status_is_looked_for_between_the_ends_of_a_notification(
    anna: Follower, dana: Follower
) -> None:
    news = make_type()
    version = make_version()
    before, asked, after = [tell(news, [anna, dana], version=version) for _ in range(3)]
    found = balance.deliveries_behind(asked, "skipped")
    assert [row.follower for row in found] == [dana]
    assert {row.notification for row in found} == {asked} != {before, after}
    Delivery.objects.all().delete()
    assert not balance.deliveries_behind(asked, "skipped")


@pytest.mark.django_db
def test_postgresql_has_an_index_for_what_is_rare_in_a_long_list(anna: Follower) -> None:
    if connection.vendor != "postgresql":
        return
    tell(make_type(), [anna], version=make_version())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        texted = Delivery.objects.filter(channel="sms").order_by("-pk")
        assert "delivery_by_channel" in texted[:51].explain()
        paused = Notification.objects.filter(state="paused").order_by("-pk")
        assert "notification_paused" in paused[:51].explain()

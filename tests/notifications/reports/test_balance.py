"""Lists of deliveries are looked for where the tallies say that they are."""

from typing import Any

import pytest

from apps.followers.models import Follower
from apps.notifications.models import Delivery
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

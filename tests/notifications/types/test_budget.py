"""The time for checking data is of the call, however many people bring data of their own."""

import time
from typing import Any

import pytest
from django.utils import timezone

from apps.notifications.models import Source
from apps.notifications.notify import BadValue, Intent, notify
from apps.notifications.types import data_schema
from tests.make import TESTER, make_follower, make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


def test_many_slow_checks_take_no_longer_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_schema, "SECONDS", 0.5)
    schema: dict[str, Any] = {"properties": {"word": {"pattern": "^(a|a)*$"}}}
    kind = make_type("news", schema=schema)
    version = make_template().versions.get()
    people = [
        (make_follower(email=f"p{number}@example.com"), {"word": "a" * 28 + f"!{number}"})
        for number in range(20)
    ]
    begun = time.monotonic()
    intent = Intent(notification_type=kind, version=version, source=Source.API)
    with pytest.raises(BadValue, match=r"That takes too long|does not match"):
        notify(intent=intent, recipients=people, by=TESTER, now=timezone.now())
    assert time.monotonic() - begun < 20 * 0.5


def test_a_budget_that_is_used_up_refuses_the_next_check(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"properties": {"word": {"type": "string"}}}
    monkeypatch.setattr(data_schema, "SECONDS", 0.0)
    with data_schema.one_budget():
        time.sleep(0.01)
        with pytest.raises(data_schema.Unfit, match="That takes too long"):
            data_schema.check_fit(schema, {"word": "a"})


def test_who_is_refused_is_named_by_id(anna: Any) -> None:
    kind = make_type("news", schema={"properties": {"word": {"type": "string"}}})
    version = make_template().versions.get()
    intent = Intent(notification_type=kind, version=version, source=Source.API)
    with pytest.raises(BadValue, match=f"for the follower {anna.uid} does not fit"):
        notify(intent=intent, recipients=[(anna, {"word": 1})], by=TESTER, now=timezone.now())

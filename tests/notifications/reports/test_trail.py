"""The way of one delivery: what each step says, whoever shows it."""

import datetime as dt
from typing import Any

import pytest

from apps.notifications.models import Delivery, DeliveryEvent
from apps.notifications.reports.trail import Step, trail_of

NOON = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)
ACCOUNTS = {7: "Main"}


def way(*events: dict[str, Any], **fields: Any) -> list[tuple[str, str]]:
    delivery = Delivery(created_at=NOON, due_at=NOON, **fields)
    told = [DeliveryEvent(at=NOON, **event) for event in events]
    return [(step.title, step.text) for step in trail_of(delivery, told, ACCOUNTS)]


@pytest.mark.parametrize(
    ("fields", "first", "last"),
    [
        (
            {"status": "pending", "reason": "default_on"},
            ("Planned", "Allowed: is on by default."),
            ("Due", "It leaves as soon as its turn comes."),
        ),
        (
            {"status": "sent", "reason": "retried", "attempts": 2, "account_id": 7},
            ("Planned", "Allowed to go."),
            ("Sent", "Handed over through Main at attempt 2."),
        ),
        (
            {"status": "delivered", "provider_id": "m-1"},
            ("Planned", "Allowed to go."),
            ("Delivered", "The provider calls it m-1."),
        ),
        (
            {"status": "failed", "reason": "gave_up"},
            ("Planned", "Allowed to go."),
            ("Failed for good", "tried again and again until its time was over"),
        ),
        (
            {"status": "in_doubt", "reason": "in_doubt"},
            ("Planned", "Allowed to go."),
            ("Held for a person", "A person decides what happens."),
        ),
    ],
)
def test_a_way_begins_with_the_decision_and_ends_where_it_stands(
    fields: dict[str, Any], first: tuple[str, str], last: tuple[str, str]
) -> None:
    assert way(**fields) == [first, last]


def test_what_happened_tells_attempt_account_and_who_or_until_when() -> None:
    until = NOON.isoformat()
    steps = way(
        {"kind": "deferred", "detail": {"attempt": 1, "account": 7, "said": "450 later"}},
        {"kind": "waits", "detail": {"until": until, "reason": "capped"}},
        {"kind": "retried", "detail": {"by": "Ada"}},
        status="queued",
    )
    assert steps[1] == (
        "Not taken yet, tried again later",
        "Attempt 1 through Main. 450 later",
    )
    assert steps[2][0] == "Put off"
    assert steps[2][1].startswith("Until 31 May 2026, ")
    assert steps[3] == ("Sent back into the queue", "By Ada.")
    assert steps[4] == ("Being sent now", "")


def test_a_step_without_a_time_is_happening() -> None:
    delivery = Delivery(created_at=NOON, due_at=NOON, status="queued")
    assert trail_of(delivery, [], {})[-1] == Step("queued", None, is_last=True)

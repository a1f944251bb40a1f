"""Message types in the dashboard: their rules are told at the field that breaks them."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEntry
from apps.followers.models import NotificationType
from apps.notifications.types.edit import template_of
from tests.dashboard.pages import as_role, page_of
from tests.make import make_template, make_type

VALUES = {
    "name": "Order shipped",
    "key": "order-shipped",
    "description": "When a parcel leaves",
    "category": "informational",
    "channels": ["email", "in_app"],
    "default_channels": ["email"],
    "doubt_policy": "resend",
    "active": "on",
    "position": "10",
    "name_ru": "Заказ отправлен",
}


def test_an_editor_adds_a_type_with_its_template_and_translation(
    client: Client, editor: Any
) -> None:
    letter = make_template("letter")
    as_role(client, editor).post(
        reverse("dashboard:type-add"), VALUES | {"template": str(letter.uid)}
    )
    made = NotificationType.objects.get()
    assert (made.key, made.category, made.channels) == (
        "order-shipped",
        "informational",
        ["email", "in_app"],
    )
    assert made.translations == {"ru": {"name": "Заказ отправлен", "description": ""}}
    assert template_of(made) == letter


def test_a_viewer_reads_the_list_and_can_not_add(client: Client, viewer: Any) -> None:
    make_type("news")
    page = page_of(as_role(client, viewer).get(reverse("dashboard:types")))
    assert "News" in page.text
    assert reverse("dashboard:type-add") not in page.links
    assert client.post(reverse("dashboard:type-add"), VALUES).status_code == 403


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"category": "marketing"}, "Marketing is always commercial"),
        ({"category": "critical", "commercial": "on"}, "they can't be commercial"),
        ({"channels": []}, "Choose at least one channel"),
        ({"channels": ["email"], "default_channels": ["in_app"]}, "In-app can't be on by default"),
        (
            {"commercial": "on", "listed": "on", "locked_channels": ["email"]},
            "can't be locked on",
        ),
        ({"name": ""}, "This field is required"),
    ],
)
def test_values_that_can_not_go_together_are_refused_at_their_field(
    client: Client, admin: Any, changes: dict[str, Any], message: str
) -> None:
    answer = as_role(client, admin).post(reverse("dashboard:type-add"), VALUES | changes)
    assert message in page_of(answer).text
    assert not NotificationType.objects.exists()


def test_only_an_administrator_makes_a_type_critical_or_locks_a_channel(
    client: Client, editor: Any, admin: Any
) -> None:
    critical = VALUES | {"category": "critical"}
    answer = as_role(client, editor).post(reverse("dashboard:type-add"), critical)
    assert "Only an administrator" in page_of(answer).text
    locked = VALUES | {"locked_channels": ["email"]}
    as_role(client, editor).post(reverse("dashboard:type-add"), locked)
    made = NotificationType.objects.get()
    assert made.locked_channels == []
    url = reverse("dashboard:type", args=[made.key])
    as_role(client, admin).post(url, critical | {"locked_channels": ["email"]})
    made.refresh_from_db()
    assert (made.category, made.locked_channels) == ("critical", ["email"])


def test_an_editor_may_still_change_the_words_of_a_critical_type(
    client: Client, editor: Any
) -> None:
    kind = make_type("alert", category="critical", locked_channels=["email"])
    changes = VALUES | {"category": "critical", "name": "Security alert"}
    as_role(client, editor).post(reverse("dashboard:type", args=["alert"]), changes)
    kind.refresh_from_db()
    assert (kind.name, kind.category, kind.locked_channels) == (
        "Security alert",
        "critical",
        ["email"],
    )


def test_a_key_that_is_taken_is_refused(client: Client, editor: Any) -> None:
    make_type("order-shipped")
    answer = as_role(client, editor).post(reverse("dashboard:type-add"), VALUES)
    assert "already a message type with the key order-shipped" in page_of(answer).text
    assert NotificationType.objects.count() == 1


def test_a_change_is_written_down_with_before_and_after_and_no_change_is_not(
    client: Client, editor: Any
) -> None:
    as_role(client, editor).post(reverse("dashboard:type-add"), VALUES)
    url = reverse("dashboard:type", args=["order-shipped"])
    before = AuditEntry.objects.count()
    client.post(url, VALUES)
    assert AuditEntry.objects.count() == before
    client.post(url, VALUES | {"name": "Parcel sent"})
    entry = AuditEntry.objects.first()
    assert entry
    assert entry.data == {"before": {"name": "Order shipped"}, "after": {"name": "Parcel sent"}}


def test_the_list_needs_few_queries(
    client: Client, viewer: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        make_type(f"kind-{number}")
    as_role(client, viewer)
    with django_assert_max_num_queries(8):
        client.get(reverse("dashboard:types"))


def test_an_editor_says_how_a_type_is_sent_and_what_its_data_is(
    client: Client, editor: Any
) -> None:
    rules = {
        "schema": '{"type": "object",\n "required": ["order"]}',
        "lifetime": "3600",
        "digest": "on",
        "throttle_count": "2",
        "throttle_seconds": "60",
        "fallback_1": "in_app",
        "fallback_2": "email",
        "fallback_after": "120",
    }
    as_role(client, editor).post(reverse("dashboard:type-add"), VALUES | rules)
    made = NotificationType.objects.get()
    assert made.schema == {"type": "object", "required": ["order"]}
    assert (made.lifetime, made.digest, made.throttle_count, made.throttle_seconds) == (
        3600,
        True,
        2,
        60,
    )
    assert (made.fallback, made.fallback_after) == (["in_app", "email"], 120)
    form = client.get(reverse("dashboard:type", args=[made.key])).context["form"]
    assert (form["fallback_1"].value(), form["fallback_2"].value(), form["fallback_3"].value()) == (
        "in_app",
        "email",
        None,
    )
    assert "&quot;required&quot;: [" in str(form["schema"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"schema": "{"},
            "This is not JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        ),
        ({"schema": '{"const": NaN}'}, "NaN is no number"),
        ({"schema": "[" * 5000}, "nested too deeply"),
        ({"schema": '{"type": "objekt"}'}, "At type"),
        ({"throttle_count": "2"}, "give both, or neither"),
        ({"fallback_1": "email"}, "two or more different channels"),
        ({"category": "critical", "digest": "on"}, "wait for a digest"),
    ],
)
def test_rules_that_can_not_be_are_refused_at_their_field(
    client: Client, admin: Any, changes: dict[str, Any], message: str
) -> None:
    answer = as_role(client, admin).post(reverse("dashboard:type-add"), VALUES | changes)
    assert message in page_of(answer).text
    assert not NotificationType.objects.exists()

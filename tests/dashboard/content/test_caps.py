"""Caps in the dashboard."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.notifications.models import Cap
from tests.dashboard.pages import as_role, page_of

VALUES = {
    "name": "Weekly", "limit": "3", "window": "7", "unit": "days", "channels": ["email", "in_app"],
    "commercial": "on", "outcome": "defer", "enabled": "on",
}  # fmt: skip


def test_an_editor_adds_changes_switches_off_and_removes_a_cap(client: Client, editor: Any) -> None:
    as_role(client, editor).post(reverse("dashboard:cap-add"), VALUES)
    cap = Cap.objects.get()
    assert (cap.days, cap.seconds, cap.channels) == (7, None, ["email", "in_app"])
    changed = VALUES | {"window": "36", "unit": "hours", "limit": "1"}
    client.post(
        reverse("dashboard:cap", args=[cap.uid]),
        {k: v for k, v in changed.items() if k != "enabled"},
    )
    page = page_of(client.get(reverse("dashboard:caps")))
    assert "1 in 36 hours" in page.text
    assert "Switched off" in page.text
    assert 'value="36"' in client.get(reverse("dashboard:cap", args=[cap.uid])).content.decode()
    client.post(reverse("dashboard:cap-remove", args=[cap.uid]))
    assert not Cap.objects.exists()


@pytest.mark.parametrize(
    ("window", "unit", "rule"),
    [
        ("7", "days", "3 in 7 calendar days"),
        ("1", "days", "3 in 1 calendar day"),
        ("1", "hours", "3 in 1 hour"),
        ("5", "minutes", "3 in 5 minutes"),
        ("1", "seconds", "3 in 1 second"),
    ],
)
def test_the_list_says_how_many_in_which_time(
    client: Client, editor: Any, window: str, unit: str, rule: str
) -> None:
    typed = VALUES | {"window": window, "unit": unit}
    page = page_of(as_role(client, editor).post(reverse("dashboard:cap-add"), typed, follow=True))
    assert f" {rule} Email" in page.text


def test_a_refusal_stands_at_its_field(client: Client, editor: Any) -> None:
    answer = as_role(client, editor).post(reverse("dashboard:cap-add"), VALUES | {"window": "1000"})
    assert "Give 1 to 366 days." in page_of(answer).text
    assert (
        "Choose at least one channel"
        in page_of(client.post(reverse("dashboard:cap-add"), VALUES | {"channels": []})).text
    )


@pytest.mark.django_db
def test_a_viewer_reads_them_and_changes_nothing(client: Client, viewer: Any) -> None:
    page = page_of(as_role(client, viewer).get(reverse("dashboard:caps")))
    assert "No caps" in page.text
    assert reverse("dashboard:cap-add") not in page.links
    assert client.post(reverse("dashboard:cap-add"), VALUES).status_code == 403

"""The suppression list in the dashboard: found, added, released with a reason."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.consent.suppression import suppress
from apps.followers.models import Suppression
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER


@pytest.fixture
def row(db: None) -> Suppression:
    return suppress(
        channel="email",
        value="gone@example.com",
        reason="hard_bounce",
        by=TESTER,
        now=timezone.now(),
    )


def test_the_list_is_searched_by_a_part_of_the_address(
    client: Client, viewer: Any, row: Suppression
) -> None:
    as_role(client, viewer)
    url = reverse("dashboard:suppressions")
    assert "gone@example.com" in page_of(client.get(url, {"q": "GONE@"})).text
    assert "No such address" in page_of(client.get(url, {"q": "zebra"})).text
    assert "No such address" in page_of(client.get(url, {"reason": "complaint"})).text


@pytest.mark.parametrize("name", ["suppressions", "webhooks"])
def test_a_search_for_what_no_database_holds_finds_nothing(
    client: Client, viewer: Any, name: str
) -> None:
    as_role(client, viewer)
    assert client.get(reverse(f"dashboard:{name}"), {"q": "a\0b"}).status_code == 404


def test_the_list_names_the_follower_who_has_the_address(
    client: Client, viewer: Any, anna: Any
) -> None:
    suppress(
        channel="email", value="anna@example.com", reason="complaint", by=TESTER, now=timezone.now()
    )
    assert (
        "Anna Weber" in page_of(as_role(client, viewer).get(reverse("dashboard:suppressions"))).text
    )


def test_an_editor_adds_an_address_and_a_viewer_can_not(
    client: Client, editor: Any, viewer: Any, anna: Any
) -> None:
    url = reverse("dashboard:suppression-add")
    values = {"channel": "email", "value": "Anna@Example.com", "note": "Asked by phone"}
    assert as_role(client, viewer).post(url, values).status_code == 403
    assert not Suppression.objects.exists()
    as_role(client, editor).post(url, values)
    made = Suppression.objects.get()
    assert (made.key, made.reason, made.note) == ("anna@example.com", "manual", "Asked by phone")
    assert anna.addresses.get().state == "suppressed"


def test_something_that_is_no_address_is_refused_with_a_clear_message(
    client: Client, editor: Any
) -> None:
    answer = as_role(client, editor).post(
        reverse("dashboard:suppression-add"), {"channel": "email", "value": "anna at example"}
    )
    assert answer.status_code == 200
    assert answer.context["form"].errors["value"]
    assert not Suppression.objects.exists()


def test_a_sender_releases_with_a_reason_that_is_written_down(
    client: Client, sender: Any, row: Suppression
) -> None:
    as_role(client, sender)
    assert (
        "Address does not exist"
        in page_of(client.get(reverse("dashboard:suppression-release", args=[row.pk]))).text
    )
    url = reverse("dashboard:suppression-let-go", args=[row.pk])
    client.post(url, {"reason": ""})
    assert Suppression.objects.exists()
    client.post(url, {"reason": "The mailbox was full for a week"})
    assert not Suppression.objects.exists()
    entry = AuditEntry.objects.get(kind="address.released")
    assert entry.data["note"] == "The mailbox was full for a week"
    assert entry.actor_id == str(sender.uid)


def test_an_editor_can_not_release(client: Client, editor: Any, row: Suppression) -> None:
    as_role(client, editor)
    assert client.get(reverse("dashboard:suppression-release", args=[row.pk])).status_code == 403
    assert (
        client.post(
            reverse("dashboard:suppression-let-go", args=[row.pk]), {"reason": "x"}
        ).status_code
        == 403
    )
    assert Suppression.objects.exists()


def test_the_list_goes_on_page_by_page_with_few_queries(
    client: Client, viewer: Any, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    Suppression.objects.bulk_create(
        Suppression(
            channel="email", key=f"a{number:03}@example.com", reason="manual", created_at=now
        )
        for number in range(70)
    )
    as_role(client, viewer)
    url = reverse("dashboard:suppressions")
    with django_assert_max_num_queries(10):
        first = client.get(url).context["page"]
    second = client.get(url, {"after": first.next}).context["page"]
    keys = [each.key for each in [*first.rows, *second.rows]]
    assert len(keys) == len(set(keys)) == 70
    assert second.next is None

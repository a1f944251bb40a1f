"""The audit log in the dashboard: who did what, readable, filtered, page by page."""

from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.actors import of_user
from apps.accounts.models import AuditEntry
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from tests.dashboard.pages import as_role, page_of


def test_a_change_is_shown_with_before_and_after(
    client: Client, viewer: Any, editor: Any, anna: Any
) -> None:
    change_follower(
        follower=anna,
        values=Profile(name="Anna Maria Weber"),
        by=of_user(editor),
        now=timezone.now(),
    )
    page = page_of(as_role(client, viewer).get(reverse("dashboard:audit")))
    assert "Follower changed" in page.text
    assert "Edgar" in page.text
    assert "Anna Weber became → Anna Maria Weber" in page.text


def test_a_stranger_is_sent_to_the_log_in_page(client: Client, db: None) -> None:
    assert client.get(reverse("dashboard:audit")).status_code == 302


def test_the_log_is_filtered_by_person_by_noun_and_by_subject(
    client: Client, viewer: Any, editor: Any, anna: Any, chen: Any
) -> None:
    change_follower(
        follower=anna,
        values=Profile(name="Anna Maria Weber"),
        by=of_user(editor),
        now=timezone.now(),
    )
    as_role(client, viewer)
    url = reverse("dashboard:audit")

    def kinds(**asked: str) -> list[str]:
        return [row.kind for row in client.get(url, asked).context["page"].rows]

    assert kinds(person=f"staff:{editor.uid}") == ["follower.changed"]
    assert "follower.changed" not in kinds(person="system")
    assert kinds(noun="template") == []
    assert {kind.partition(".")[0] for kind in kinds(noun="follower")} == {"follower"}
    assert kinds(noun="follower", kind="follower.changed") == ["follower.changed"]
    assert "follower.added" in kinds(subject=f"follower:{chen.uid}")
    assert "follower.changed" not in kinds(subject=f"follower:{chen.uid}")
    assert "No such entry" in page_of(client.get(url, {"noun": "template"})).text


def test_an_entry_has_a_page_with_everything_it_carries(
    client: Client, viewer: Any, editor: Any, anna: Any
) -> None:
    change_follower(
        follower=anna,
        values=Profile(name="Anna Maria Weber"),
        by=of_user(editor, ip="192.0.2.7"),
        now=timezone.now(),
    )
    entry = AuditEntry.objects.get(kind="follower.changed")
    page = page_of(as_role(client, viewer).get(reverse("dashboard:audit-entry", args=[entry.pk])))
    assert "192.0.2.7" in page.text
    assert "follower.changed" in page.text


def test_pages_follow_each_other_with_few_queries(
    client: Client, viewer: Any, django_assert_max_num_queries: Any
) -> None:
    now = timezone.now()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=now,
            kind="tag.created",
            actor_kind="system",
            subject_type="tag",
            subject_id=str(number),
        )
        for number in range(120)
    )
    as_role(client, viewer)
    url = reverse("dashboard:audit")
    seen: list[int] = []
    after = ""
    for _ in range(3):
        with django_assert_max_num_queries(8):
            page = client.get(url, {"after": after}).context["page"]
        seen += [row.pk for row in page.rows]
        after = page.next or ""
    assert len(seen) == len(set(seen)) == AuditEntry.objects.count()

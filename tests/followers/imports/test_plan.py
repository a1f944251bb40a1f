"""What the preview shows is what happens, and whoever left stays away."""

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.imports import run
from apps.followers.imports.preview import preview_of
from apps.followers.models import ConsentRecord, Follower, ImportState, Suppression, Tag
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from tests.followers.imports.world import MAPPING, MIXED, VALUES, counts, people, run_import, upload
from tests.make import TESTER

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(anna: Follower, boris: Follower, chen: Follower) -> None:
    Suppression.objects.create(
        channel="email", key="gone@example.com", reason="complaint", created_at=timezone.now()
    )


def test_the_preview_says_for_each_row_what_happens_and_why(cast: None) -> None:
    before = Follower.objects.count()
    preview = preview_of(upload(MIXED), MAPPING)
    assert preview.counts == {
        "create": 6,
        "update": 2,
        "unchanged": 1,
        "suppress": 0,
        "refused": 5,
    }
    assert (preview.read, preview.complete) == (14, True)
    rows = {row.line: row for row in preview.rows}
    assert rows[2].changes == {
        "name": ("Anna Weber", "Anna W."),
        "language": ("en", "de"),
        "metadata": ({"plan": None}, {"plan": "pro"}),
        "tags": ([], ["vip", "new"]),
    }
    assert ("metadata.plan", "", "pro") in rows[2].differences
    assert ("tags", "", "vip, new") in rows[2].differences
    assert ("subscribed", "", "no") in rows[5].differences
    assert (rows[3].action, rows[3].note) == ("unchanged", "Unsubscribed, and stays so.")
    assert rows[4].changes["language"] == (None, "pt-BR")
    assert "suppression list" in rows[14].note
    assert rows[15].changes == {"email": ("", "chen2@example.com")}
    assert {sort.label: sort.count for sort in preview.sorts} == {
        "Twice in the file": 1,
        "Email": 1,
        "Phone": 1,
        "Time zone": 1,
        "Language": 1,
        "Subscription status": 1,
        "Nobody": 1,
        "Number of cells": 1,
    }
    reasons = {row.line: row.message for row in preview.problems}
    assert reasons.keys() == {6, 7, 8, 9, 10, 11, 12, 13}
    assert reasons[6] == "Line 2 of this file has the same email already."
    for line, says in {
        7: "not an email",
        8: "country code",
        9: "time zone",
        10: "language tag",
        11: "yes nor no",
    }.items():
        assert says in reasons[line]
    assert "no email, phone or external id" in reasons[12]
    assert "3 cells, but there are 9 headings" in reasons[13]
    assert Follower.objects.count() == before


def test_the_run_does_what_the_preview_said(
    cast: None, anna: Follower, boris: Follower, chen: Follower
) -> None:
    job = run_import(MIXED, MAPPING, values=VALUES, tags=["Expo"])
    assert job.state == ImportState.FINISHED
    assert (job.rows_done, job.rows_total) == (14, 14)
    assert counts(job) == (6, 3, 0, 5)  # the tag of the file is new to Boris, too
    for follower in (anna, boris, chen):
        follower.refresh_from_db()
    assert (anna.name, anna.language, anna.metadata) == ("Anna W.", "de", {"plan": "pro"})
    assert sorted(anna.tags.values_list("name", flat=True)) == ["Expo", "new", "vip"]
    assert chen.email == "chen2@example.com"
    new = Follower.objects.get(external_id="crm-1")
    assert (new.name, new.language, new.time_zone) == ("New Person", "pt-BR", "Europe/Berlin")
    assert (new.email, new.phone, new.metadata) == (
        "new@example.com",
        "+49301234567",
        {"plan": "basic"},
    )
    assert list(job.problems.values_list("line", flat=True)) == [6, 7, 8, 9, 10, 11, 12, 13]
    assert list(job.problems.filter(taken=True).values_list("line", flat=True)) == [8, 9, 10]
    assert job.incomplete == 3
    kinds = (
        AuditEntry.objects.filter(kind__startswith="import.")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == ["import.started", "import.finished"]
    assert AuditEntry.objects.get(kind="import.finished").data["refused"] == 5


def test_an_import_leaves_proof_of_consent_for_new_people_and_nobody_else(
    cast: None, anna: Follower
) -> None:
    run_import(MIXED, MAPPING, values=VALUES, wording="expo-2026")
    new = Follower.objects.get(external_id="crm-1")
    record = ConsentRecord.objects.get(follower=new)
    assert (record.act, record.source, record.wording) == ("subscribed", "import", "expo-2026")
    off = Follower.objects.get(addresses__key="off@example.com")
    assert (off.subscribed, off.consent_records.get().act) == (False, "unsubscribed")
    assert anna.consent_records.count() == 1  # from when she was added


def test_whoever_unsubscribed_stays_unsubscribed_whatever_the_file_says(boris: Follower) -> None:
    job = run_import("email,name,subscribed\nBORIS@example.com,Boris,yes\n")
    boris.refresh_from_db()
    assert (boris.subscribed, boris.name) == (False, "Boris")
    assert counts(job) == (0, 1, 0, 0)
    assert not boris.consent_records.filter(act="subscribed").exists()


def test_a_no_in_the_file_unsubscribes_even_when_existing_people_are_left_alone(
    anna: Follower,
) -> None:
    job = run_import("email,name,subscribed\nanna@example.com,Other,no\n", update=False)
    anna.refresh_from_db()
    assert (anna.subscribed, anna.name) == (False, "Anna Weber")
    assert counts(job) == (0, 1, 0, 0)
    assert anna.consent_records.first().source == "import"
    assert (
        AuditEntry.objects.filter(kind="follower.unsubscribed", subject_id=str(anna.uid)).count()
        == 1
    )


def test_existing_people_can_be_left_alone(anna: Follower) -> None:
    job = run_import("email,name\nanna@example.com,Other\nb@example.com,B\n", update=False)
    anna.refresh_from_db()
    assert (anna.name, counts(job)) == ("Anna Weber", (1, 0, 1, 0))


def test_a_suppressed_address_stays_suppressed(cast: None) -> None:
    run_import(MIXED, MAPPING, values=VALUES)
    assert (
        Follower.objects.get(addresses__key="gone@example.com").addresses.get().state
        == "suppressed"
    )


def test_a_second_run_of_the_same_file_changes_nothing(cast: None) -> None:
    run_import(MIXED, MAPPING, values=VALUES, tags=["Expo"])
    before = sorted(
        Follower.objects.values_list(
            "pk", "name", "language", "metadata__plan", "subscribed", "updated_at"
        )
    )
    again = run_import(MIXED, MAPPING, values=VALUES, tags=["Expo"])
    assert counts(again) == (0, 0, 9, 5)
    after = sorted(
        Follower.objects.values_list(
            "pk", "name", "language", "metadata__plan", "subscribed", "updated_at"
        )
    )
    assert after == before


def test_rows_that_would_take_somebody_elses_address_or_id_are_refused(
    anna: Follower, chen: Follower
) -> None:
    contacts.change_follower(
        follower=anna, values=Profile(external_id="crm-a"), by=TESTER, now=timezone.now()
    )
    job = run_import(
        "external id,email,phone\ncrm-other,anna@example.com,\n"
        "crm-a,new@example.com,+8613800138000\n"
        ",anna@example.com,+8613800138000\n"
    )
    assert counts(job) == (0, 0, 0, 3)
    messages = list(job.problems.values_list("message", flat=True))
    assert "'crm-a'" in messages[0]
    assert "phone belongs to another follower already: Chen Li" in messages[1]
    assert "phone belongs to another follower already: Chen Li" in messages[2]


def test_a_known_id_moves_its_follower_to_the_new_address(anna: Follower) -> None:
    contacts.change_follower(
        follower=anna, values=Profile(external_id="crm-a"), by=TESTER, now=timezone.now()
    )
    run_import("external id,email\ncrm-a,anna@moved.example\n")
    assert list(anna.addresses.values_list("value", flat=True)) == ["anna@moved.example"]


def test_the_same_person_twice_in_one_file_is_refused_across_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "SLICES", dict.fromkeys(run.SLICES, 2))
    content = people(5) + "P1@Example.com,Other name,\n"
    job = run_import(content)
    assert counts(job) == (5, 0, 0, 1)
    assert "Line 3 of this file" in job.problems.get().message
    assert counts(run_import(content)) == (0, 0, 5, 1)


def test_first_and_last_name_are_kept_and_make_the_whole_name() -> None:
    file = "Vorname,Nachname,Mail,Stadt\nAnna,Weber,a@example.com,Berlin\n,Solo,b@example.com,\n"
    run_import(file)
    columns = ("name", "first_name", "last_name", "metadata")
    assert sorted(Follower.objects.values_list(*columns)) == [
        ("Anna Weber", "Anna", "Weber", {"Stadt": "Berlin"}),
        ("Solo", "", "Solo", {}),
    ]


@pytest.mark.reported
def test_one_part_of_a_name_does_not_replace_a_whole_one(anna: Follower) -> None:
    run_import("Vorname,Mail\nAnni,anna@example.com\n")
    anna.refresh_from_db()
    assert (anna.name, anna.first_name) == ("Anna Weber", "Anni")


def test_a_file_may_bring_hundreds_of_new_tags() -> None:
    job = run_import(
        "email,tags\n"
        + "".join(
            f"p{n}@example.com,{';'.join(f't{n}-{m}' for m in range(10))}\n" for n in range(60)
        )
    )
    assert counts(job) == (60, 0, 0, 0)
    assert Tag.objects.count() == 600

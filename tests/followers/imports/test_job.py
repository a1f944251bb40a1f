"""Importing followers: what is shown is what happens, a kill loses nothing,
a second run changes nothing.
"""

import csv
import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.imports import job as imports_job
from apps.followers.imports.job import AlreadyStarted, BadFile, BadMapping
from apps.followers.models import ConsentRecord, Follower, Import, ImportState, Suppression, Tag
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.lib.queue.announce import waiting
from apps.lib.queue.lanes import Lane
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db


def upload(content: str, name: str = "people.csv") -> Import:
    return imports_job.start_upload(
        file=io.BytesIO(content.encode()), file_name=name, by=TESTER, now=timezone.now()
    )


def run_import(content: str, mapping: dict[str, str] | None = None, **options: Any) -> Import:
    job = upload(content)
    imports_job.start(
        job=job, mapping=mapping or job.mapping, options=options, by=TESTER, now=timezone.now()
    )
    imports_job.run(job.pk)
    job.refresh_from_db()
    return job


def counts(job: Import) -> tuple[int, int, int, int]:
    return job.created, job.updated, job.unchanged, job.refused


def people(count: int, *, start: int = 0) -> str:
    return "email,name,city\n" + "".join(
        f"p{n}@example.com,Person {n},Berlin\n" for n in range(start, start + count)
    )


# ---------------------------------------------------------------- upload
def test_an_upload_is_checked_kept_and_its_columns_are_guessed(settings: Any) -> None:
    job = upload(
        "E-Mail;ФИО;Телефон;Теги;Город\na@example.com;Анна;;;Берлин\n",
        name="C:\\Users\\me\\list.csv",
    )
    assert job.mapping == {
        "E-Mail": "email",
        "ФИО": "name",
        "Телефон": "phone",
        "Теги": "tags",
        "Город": "ignore",
    }
    assert (job.file_name, job.rows_total, job.dialect["delimiter"]) == ("list.csv", 1, ";")
    assert (Path(settings.MEDIA_ROOT) / job.path).exists()
    assert "list" not in job.path


@pytest.mark.parametrize(
    ("headings", "targets"),
    [
        ("Имя,Фамилия,Почта", ["first_name", "last_name", "email"]),
        ("First Name,Last Name,Email address", ["first_name", "last_name", "email"]),
        ("Full name,First name,Surname,Mail", ["name", "ignore", "ignore", "email"]),
        (
            "Email,Mail,Mobile,Language,Time zone",
            ["email", "ignore", "phone", "language", "time_zone"],
        ),
        (
            "ID,Подписан,Язык,Часовой пояс,Метки",
            ["external_id", "subscribed", "language", "time_zone", "tags"],
        ),
    ],
)
def test_headings_in_english_and_russian_suggest_their_targets(
    headings: str, targets: list[str]
) -> None:
    assert list(upload(f"{headings}\n{'x,' * headings.count(',')}x\n").mapping.values()) == targets


def test_a_refused_upload_leaves_neither_row_nor_file(settings: Any) -> None:
    with pytest.raises(BadFile, match="Line 2"):
        upload('email\n"a@example.com\n')
    assert not Import.objects.exists()
    assert not list((Path(settings.MEDIA_ROOT) / "imports").iterdir())


def test_a_file_above_the_limit_is_refused(settings: Any) -> None:
    settings.IMPORT_MAX_BYTES = 1000
    with pytest.raises(BadFile, match="Split it"):
        upload(people(100))


# ---------------------------------------------------------------- mapping
@pytest.mark.parametrize(
    ("mapping", "options", "says"),
    [
        ({"email": "email", "mail": "name"}, {}, "no column 'mail'"),
        ({"email": "e-mail"}, {}, "nothing a column can be"),
        ({"email": "metadata."}, {}, "nothing a column can be"),
        ({"name": "name"}, {}, "Map a column to email, phone or external_id"),
        ({"email": "email", "name": "email"}, {}, "both mapped to 'email'"),
        ({"email": "email", "name": "name", "city": "last_name"}, {}, "either one column to name"),
        ({"email": "email"}, {"tag": "x"}, "not an option"),
        ({"email": "email"}, {"tags": ["x" * 81]}, "81 characters"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_and_the_file_waits(
    mapping: dict[str, str], options: dict[str, Any], says: str
) -> None:
    job = upload(people(1))
    with pytest.raises(BadMapping, match=says):
        imports_job.preview(job, mapping, options=options)
    with pytest.raises(BadMapping, match=says):
        imports_job.start(job=job, mapping=mapping, options=options, by=TESTER, now=timezone.now())
    job.refresh_from_db()
    assert job.state == ImportState.UPLOADED


# ---------------------------------------------------------------- preview equals run
MIXED = """email,phone,name,id,language,zone,tags,subscribed,plan
anna@example.com,,Anna W.,,de,,vip;new,yes,pro
boris@example.com,,,,,,,yes,
new@example.com,+49 30 1234567,New  Person,crm-1,pt_br,Europe/Berlin,"a, b",,basic
off@example.com,,Off,,,,,no,
anna@example.com,,Anna again,,,,,,
not-an-address,,Bad,,,,,,
x@example.com,12345,Bad phone,,,,,,
y@example.com,,Bad zone,,,Mars/Olympus,,,
z@example.com,,Bad language,,english!,,,,
w@example.com,,Bad word,,,,,perhaps,
,,Nobody,,,,,,
short@example.com,,Short
gone@example.com,,Gone,,,,,,
chen2@example.com,+8613800138000,,,,,,,
"""
MAPPING = {
    "email": "email",
    "phone": "phone",
    "name": "name",
    "id": "external_id",
    "language": "language",
    "zone": "time_zone",
    "tags": "tags",
    "subscribed": "subscribed",
    "plan": "metadata.plan",
}


@pytest.fixture
def cast(anna: Follower, boris: Follower, chen: Follower) -> None:
    Suppression.objects.create(
        channel="email", key="gone@example.com", reason="complaint", created_at=timezone.now()
    )


def test_the_preview_says_for_each_row_what_happens_and_why(cast: None) -> None:
    before = Follower.objects.count()
    preview = imports_job.preview(upload(MIXED), MAPPING)
    assert preview.counts == {"create": 3, "update": 2, "unchanged": 1, "refused": 8}
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
    reasons = {row.line: row.note for row in preview.problems}
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
    job = run_import(MIXED, MAPPING, tags=["Expo"])
    assert job.state == ImportState.FINISHED
    assert (job.rows_done, job.rows_total) == (14, 14)
    assert counts(job) == (3, 3, 0, 8)  # the tag of the file is new to Boris, too
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
    kinds = (
        AuditEntry.objects.filter(kind__startswith="import.")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == ["import.started", "import.finished"]
    assert AuditEntry.objects.get(kind="import.finished").data["refused"] == 8


def test_an_import_leaves_proof_of_consent_for_new_people_and_nobody_else(
    cast: None, anna: Follower
) -> None:
    run_import(MIXED, MAPPING, wording="expo-2026")
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
    run_import(MIXED, MAPPING)
    assert (
        Follower.objects.get(addresses__key="gone@example.com").addresses.get().state
        == "suppressed"
    )


def test_a_second_run_of_the_same_file_changes_nothing(cast: None) -> None:
    run_import(MIXED, MAPPING, tags=["Expo"])
    before = sorted(
        Follower.objects.values_list(
            "pk", "name", "language", "metadata__plan", "subscribed", "updated_at"
        )
    )
    again = run_import(MIXED, MAPPING, tags=["Expo"])
    assert counts(again) == (0, 0, 6, 8)
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
        "id,email,phone\ncrm-other,anna@example.com,\ncrm-a,new@example.com,+8613800138000\n,anna@example.com,+8613800138000\n"
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
    run_import("id,email\ncrm-a,anna@moved.example\n")
    assert list(anna.addresses.values_list("value", flat=True)) == ["anna@moved.example"]


def test_the_same_person_twice_in_one_file_is_refused_across_slices(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imports_job, "SLICE", 2)
    content = people(5) + "P1@Example.com,Other name,\n"
    job = run_import(content)
    assert counts(job) == (5, 0, 0, 1)
    assert "Line 3 of this file" in job.problems.get().message
    assert counts(run_import(content)) == (0, 0, 5, 1)


def test_first_and_last_name_are_joined_and_other_columns_become_metadata() -> None:
    run_import(
        "Vorname,Nachname,Mail,Stadt\nAnna,Weber,a@example.com,Berlin\n,Solo,b@example.com,\n",
        {
            "Vorname": "first_name",
            "Nachname": "last_name",
            "Mail": "email",
            "Stadt": "metadata.city",
        },
    )
    assert sorted(Follower.objects.values_list("name", "metadata")) == [
        ("Anna Weber", {"city": "Berlin"}),
        ("Solo", {}),
    ]


def test_a_file_may_bring_hundreds_of_new_tags() -> None:
    job = run_import(
        "email,tags\n"
        + "".join(
            f"p{n}@example.com,{';'.join(f't{n}-{m}' for m in range(10))}\n" for n in range(60)
        )
    )
    assert counts(job) == (60, 0, 0, 0)
    assert Tag.objects.count() == 600


# ---------------------------------------------------------------- slices, kills, leases
def test_a_killed_worker_loses_nothing_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_job, "SLICE", 10)
    job = upload(people(45))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    written = imports_job.write
    calls = 0

    def killed_in_the_third_slice(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        written(*args, **kwargs)
        if calls == 3:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(imports_job, "write", killed_in_the_third_slice)
        with pytest.raises(SystemExit):
            imports_job.run(job.pk)
    job.refresh_from_db()
    assert (job.rows_done, Follower.objects.count()) == (20, 20)

    imports_job.run(job.pk)  # the lease of the dead worker still holds
    assert Follower.objects.count() == 20
    later = timezone.now() + dt.timedelta(minutes=2)
    assert imports_job.resume_stalled(now=later) == 1
    assert imports_job.resume_stalled(now=later) == 0
    assert waiting(Lane.BULK) == 2  # from the start, and now
    imports_job.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows_done, counts(job)) == (ImportState.FINISHED, 45, (45, 0, 0, 0))
    assert Follower.objects.count() == ConsentRecord.objects.count() == 45


def test_a_file_that_keeps_killing_its_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    job = upload(people(3))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())

    def killed(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(imports_job, "write", killed)
    for _ in range(3):
        with pytest.raises(SystemExit):
            imports_job.run(job.pk)
        Import.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    imports_job.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (
        ImportState.FAILED,
        "Stopped 3 times in the rows from line 2 on.",
    )
    assert AuditEntry.objects.filter(kind="import.failed").exists()
    assert imports_job.resume_stalled(now=timezone.now() + dt.timedelta(hours=1)) == 0


def test_a_worker_that_was_given_up_too_early_writes_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(imports_job, "SLICE", 10)
    job = upload(people(30))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    slow = imports_job.slices(job.pk)
    next(slow)
    Import.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    quick = imports_job.slices(job.pk)
    next(quick)
    with pytest.raises(imports_job.Taken):
        next(slow)
    assert [done.rows_done for done in quick][-1] == 30
    assert Follower.objects.count() == 30


def test_a_long_import_hands_over_to_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports_job, "SLICE", 10)
    monkeypatch.setattr(imports_job, "RUN_SECONDS", 0)
    job = upload(people(25))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    for tasks, done in ((2, 10), (3, 20), (3, 25)):
        imports_job.run(job.pk)
        job.refresh_from_db()
        assert (waiting(Lane.BULK), job.rows_done) == (tasks, done)
    assert job.state == ImportState.FINISHED


def test_a_double_click_on_start_runs_once_and_a_finished_import_stays_finished() -> None:
    job = run_import(people(2))
    with pytest.raises(AlreadyStarted):
        imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    with pytest.raises(AlreadyStarted):
        imports_job.preview(job, job.mapping)
    imports_job.run(job.pk)
    assert Follower.objects.count() == 2


def test_the_uploaded_file_goes_when_its_people_are_in(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run_import(people(2))
    assert not list((Path(settings.MEDIA_ROOT) / "imports").iterdir())


def test_a_file_that_vanished_fails_the_import_with_its_reason(settings: Any) -> None:
    job = upload(people(2))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    (Path(settings.MEDIA_ROOT) / job.path).unlink()
    imports_job.run(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.FAILED
    assert "No such file" in job.error


def test_somebody_added_between_the_look_and_the_write_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = upload(people(2))
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    looked = imports_job.look_up
    calls = 0

    def look_up_then_lose_the_race(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        known = looked(*args, **kwargs)
        if calls == 1:
            known.owners.clear()
        return known

    make_follower(email="p0@example.com", name="Quicker")
    monkeypatch.setattr(imports_job, "look_up", look_up_then_lose_the_race)
    imports_job.run(job.pk)
    job.refresh_from_db()
    assert counts(job) == (1, 1, 0, 0)


def test_a_slice_costs_the_same_number_of_queries_whatever_its_size(
    django_assert_max_num_queries: Any,
) -> None:
    run_import(people(200))
    changed = people(200).replace("Person", "Human")
    job = upload(changed)
    imports_job.start(
        job=job, mapping=job.mapping, options={"tags": ["x"]}, by=TESTER, now=timezone.now()
    )
    with django_assert_max_num_queries(50):
        imports_job.run(job.pk)
    assert Follower.objects.filter(name__startswith="Human", tags__name="x").count() == 200


# ---------------------------------------------------------------- the error file
def test_the_error_file_has_lines_reasons_and_inert_cells() -> None:
    job = run_import("email,name,phone\nbad,=1+1,\nbad2,@SUM(A1),+49301234567\nbad3,'quoted,-5\n")
    text = "".join(imports_job.problems_csv(job))
    assert text.startswith("\ufeff")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    assert rows[0] == ["Line", "Problem", "email", "name", "phone"]
    assert [row[0] for row in rows[1:]] == ["2", "3", "4"]
    assert [row[3:] for row in rows[1:]] == [
        ["'=1+1", ""],
        ["'@SUM(A1)", "+49301234567"],
        ["'quoted", "-5"],
    ]


def test_a_corrected_error_file_can_be_uploaded_as_it_is() -> None:
    job = run_import("email,name\nbad,=Anna\n")
    job = upload("".join(imports_job.problems_csv(job)).replace("bad,", "anna@example.com,"))
    assert job.mapping == {"Line": "ignore", "Problem": "ignore", "email": "email", "name": "name"}
    imports_job.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    imports_job.run(job.pk)
    assert Follower.objects.get().name == "=Anna"

"""The commands for followers: what they do, what they print, and what they refuse."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import AuditEntry
from apps.followers.imports import run as imports_run
from apps.followers.models import ConsentRecord, Follower, Import
from tests.make import make_follower

pytestmark = pytest.mark.django_db


def run(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(
        "E-Mail;ФИО;City\nanna@example.com;Anna"
        " New;Berlin\nnew@example.com;New;Köln\nbroken;Bad;\n",
        "utf-8",
    )
    return path


# ---------------------------------------------------------------- add_follower
def test_add_follower_adds_and_says_so() -> None:
    said = run(
        "add_follower",
        "anna@example.com",
        "--name",
        "Anna [W]",
        "--tag",
        "vip",
        "--metadata",
        '{"plan": "pro"}',
    )
    follower = Follower.objects.get()
    assert said == f"Added Anna [W] (subscribed), id {follower.uid}.\n"
    assert (follower.email, follower.metadata, follower.tags.get().name) == (
        "anna@example.com",
        {"plan": "pro"},
        "vip",
    )
    assert ConsentRecord.objects.get().source == "command"
    assert AuditEntry.objects.get(kind="follower.added").actor_label == "manage.py add_follower"


def test_add_follower_can_add_somebody_who_wants_nothing_commercial() -> None:
    assert "(unsubscribed)" in run("add_follower", "--phone", "+49301234567", "--unsubscribed")
    assert not Follower.objects.get().subscribed


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "Nobody to add"),
        (["nope"], "not an email address"),
        (["a@example.com", "--metadata", "{"], "not JSON"),
        (["a@example.com", "--metadata", "[1]"], "JSON object"),
        (["a@example.com", "--time-zone", "Mars"], "Europe/Berlin"),
        (["anna@example.com"], "belongs to another follower"),
    ],
)
def test_add_follower_refuses_in_words(words: list[str], says: str, anna: Follower) -> None:
    with pytest.raises(CommandError, match=says):
        run("add_follower", *words)
    assert Follower.objects.count() == 1


@pytest.mark.reported
def test_add_follower_takes_the_flags_it_had_at_first() -> None:
    run(
        "add_follower", "--email", "ann@example.com", "--name", "Ann", "--tags", "vip, Early Birds,"
    )
    follower = Follower.objects.get()
    assert (follower.email, follower.name) == ("ann@example.com", "Ann")
    assert {tag.name for tag in follower.tags.all()} == {"vip", "Early Birds"}
    run("add_follower", "b@example.com", "--tag", "one", "--tags", "two,three", "--tag", "four")
    tags = Follower.objects.get(addresses__key="b@example.com").tags.all()
    assert {tag.name for tag in tags} == {"one", "two", "three", "four"}
    with pytest.raises(CommandError, match="Give one email"):
        run("add_follower", "c@example.com", "--email", "d@example.com")


@pytest.mark.reported
@pytest.mark.usefixtures("wide")
def test_list_followers_shows_whoever_has_one_of_the_tags() -> None:
    for name in ("one", "two", "three"):
        make_follower(name=name, tags=[name, "all"])
    assert "2 of 2" in run("list_followers", "--tags", "one,two")
    assert "1 of 1" in run("list_followers", "--tags", "one,two", "--tag", "one", "--tag", "all")
    assert "No followers match" in run("list_followers", "--tags", "one", "--tag", "two")
    with pytest.raises(CommandError, match="no tag 'four'"):
        run("list_followers", "--tags", "one,four")


# ---------------------------------------------------------------- list_followers
@pytest.mark.usefixtures("wide")
def test_list_followers_shows_a_table_and_how_many_there_are(
    anna: Follower, boris: Follower, chen: Follower
) -> None:
    said = run("list_followers", limit=2)
    assert "Chen Li" in said
    assert "+8613800138000" in said
    assert "boris@example.com" in said
    assert "Anna" not in said
    assert "2 of 3" in said


@pytest.mark.usefixtures("wide")
def test_list_followers_filters(anna: Follower, boris: Follower) -> None:
    make_follower(name="Vip", tags=["Very Important"])
    assert "Борис" in (said := run("list_followers", "--unsubscribed"))
    assert "Anna" not in said
    assert "Anna" in run("list_followers", "--search", "WEBER")
    assert "1 of 1" in run("list_followers", "--tag", "very important")
    assert "No followers match" in run("list_followers", "--search", "nobody")
    with pytest.raises(CommandError, match="no tag 'unknown'"):
        run("list_followers", "--tag", "unknown")
    with pytest.raises(CommandError, match="1 or more"):
        run("list_followers", "--limit", "0")


def test_list_followers_of_an_empty_site_says_how_to_begin() -> None:
    assert "add-follower" in run("list_followers")


# ---------------------------------------------------------------- import_followers
@pytest.mark.usefixtures("wide")
def test_import_followers_runs_to_the_end_and_writes_the_error_file(
    people: Path, anna: Follower, tmp_path: Path
) -> None:
    said = run(
        "import_followers",
        str(people),
        "--map",
        "City=metadata.city",
        "--tag",
        "Expo",
        "--errors",
        str(tmp_path / "errors.csv"),
    )
    new = Follower.objects.get(addresses__key="new@example.com")
    anna.refresh_from_db()
    assert (anna.name, new.metadata, new.tags.get().name) == ("Anna New", {"city": "Köln"}, "Expo")
    assert "3 rows, utf-8, delimiter ';'" in said
    assert "Line 4: 'broken' is not an email address" in said
    with (tmp_path / "errors.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row[0] for row in csv.reader(file)] == ["Line", "4"]
    assert Import.objects.get().by_label == "manage.py import_followers"


@pytest.mark.usefixtures("wide")
def test_a_dry_run_shows_the_difference_and_leaves_nothing_behind(
    people: Path, anna: Follower, settings: Any
) -> None:
    said = run("import_followers", str(people), "--dry-run")
    assert "name: Anna Weber → Anna New" in said
    assert "1 create, 1 update, 0 unchanged, 0 suppress, 1 refused. Nothing was changed." in said
    anna.refresh_from_db()
    assert (anna.name, Follower.objects.count(), Import.objects.count()) == ("Anna Weber", 1, 0)
    assert not list((Path(settings.MEDIA_ROOT) / "imports").iterdir())


def test_own_words_about_columns_win_over_guesses(people: Path) -> None:
    run("import_followers", str(people), "--map", "City=name")
    assert set(Follower.objects.values_list("name", flat=True)) == {"Berlin", "Köln"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--map", "City"], "COLUMN=FIELD"),
        (["--map", "Nope=email"], "no column 'Nope'"),
        (["--map", "City=colour"], "nothing a column can be"),
    ],
)
def test_import_followers_refuses_a_mapping_in_words_and_keeps_no_upload(
    words: list[str], says: str, people: Path
) -> None:
    with pytest.raises(CommandError, match=says):
        run("import_followers", str(people), *words)
    assert not Import.objects.exists()


def test_import_followers_refuses_a_missing_and_a_broken_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run("import_followers", str(tmp_path / "missing.csv"))
    (tmp_path / "broken.csv").write_text('email\n"a@example.com\n')
    with pytest.raises(CommandError, match="Line 2"):
        run("import_followers", str(tmp_path / "broken.csv"))


def test_an_import_that_fails_half_way_ends_the_command_with_its_reason(
    people: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    started = imports_run.start

    def start_and_lose_the_file(**values: Any) -> Import:
        job = started(**values)
        (Path(settings.MEDIA_ROOT) / job.path).unlink()
        return job

    monkeypatch.setattr(imports_run, "start", start_and_lose_the_file)
    with pytest.raises(CommandError, match="No such file"):
        run("import_followers", str(people))


def test_an_import_that_a_worker_took_over_goes_on_without_the_command(
    people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = imports_run.start

    def start_and_let_a_worker_claim_it(**values: Any) -> Import:
        job = started(**values)
        Import.objects.filter(pk=job.pk).update(owner="a worker")
        return job

    monkeypatch.setattr(imports_run, "start", start_and_let_a_worker_claim_it)
    with pytest.raises(CommandError, match="goes on in the background"):
        run("import_followers", str(people))


def test_a_list_fits_into_a_narrow_terminal(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    run(
        "add_follower",
        "johanna.weber@example.org",
        "--name",
        "Johanna Weber",
        "--tag",
        "Newsletter",
    )
    said = run("list_followers")
    assert "johanna.weber@example.org" in said  # in one piece
    assert all(len(line) <= 80 for line in said.splitlines())

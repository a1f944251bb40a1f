"""Cells as other programs and people write them."""

import datetime as dt

import pytest

from apps.followers.imports.words.language_names import language
from apps.followers.imports.words.moments import moment
from apps.followers.models import ConsentRecord, Follower
from tests.followers.imports.world import counts, run_import

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
NOW = dt.datetime(2026, 5, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("German", "de"),
        ("Deutsch", "de"),
        ("немецкий", "de"),
        ("Русский язык", "ru"),
        ("English (US)", "en"),
        ("Brazilian Portuguese", "pt-BR"),
        ("français", "fr"),
        ("中文", "zh"),
        ("українська", "uk"),
        ("deu", "de"),
        ("pt_br", "pt-BR"),
        ("", ""),
    ],
)
def test_a_language_is_known_by_its_name(text: str, tag: str) -> None:
    assert language(text) == tag


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2023-05-01 10:00:00", "2023-05-01"),
        ("2023-05-01T10:00:00+02:00", "2023-05-01"),
        ("2023-05-01 10:00:00 UTC", "2023-05-01"),
        ("01.05.2023", "2023-05-01"),
        ("25-05-2023 10:00:00", "2023-05-25"),
        ("05/25/2023 9:05", "2023-05-25"),
        ("1682935200", "2023-05-01"),
        ("1682935200000", "2023-05-01"),
    ],
)
def test_a_moment_is_read_as_other_programs_write_it(text: str, day: str) -> None:
    assert str(moment(text, now=NOW).date()) == day


@pytest.mark.parametrize("text", ["", "soon", "03/04/2023", "2031-01-01", "1.1.1", "31.02.2024"])
def test_a_moment_that_can_not_be_told_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        moment(text, now=NOW)


def test_the_day_of_signing_up_comes_along_and_an_earlier_one_holds() -> None:
    run_import("email,OPTIN_TIME\na@example.com,2023-05-01 10:00:00\n")
    day = dt.datetime(2023, 5, 1, 10, tzinfo=dt.UTC)
    assert Follower.objects.get().subscribed_at == day
    run_import("email,OPTIN_TIME\na@example.com,2024-05-01 10:00:00\n")
    assert Follower.objects.get().subscribed_at == day
    run_import("email,OPTIN_TIME\na@example.com,2022-05-01\n")
    assert Follower.objects.get().subscribed_at == dt.datetime(2022, 5, 1, tzinfo=dt.UTC)


def test_a_bad_cell_costs_the_cell_and_not_the_row() -> None:
    job = run_import(
        "email,phone,language,time zone,tags,OPTIN_TIME\n"
        f"a@example.com,12,Klingon!,Mars,{'x' * 90},soon\n"
    )
    assert counts(job) == (1, 0, 0, 0)
    assert job.incomplete == 1
    problem = job.problems.get()
    assert problem.taken
    for said in ("phone number", "language tag", "time zone", "90 characters"):
        assert said in problem.message


def test_a_local_phone_number_is_read_with_the_country_of_the_import() -> None:
    content = "email,phone\na@example.com,0151 12345678\nb@example.com,+7 495 123-45-67\n"
    job = run_import(content, country="DE")
    assert counts(job) == (2, 0, 0, 0)
    phones = sorted(follower.phone for follower in Follower.objects.all())
    assert phones == ["+4915112345678", "+74951234567"]


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('"""VIP"",""Beta"""', ["Beta", "VIP"]),
        ('"""VIP"" , ""Beta"""', ["Beta", "VIP"]),
        ('"""a, b"";""c"""', ["a, b", "c"]),
        ('"[""VIP"", ""Beta""]"', ["Beta", "VIP"]),
        ("\"['VIP', 'Beta']\"", ["Beta", "VIP"]),
        ("O'Neill;Rock 'n' Roll", ["O'Neill", "Rock 'n' Roll"]),
    ],
)
def test_tags_lose_the_quotation_marks_of_other_programs(cell: str, tags: list[str]) -> None:
    run_import(f"email,TAGS\na@example.com,{cell}\n")
    assert sorted(Follower.objects.get().tags.values_list("name", flat=True)) == tags


@pytest.mark.parametrize(
    ("cell", "name", "emails"),
    [
        ("Anna Weber <a@example.com>", "Anna Weber", ["a@example.com"]),
        ('"""Weber, Anna"" <a@example.com>"', "Weber, Anna", ["a@example.com"]),
        ("a@example.com; b@example.com", "", ["a@example.com", "b@example.com"]),
        ('"a@example.com, A@Example.com"', "", ["a@example.com"]),
        ("broken; b@example.com", "", ["b@example.com"]),
        ("mailto:a@example.com", "", ["a@example.com"]),
        ("MAILTO:a@example.com?subject=Hi", "", ["a@example.com"]),
        ("Anna <mailto:a@example.com>", "Anna", ["a@example.com"]),
        ("Anna <a@example.com>; b@example.com", "Anna", ["a@example.com", "b@example.com"]),
        (
            '"Weber, Anna <a@example.com>, b@example.com"',
            "Weber, Anna",
            ["a@example.com", "b@example.com"],
        ),
    ],
)
def test_a_cell_may_hold_a_name_or_several_addresses(
    cell: str, name: str, emails: list[str]
) -> None:
    run_import(f"email\n{cell}\n")
    follower = Follower.objects.get()
    assert follower.name == name
    assert list(follower.addresses.values_list("value", flat=True)) == emails
    assert follower.email == emails[0]


def test_a_further_address_that_is_somebody_elses_stays_there(anna: Follower) -> None:
    job = run_import("email\nnew@example.com; anna@example.com\n")
    assert counts(job) == (1, 0, 0, 0)
    assert "belongs to another follower" in job.problems.get().message
    assert anna.addresses.count() == 1


@pytest.mark.parametrize("levels", [200, 900, 1200])
def test_brackets_within_brackets_cost_their_cell(levels: int) -> None:
    deep = '{""a"":' + "[" * levels + "]" * levels + "}"
    job = run_import(f'email,metadata\na@example.com,"{deep}"\nb@example.com,"{"[" * levels}"\n')
    assert (counts(job), job.incomplete) == ((2, 0, 0, 0), 2)


def test_a_network_address_is_kept_without_the_card_of_that_machine() -> None:
    content = "email,OPTIN_IP,CONFIRM_IP\na@example.com,fe80::1%eth0,::ffff:192.0.2.7%x\n"
    run_import(content)
    record = ConsentRecord.objects.get()
    confirmed = record.scope["said_elsewhere"]["confirmed_ip"]
    assert (record.ip, confirmed) == ("fe80::1", "::ffff:c000:207")


def test_what_nobody_knows_is_kept_as_metadata() -> None:
    run_import("email,Plan,Lifetime value,\na@example.com,pro,12,\n")
    assert Follower.objects.get().metadata == {"Plan": "pro", "Lifetime value": "12"}

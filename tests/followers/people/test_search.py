"""The list of followers: filters, pages and what they cost."""

from typing import Any

import pytest
from django.utils import timezone

from apps.followers.devices.webhooks import create_webhook
from apps.followers.models import Address, Channel, Follower
from apps.followers.people import search
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.lib.sql import keyset
from tests.followers.people.test_contacts import BY
from tests.make import make_follower

pytestmark = pytest.mark.django_db


def test_filters_narrow_together_and_nobody_is_listed_twice() -> None:
    one = make_follower(name="One", language="pt-BR", tags=["vip", "beta"], email="one@example.com")
    two = make_follower(name="Two", language="pt", tags=["vip"])
    off = make_follower(name="Off", language="en", tags=["vip", "beta"], subscribed=False)
    assert list(search.followers()) == [off, two, one]
    assert list(search.followers(subscribed=True)) == [two, one]
    assert list(search.followers(subscribed=False)) == [off]
    assert list(search.followers(language="pt")) == [two, one]
    assert list(search.followers(language="PT-br")) == [one]
    assert list(search.followers(tags=["vip", "beta"])) == [off, one]
    assert list(search.followers(tags=["vip"], subscribed=True, search="one@")) == [one]
    assert list(search.followers(tags=["unknown"])) == []


def test_a_long_list_costs_three_queries(django_assert_num_queries: Any) -> None:
    for number in range(20):
        make_follower(
            name=f"P{number}",
            email=f"p{number}@example.com",
            phone=f"+4930123450{number:02}",
            tags=["a", "b"],
        )
    with django_assert_num_queries(3):
        for row in keyset.page(search.followers()).rows:
            assert row.email
            assert row.phone
            assert len(row.tags.all()) == 2


def test_a_follower_without_addresses_has_empty_ones(dana: Follower) -> None:
    assert (dana.email, dana.phone) == ("", "")


def test_pages_lead_forth_and_back_without_a_gap() -> None:
    for number in range(7):
        make_follower(name=str(number))
    everyone = Follower.objects.all()
    first = keyset.page(everyone, size=3)
    second = keyset.page(everyone, size=3, after=first.next)
    last = keyset.page(everyone, size=3, after=second.next)
    assert [[row.name for row in page.rows] for page in (first, second, last)] == [
        ["6", "5", "4"],
        ["3", "2", "1"],
        ["0"],
    ]
    assert (first.previous, last.next) == (None, None)
    assert keyset.page(everyone, size=3, before=last.previous).rows == second.rows
    back = keyset.page(everyone, size=3, before=second.previous)
    assert (back.rows, back.previous, back.next) == (first.rows, None, first.next)


def test_rows_that_come_and_go_meanwhile_shift_nothing() -> None:
    rows = [make_follower(name=str(number)) for number in range(4)]
    first = keyset.page(Follower.objects.all(), size=2)
    make_follower(name="new")
    rows[2].delete()  # the very row the next page starts after
    assert [
        row.name for row in keyset.page(Follower.objects.all(), size=2, after=first.next).rows
    ] == ["1", "0"]


def test_a_page_beyond_an_end_leads_back() -> None:
    rows = [make_follower(name=str(number)) for number in range(2)]
    beyond = keyset.page(Follower.objects.all(), after=rows[0].pk)
    assert (beyond.rows, beyond.next) == ([], None)
    assert keyset.page(Follower.objects.all(), before=beyond.previous).rows == rows[::-1]
    beyond = keyset.page(Follower.objects.all(), before=rows[1].pk)
    assert keyset.page(Follower.objects.all(), after=beyond.next).rows == rows[::-1]


def test_a_count_stops_at_its_limit(anna: Follower, dana: Follower) -> None:
    assert str(keyset.count(search.followers())) == "2"
    assert str(keyset.count(Follower.objects.all(), limit=1)) == "1+"
    assert str(keyset.Count(10, more=True, about=keyset.in_round(916_941))) == "about 920,000"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("weber", "anna"),
        ("ANNA@exa", "anna"),
        ("борис", "boris"),
        ("ИВАНОВ", "boris"),
        ("138 0013", "chen"),
        ("crm-d", "dana"),
        ("nobody", None),
        ("100%", None),
    ],
)
def test_search_looks_at_name_email_phone_and_external_id_in_any_case(
    text: str, found: str | None, anna: Follower, boris: Follower, chen: Follower, dana: Follower
) -> None:
    change_follower(follower=dana, values=Profile(external_id="CRM-D"), **BY)
    cast = {"anna": anna, "boris": boris, "chen": chen, "dana": dana}
    expected = []
    if found:
        expected = [cast[found]]
    assert list(search.find(text)) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("boris@EXAMPLE.com", "boris"),
        ("+86 138-0013-8000", "chen"),
        ("0086 138 0013 8000", "chen"),
        ("0138 0013 8000", "chen"),
        ("li", "chen"),
        ("ус", None),
        ("бО", "boris"),
        ("anna wéber", "anna"),
        ("ivan", None),
    ],
)
def test_search_takes_spellings_for_the_same(
    text: str, found: str | None, anna: Follower, boris: Follower, chen: Follower
) -> None:
    cast = {"anna": anna, "boris": boris, "chen": chen}
    expected = []
    if found:
        expected = [cast[found]]
    assert list(search.find(text)) == expected


def test_who_is_exactly_that_is_the_answer(anna: Follower) -> None:
    joanna = make_follower(email="joanna@example.com")
    change_follower(follower=joanna, values=Profile(external_id="anna"), **BY)
    assert list(search.find("anna@example.com")) == [anna]
    assert list(search.find("anna")) == [joanna]
    assert set(search.find("anna@example.co")) == {anna, joanna}
    assert list(search.find(str(joanna.uid))) == [joanna]


def test_a_text_that_many_hold_is_found_as_the_list_is_read(
    monkeypatch: pytest.MonkeyPatch, anna: Follower
) -> None:
    monkeypatch.setattr(search, "MANY", 2)
    others = [make_follower(name=f"Müller {number}", tags=["vip"]) for number in range(3)]
    gone = make_follower(email="muller@example.com", subscribed=False)
    asked = {"subscribed": None, "tags": [], "language": ""}
    listed = search.listed(search="muller", **asked)
    assert list(listed.rows) == [gone, *reversed(others)]
    assert str(listed.count) == "2+"
    assert list(search.followers(search="muller", subscribed=False)) == [gone]
    assert list(search.followers(search="muller", tags=["vip"])) == others[::-1]
    assert keyset.page(listed.rows, after=others[2].pk).rows == [others[1], others[0]]
    few = search.listed(search="müller 1", **asked)
    assert (list(few.rows), str(few.count)) == ([others[1]], "1")


def test_nobody_is_lost_where_each_has_many_addresses_that_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(search, "MANY", 4)
    people = [make_follower(email=f"a{number}@zebra.example") for number in range(4)]
    for each in people:
        for name in ("b", "c"):
            Address.objects.create(
                follower=each,
                channel=Channel.EMAIL,
                value=f"{name}{each.pk}@zebra.example",
                key=f"{name}{each.pk}@zebra.example",
                primary=False,
                created_at=timezone.now(),
            )
    listed = search.listed(search="zebra", subscribed=None, tags=[], language="")
    assert list(listed.rows) == people[::-1]


def test_a_changed_name_is_found_and_the_old_one_is_not(anna: Follower) -> None:
    change_follower(follower=anna, values=Profile(name="Анна Ёлкина"), **BY)
    Follower.objects.filter(pk=anna.pk).update(external_id="Q-1")
    assert list(search.find("елкина")) == list(search.find("q-")) == [anna]
    assert not search.find("weber").exists()


def test_a_search_finds_nobody_by_the_digest_of_a_device(anna: Follower) -> None:
    create_webhook(follower=anna, url="https://anna.example/hook", **BY)
    assert not search.find("256").exists()


def test_an_empty_search_finds_everybody(anna: Follower, dana: Follower) -> None:
    assert set(search.find("  ")) == {anna, dana}

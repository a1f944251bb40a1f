"""A sign-up form on our page and on any other: what it takes, refuses, and never tells."""

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ

from apps.followers.models import Follower, SignUp
from apps.followers.sign_up import ask
from apps.followers.sign_up.questions import Question
from apps.subscriptions.sign_up import work
from apps.subscriptions.sign_up.words import ink_on
from tests.followers.fields.world import make_field
from tests.make import make_type
from tests.subscriptions.pages import everything_stored, visit
from tests.subscriptions.sign_up.world import fill_in, make_form, solved


def test_looking_at_the_form_and_its_puzzle_stores_nothing(client: Client, db: None) -> None:
    make_form()
    before = everything_stored()
    for method in (client.get, client.head, client.options):
        for path in ("/p/join/letters/", "/p/join/letters/puzzle/", "/p/sign-up.js"):
            method(path)
    assert everything_stored() == before


def test_the_page_shows_the_words_of_the_form_in_the_readers_language(
    client: Client, db: None
) -> None:
    make_form()
    assert "Letters from the workshop" in visit(client, "/p/join/letters/").text
    russian = client.get("/p/join/letters/", headers={"Accept-Language": "ru"}).content.decode()
    assert "Письма из мастерской" in russian
    assert "Your town" in russian  # a question that nobody translated


def test_whoever_fills_it_in_is_told_to_look_into_the_mailbox(client: Client, db: None) -> None:
    make_form()
    answer = fill_in(client, email="Ida@Example.com", first_name=" Ida ", city="Oslo")
    assert answer.status_code == 200
    assert "Look into your mailbox" in answer.content.decode()
    row = SignUp.objects.get()
    assert (row.email, row.key, row.state) == ("Ida@example.com", "ida@example.com", "asked")
    assert row.answers == {"first_name": "Ida", "city": "Oslo"}
    assert [each.task["kwargs"] for each in OrmQ.objects.all()] == [{"sign_up_id": row.pk}]


def test_known_and_unknown_addresses_get_the_same_answer_by_the_same_statements(
    client: Client, anna: Follower, boris: Follower
) -> None:
    make_form()
    answers = set()
    counts = set()
    for email in ("anna@example.com", "boris@example.com", "nobody@example.com"):
        with CaptureQueriesContext(connection) as counted:
            answers.add(fill_in(client, email=email).content)
        counts.add(len(counted))
    assert len(answers) == len(counts) == 1


@pytest.mark.parametrize("email", ["", "ida", "ida@", "ida@example"])
def test_what_is_no_address_is_refused_with_help(client: Client, db: None, email: str) -> None:
    make_form()
    page = visit(client, "/p/join/letters/").press("Sign up", email=email)
    assert page.response.status_code == 400
    assert page.notice
    assert not SignUp.objects.exists()


def test_without_a_script_one_more_press_signs_up_and_a_robots_pace_does_not(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_form()
    first = visit(client, "/p/join/letters/").press("Sign up", email="ida@example.com", city="Oslo")
    assert "One more press" in first.text
    assert not SignUp.objects.exists()
    hasty = first.press("Sign up")
    assert "press once more" in hasty.notice
    assert not SignUp.objects.exists()
    monkeypatch.setattr(work, "SHORTEST", dt.timedelta(0))
    assert "Look into your mailbox" in hasty.press("Sign up").text
    assert SignUp.objects.get().answers == {"city": "Oslo"}


def test_a_robot_that_fills_in_everything_is_asked_to_press_and_nobody_is_lost(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_form()
    monkeypatch.setattr(work, "SHORTEST", dt.timedelta(0))
    fill_in(client, email="ida@example.com", website="https://spam.example")
    assert not SignUp.objects.exists()
    page = visit(client, "/p/join/letters/")
    step = page.press("Sign up", email="ida@example.com", website="https://filled.example")
    step.press("Sign up")
    assert SignUp.objects.get().email == "ida@example.com"


def test_a_solution_is_good_for_one_address_and_one_form_and_not_for_ever(db: None) -> None:
    now = timezone.now()
    one = {"form": "letters", "email": "ida@example.com", **solved("letters", "ida@example.com")}
    assert work.is_solved(**one, now=now)
    assert not work.is_solved(**{**one, "email": "otto@example.com"}, now=now)
    assert not work.is_solved(**{**one, "form": "offers"}, now=now)
    assert not work.is_solved(**one, now=now + work.LIFE + dt.timedelta(minutes=1))
    assert not work.is_solved(**{**one, "puzzle": "made up"}, now=now)


def test_another_sites_script_gets_json_and_may_read_it(client: Client, db: None) -> None:
    make_form(thanks_url="https://shop.example/thanks")
    made = client.get("/p/join/letters/puzzle/")
    assert made["Access-Control-Allow-Origin"] == "*"
    assert made.json()["bits"] == work.BITS
    headers = {"Accept": "application/json"}
    bad = client.post("/p/join/letters/", {"email": "ida"}, headers=headers)
    assert (bad.status_code, bad.json()["state"]) == (400, "refused")
    assert "@" in bad.json()["problems"]["email"][0]
    sent = {"email": "ida@example.com", **solved("letters", "ida@example.com")}
    good = client.post("/p/join/letters/", sent, headers=headers)
    assert good.json()["state"] == "sent"
    assert good.json()["url"] == "https://shop.example/thanks"
    assert good["Access-Control-Allow-Origin"] == "*"


def test_a_plain_form_of_another_site_leads_to_its_page_of_thanks(client: Client, db: None) -> None:
    make_form(thanks_url="https://shop.example/thanks")
    sent = {"email": "ida@example.com", **solved("letters", "ida@example.com")}
    answer = client.post("/p/join/letters/", sent)
    assert (answer.status_code, answer["Location"]) == (303, "https://shop.example/thanks")


def test_of_several_types_people_choose_and_none_is_ticked_for_them(
    client: Client, db: None
) -> None:
    kinds = [make_type(key, default_channels=[]) for key in ("news", "offers")]
    make_form(types=kinds)
    page = visit(client, "/p/join/letters/")
    assert not page.switch("types", "news").checked
    assert "Choose at least one." in fill_in(client, email="ida@example.com").content.decode()
    fill_in(client, email="ida@example.com", types=["offers", "gone"])
    assert SignUp.objects.get().types == ["offers"]


def test_a_question_that_must_be_answered_says_so(client: Client, db: None) -> None:
    make_form(questions=[Question("city", required=True)])
    assert fill_in(client, email="ida@example.com").status_code == 400
    assert fill_in(client, email="ida@example.com", city="Oslo").status_code == 200


def test_a_crowd_from_one_network_is_asked_to_come_later_and_others_are_not(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_form()
    monkeypatch.setattr(ask, "PER_NETWORK", 2)
    for number in range(2):
        assert fill_in(client, email=f"p{number}@example.com").status_code == 200
    assert fill_in(client, email="p3@example.com").status_code == 429
    client.defaults["REMOTE_ADDR"] = "203.0.113.9"
    assert fill_in(client, email="p3@example.com").status_code == 200
    assert SignUp.objects.count() == 3


def test_a_network_is_what_one_household_gets(db: None) -> None:
    assert ask.network_of("203.0.113.9") == "203.0.113.0/24"
    assert ask.network_of("2001:db8:0:12:3::4") == "2001:db8::/56"
    assert ask.network_of("") == ""


def test_a_closed_form_says_so_and_an_unknown_one_is_not_there(client: Client, db: None) -> None:
    make_form(active=False)
    assert client.get("/p/join/letters/").status_code == 410
    assert fill_in(client, email="ida@example.com").status_code == 410
    assert client.get("/p/join/none/").status_code == 404
    assert not SignUp.objects.exists()


def test_the_buttons_words_can_be_read_on_any_colour() -> None:
    assert ink_on("#ffe000") == "#000000"
    assert ink_on("#003366") == "#ffffff"


def test_a_custom_field_is_asked_in_its_way_and_judged(client: Client, db: None) -> None:
    make_field(labels={"en": "Plan", "ru": "Тариф"})
    make_field("makes", "choices")
    make_field("born", "date")
    asked = [Question("plan", required=True), Question("makes"), Question("born")]
    make_form(questions=asked)
    russian = client.get("/p/join/letters/", headers={"Accept-Language": "ru"}).content.decode()
    assert "Тариф" in russian
    assert ">Профи</option>" in russian
    assert 'name="born"' in russian
    refused = fill_in(client, email="ida@example.com", plan="", born="31.2.2026")
    page = refused.content.decode()
    assert refused.status_code == 400
    assert "Please fill this in." in page
    assert "Born: write a date such as 2026-05-31." in page
    made = fill_in(
        client, email="ida@example.com", plan="pro", makes=["free", "pro"], born="1990-05-31"
    )
    assert made.status_code == 200
    kept = {"plan": "pro", "makes": ["pro", "free"], "born": "1990-05-31"}
    assert SignUp.objects.get().answers == kept


def test_a_control_character_is_refused_beside_its_question(client: Client, db: None) -> None:
    make_field("city", "text")
    make_form(questions=[Question("city"), Question("street")])
    for key in ("city", "street"):
        answer = fill_in(client, email="ida@example.com", **{key: "a\x00"})
        assert answer.status_code == 400
    assert not SignUp.objects.exists()

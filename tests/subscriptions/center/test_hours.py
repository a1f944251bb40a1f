"""Quiet hours, digests and a pause on the preference page,
as a browser without JavaScript meets them.
"""

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.test import Client

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, rhythm_of, set_rhythm
from apps.followers.models import ConsentRecord, Follower, Rhythm
from tests.make import TESTER, make_type
from tests.subscriptions.pages import Page, everything_stored, preferences_path, visit

SAVE = "Save my choices"
UNDO = "Undo"
EVERY_NIGHT = {str(day): ["22:00", "07:00"] for day in range(7)}
# Tuesday, 14:00 in Anna's Berlin
NOW = dt.datetime(2026, 5, 5, 12, 0, tzinfo=dt.UTC)


@pytest.fixture(autouse=True)
def now(db: None) -> Any:
    make_type("news")
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def wish(follower: Follower, **wishes: Any) -> None:
    set_rhythm(
        follower=follower, values=Wishes(**wishes), proof=Proof(source="api", by=TESTER, now=NOW)
    )


def value(page: Page, name: str) -> str:
    return dict(page.form(SAVE).form_values())[name]


def test_the_same_quiet_hours_every_day_take_two_times(client: Client, anna: Follower) -> None:
    page = visit(client, preferences_path(anna))
    assert (value(page, "quiet"), value(page, "quiet_from"), value(page, "quiet_to")) == (
        "never",
        "22:00",
        "07:00",
    )
    after = page.press(SAVE, quiet="same", quiet_from="22:00", quiet_to="07:00")
    assert "Your choices are saved." in after.notice
    assert rhythm_of(anna).quiet == EVERY_NIGHT
    assert (value(after, "quiet"), value(after, "quiet_to")) == ("same", "07:00")
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.source, proof.wording) == (
        "rhythm_changed",
        "preference_center",
        "public-pages-2/en",
    )
    after.press(SAVE, quiet="never")
    assert not Rhythm.objects.exists()


def test_each_day_may_have_its_own_or_none(client: Client, anna: Follower) -> None:
    wish(anna, quiet=EVERY_NIGHT)
    page = visit(client, preferences_path(anna))
    assert value(page, "from_5") == "22:00"  # who turns to days begins with what held for all
    after = page.press(SAVE, quiet="days", from_5="20:30", to_5="10:00", from_6="", to_6="")
    assert rhythm_of(anna).quiet == {
        **{day: EVERY_NIGHT[day] for day in "01234"},
        "5": ["20:30", "10:00"],
    }
    assert (value(after, "quiet"), value(after, "from_6")) == ("days", "")


def test_a_digest_is_chosen_with_its_time_and_day(client: Client, anna: Follower) -> None:
    page = visit(client, preferences_path(anna))
    page.press(SAVE, cadence="weekly", digest_at="18:30", digest_weekday="4")
    row = rhythm_of(anna)
    assert (row.cadence, row.digest_at, row.digest_weekday) == ("weekly", dt.time(18, 30), 4)


def test_undo_brings_the_rhythm_back(client: Client, anna: Follower) -> None:
    wish(anna, cadence="daily", paused_until=NOW + dt.timedelta(hours=2))
    page = visit(client, preferences_path(anna)).flip("cell", "news:email")
    page = page.press(SAVE, quiet="same", cadence="hourly").press(UNDO)
    assert page.notice.startswith("Undone.")
    row = rhythm_of(anna)
    assert (row.quiet, row.cadence, row.paused_until) == ({}, "daily", NOW + dt.timedelta(hours=2))
    assert not anna.preferences.exists()


def test_an_old_page_takes_no_rhythm_back(client: Client, anna: Follower) -> None:
    old = visit(client, preferences_path(anna))
    wish(anna, quiet=EVERY_NIGHT, cadence="daily")
    old.flip("cell", "news:email").press(SAVE)
    client.post(
        preferences_path(anna), {"language": "en", "time_zone": "Europe/Berlin"}
    )  # a form without the part
    row = rhythm_of(anna)
    assert (row.quiet, row.cadence) == (EVERY_NIGHT, "daily")


@pytest.mark.parametrize(
    ("fields", "help"),
    [
        (
            {"quiet": "same", "quiet_from": "22:00", "quiet_to": "22:00"},
            "Choose an end that differs from the start.",
        ),
        ({"quiet": "same", "quiet_from": "22:00", "quiet_to": ""}, "Choose both times."),
        ({"quiet": "days", "from_3": "22:00", "to_3": ""}, "Choose both times."),
        ({"quiet": "same", "quiet_from": "10 pm", "quiet_to": "07:00"}, "Write the time as 22:00."),
    ],
)
def test_hours_that_make_no_sense_are_refused_where_they_stand(
    client: Client, anna: Follower, fields: dict[str, str], help: str
) -> None:
    page = visit(client, preferences_path(anna)).flip("cell", "news:email").press(SAVE, **fields)
    assert page.response.status_code == 400
    assert "Nothing was saved yet" in page.notice
    assert help in page.text
    wrong = next(each for each in page.html.iter("input") if each.get("aria-invalid") == "true")
    assert page.html.get_element_by_id(wrong.get("aria-describedby")).text_content() == help
    assert value(page, "quiet") == fields["quiet"]
    assert not Rhythm.objects.exists()
    assert not anna.preferences.exists()


@pytest.mark.parametrize(
    ("button", "until", "words"),
    [
        ("One hour", dt.datetime(2026, 5, 5, 13, 0), "until 15:00 (Europe/Berlin)"),
        (
            "Until tomorrow, 8:00",
            dt.datetime(2026, 5, 6, 6, 0),
            "until tomorrow 08:00 (Europe/Berlin)",
        ),
        ("One week", dt.datetime(2026, 5, 12, 6, 0), "until 12 May 08:00 (Europe/Berlin)"),
    ],
)
def test_a_pause_is_one_press_and_said_in_words(
    client: Client, anna: Follower, button: str, until: dt.datetime, words: str
) -> None:
    pressed = {"One hour": "hour", "Until tomorrow, 8:00": "tomorrow", "One week": "week"}[button]
    page = visit(client, preferences_path(anna)).press(button, until=pressed)
    assert rhythm_of(anna).paused_until == until.replace(tzinfo=dt.UTC)
    assert f"Nothing but necessary messages {words}." in page.text
    ended = page.press("End the pause", until="end")
    assert not ended.has("End the pause")
    assert rhythm_of(anna).paused_until is None
    ended.press(UNDO)
    assert rhythm_of(anna).paused_until == until.replace(tzinfo=dt.UTC)


@pytest.mark.parametrize("was", ["", "null", "[1]", "[" * 5000])
def test_what_no_page_of_ours_shows_changes_no_rhythm(
    client: Client, anna: Follower, was: str
) -> None:
    wish(anna, quiet=EVERY_NIGHT)
    assert (
        client.post(
            preferences_path(anna),
            {
                "language": "en",
                "rhythm_was": was,
                "quiet": "never",
                "cadence": "instant",
                "digest_weekday": "0",
            },
        ).status_code
        == 303
    )
    assert rhythm_of(anna).quiet == EVERY_NIGHT


def test_a_pause_lasts_until_a_day_of_ones_own_choice(client: Client, anna: Follower) -> None:
    visit(client, preferences_path(anna)).press("Pause until then", day="2026-12-24")
    assert rhythm_of(anna).paused_until == dt.datetime(2026, 12, 24, 7, 0, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "sent", [{"day": "2026-05-05"}, {"day": "2028-01-01"}, {"day": "soon"}, {"until": "x"}, {}]
)
def test_a_pause_that_can_not_be_is_refused_with_help(
    client: Client, anna: Follower, sent: dict[str, str]
) -> None:
    response = client.post(f"{preferences_path(anna)}pause/", sent)
    assert response.status_code == 400
    assert "Choose a day from tomorrow on" in response.content.decode()
    assert not Rhythm.objects.exists()


def test_undo_does_not_bring_back_a_pause_that_would_be_over(
    client: Client, anna: Follower, now: Any
) -> None:
    page = (
        visit(client, preferences_path(anna))
        .press("One hour", until="hour")
        .press("End the pause", until="end")
    )
    now.shift(dt.timedelta(hours=2))
    assert page.press(UNDO).notice.startswith("Undone.")
    assert not Rhythm.objects.exists()


def test_quiet_hours_that_run_are_said_in_the_readers_words(
    client: Client, boris: Follower, now: Any
) -> None:
    wish(boris, quiet=EVERY_NIGHT)
    assert "Ваши тихие часы" not in visit(client, preferences_path(boris)).text
    now.move_to(dt.datetime(2026, 5, 5, 20, 30, tzinfo=dt.UTC))  # 23:30 in Moscow
    page = visit(client, preferences_path(boris))
    assert (
        "Ваши тихие часы: только необходимые сообщения — до: завтра 07:00 (Europe/Moscow)."
        in page.text
    )
    assert not page.has("Закончить паузу")


def test_looking_at_hours_and_a_pause_changes_nothing(client: Client, anna: Follower) -> None:
    wish(anna, quiet=EVERY_NIGHT, paused_until=NOW + dt.timedelta(hours=2))
    before = everything_stored()
    visit(client, preferences_path(anna))
    assert client.get(f"{preferences_path(anna)}pause/?until=end").status_code == 405
    assert everything_stored() == before

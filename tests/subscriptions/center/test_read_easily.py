"""What readers stumbled over on their own page."""

from typing import Any

import pytest
from django.test import Client

from apps.followers.consent.matrix import own_words
from apps.followers.models import Follower, NotificationType
from tests.make import make_follower, make_template, make_type
from tests.subscriptions.pages import preferences_path, unsubscribe_path, visit

pytestmark = pytest.mark.reported
FORM = "application/x-www-form-urlencoded"
UNDO = "Undo"
LEAVE = "Unsubscribe from everything"


@pytest.fixture
def news(db: None) -> NotificationType:
    make_type("welcome", category="informational", listed=False)
    make_type("security", category="critical", position=1)
    return make_type("news", position=50)


def test_a_link_that_was_used_does_not_ask_again(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    path = unsubscribe_path(anna, news)
    visit(client, path).press("Stop these emails")
    again = visit(client, path)
    assert "You don’t get “News” by email any more." in again.notice
    assert "Stop these messages" not in again.text
    assert not again.has("Stop these emails")
    again.press(LEAVE)
    last = visit(client, path)
    assert "You are unsubscribed from everything already." in last.notice
    assert not last.has(LEAVE)


@pytest.mark.parametrize("what", ["a person", "a mail program"])
def test_one_click_can_be_undone_with_a_button(
    client: Client, anna: Follower, news: NotificationType, what: str
) -> None:
    path = unsubscribe_path(anna, news)
    if what == "a person":
        page = visit(client, path).press("Stop these emails")
    else:
        client.post(path, "List-Unsubscribe=One-Click", content_type=FORM)
        page = visit(client, path)
    assert own_words(anna) == {("news", "email"): False}
    assert "Undone." in page.press(UNDO).notice
    assert own_words(anna) == {}
    assert not visit(client, path).has(UNDO)


def test_leaving_everything_by_the_link_of_a_mail_can_be_undone(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    page = visit(client, unsubscribe_path(anna, news)).press(LEAVE)
    page.press(UNDO)
    anna.refresh_from_db()
    assert anna.subscribed


def test_what_staff_did_has_no_undo_of_the_followers(
    client: Client, boris: Follower, news: NotificationType
) -> None:
    assert not visit(client, unsubscribe_path(boris, news)).has(UNDO)


def test_the_language_is_chosen_at_the_top_and_counts_at_once(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    page = visit(client, preferences_path(anna))
    html = page.response.content.decode()
    assert html.index('name="language"') < html.index("What you get")
    after = page.choose("language", "ru").press("Change language")
    assert after.html.get("lang") == "ru"
    anna.refresh_from_db()
    assert (anna.language, anna.time_zone) == ("ru", "Europe/Berlin")
    assert anna.measured


@pytest.mark.parametrize("language", ["de", "de-AT", "zh-Hant", "xx"])
def test_a_reader_of_another_language_gets_an_english_page_that_works(
    client: Client, news: NotificationType, language: str
) -> None:
    emil = make_follower(email="emil@example.com", language=language)
    page = visit(client, preferences_path(emil))
    assert page.html.get("lang") == "en"
    after = page.flip("cell", "news:email").press("Save my choices")
    assert "Your choices are saved." in after.notice
    emil.refresh_from_db()
    assert emil.language == language


def test_what_comes_once_is_not_in_the_list(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    page = visit(client, preferences_path(anna))
    names = [each.text_content().split()[0] for each in page.html.iter("h3")]
    assert names == ["News", "Security"]


def test_a_locked_switch_is_none_and_says_so(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    page = visit(client, preferences_path(anna))
    assert not [each for each in page.html.iter("input") if each.get("disabled") is not None]
    locked = [each.text_content() for each in page.html.find_class("lock")]
    assert locked == ["always on", "always on"]


def test_leaving_everything_is_at_the_top_of_the_page(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    html = visit(client, preferences_path(anna)).response.content.decode()
    assert html.index('href="#leave"') < html.index("What you get")


def test_saving_is_at_hand_however_long_the_page_is(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    html: Any = visit(client, preferences_path(anna)).html
    [save] = html.find_class("save")
    assert save.text_content().strip() == "Save my choices"


def test_any_language_of_our_messages_can_be_chosen_and_the_page_says_that_it_lacks_it(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    words = {"email": {"subject": "Hallo", "html": "<p>Hallo</p>"}}
    make_template("letter", translations={"de": words}, default_language="de")
    page = visit(client, preferences_path(anna))
    assert "This page is not there" not in page.text
    after = page.choose("language", "de").press("Change language")
    anna.refresh_from_db()
    assert anna.language == "de"
    assert "This page is not there in Deutsch yet." in after.text
    assert after.html.get("lang") == "en"


def test_what_concerns_the_reader_comes_first_and_the_rest_when_asked_for(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    make_type("texts", channels=["sms"])
    page = visit(client, preferences_path(anna))
    [more] = page.html.find_class("more")
    assert [each.text_content().split()[0] for each in more.iter("h3")] == ["Texts", "Security"]
    assert "2 more that are always on or do not reach you" in more.text_content()
    # what is folded away is sent with the form all the same
    after = page.flip("cell", "texts:sms").press("Save my choices")
    assert own_words(anna) == {("texts", "sms"): True}
    assert "Your choices are saved." in after.notice


def test_a_page_in_a_language_from_the_right_says_so(
    client: Client, news: NotificationType, settings: Any
) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("he", "עברית")]
    miriam = make_follower(email="miriam@example.com", language="he")
    assert visit(client, preferences_path(miriam)).html.get("dir") == "rtl"

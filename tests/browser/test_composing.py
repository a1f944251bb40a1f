"""Composing in Chromium: what was typed survives the end of a session,
and the keyboard reaches every field.
"""

import re
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from apps.accounts.models import User
from tests import looks
from tests.campaigns.drafts import make_campaign

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_what_was_typed_when_the_session_ended_is_in_the_form_after_the_log_in(
    page: Page, live_server: Any, admin: User, anna: Any
) -> None:
    campaign = make_campaign()
    looks.log_in(page, live_server.url, admin)
    page.goto(live_server.url + reverse("dashboard:campaign-content", args=[campaign.uid]))
    page.get_by_label("Subject").fill("An hour of work")
    page.get_by_label("In-app").check()
    page.get_by_role("button", name="Add a variable").click()
    page.locator("[name='v-1-name']").fill("city")
    Session.objects.all().delete()
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page).to_have_url(re.compile("/login/"))
    page.get_by_label("Username").fill("ada")
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("What you typed is in the form again")).to_be_visible()
    expect(page.get_by_label("Subject")).to_have_value("An hour of work")
    expect(page.get_by_label("In-app")).to_be_checked()
    expect(page.locator("[name='v-1-name']")).to_have_value("city")
    page.get_by_role("button", name="Save", exact=True).last.click()
    expect(page.get_by_text("Saved. Nothing is sent yet.")).to_be_visible()
    expect(page.get_by_text("What you typed is in the form again")).to_be_hidden()
    expect(page.get_by_label("Subject")).to_have_value("An hour of work")


# A field that the sticky buttons cover whole; a tall one may reach below them.
COVERED = """() => { const field = document.activeElement, box = field.getBoundingClientRect();
    const buttons = document.querySelector(".editor-actions");
    const covered = !buttons.contains(field) && box.top + 12 > buttons.getBoundingClientRect().top;
    return covered ? field.id || field.tagName : null }"""


def test_no_field_of_the_composer_hides_behind_its_buttons_from_the_keyboard(
    page: Page, live_server: Any, admin: User, anna: Any
) -> None:
    looks.log_in(page, live_server.url, admin)
    page.emulate_media(
        reduced_motion="reduce"
    )  # no smooth scrolling: where it is now is where it stays
    page.goto(live_server.url + reverse("dashboard:campaign-content", args=[make_campaign().uid]))
    page.locator("#id_name").focus()
    covered = []
    for _ in range(22):
        page.keyboard.press("Tab")
        covered.append(page.evaluate(COVERED))
    assert set(covered) == {None}


@pytest.mark.reported
@pytest.mark.parametrize("language", ["en", "ru"])
def test_on_a_phone_the_message_begins_within_three_screens(
    browser: Browser, live_server: Any, admin: User, language: str
) -> None:
    phone = {"width": 390, "height": 844}
    with looks.watched(browser, viewport=phone, locale=language) as page:
        looks.log_in(page, live_server.url, admin)
        campaign = make_campaign(channels=["email", "in_app"])
        page.goto(live_server.url + reverse("dashboard:campaign-content", args=[campaign.uid]))
        first = page.locator("[name='t-en-email-subject']").bounding_box()
        assert first
        assert first["y"] < 3 * phone["height"]

"""What the scripts of static/carillon add to pages, in Chromium; test_composing.py has the rest."""

import re
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.followers.models import Follower, Tag
from tests import looks
from tests.campaigns.drafts import make_campaign
from tests.followers.fields.world import make_field
from tests.make import make_follower, make_template

pytestmark = [pytest.mark.browser, pytest.mark.looks, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def staff(page: Page, live_server: Any, admin: User) -> Page:
    looks.log_in(page, live_server.url, admin)
    return page


def go(page: Page, live_server: Any, name: str, *args: Any) -> None:
    page.goto(live_server.url + reverse(f"dashboard:{name}", args=args))


def test_the_theme_is_switched_and_remembered(staff: Page, live_server: Any) -> None:
    root = staff.locator("html")
    staff.emulate_media(color_scheme="light")
    go(staff, live_server, "home")
    expect(root).to_have_attribute("data-bs-theme", "light")
    staff.get_by_label("Switch between light and dark").click()
    expect(root).to_have_attribute("data-bs-theme", "dark")
    staff.reload()
    expect(root).to_have_attribute("data-bs-theme", "dark")


def test_a_question_comes_first_and_no_leaves_everything_as_it_was(
    staff: Page, live_server: Any
) -> None:
    make_follower(email="anna@example.com", tags=["readers"])
    go(staff, live_server, "tags")
    delete = staff.get_by_role("button", name=re.compile("Delete"))
    delete.click()
    dialog = staff.get_by_role("dialog")
    expect(dialog).to_contain_text("Delete the tag “readers” and take it off 1 follower?")
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert Tag.objects.filter(name="readers").exists()
    delete.click()
    dialog.locator("[value=yes]").click()
    toast = staff.locator("[data-toast]")
    expect(toast).to_be_visible()
    assert not Tag.objects.filter(name="readers").exists()


def test_ticks_are_counted_and_one_tick_takes_all(staff: Page, live_server: Any) -> None:
    for number in range(3):
        make_follower(email=f"f{number}@example.com")
    go(staff, live_server, "followers")
    fields = staff.locator("[data-needs-checked]")
    every = staff.get_by_label("Tick all on this page")
    each = staff.locator("[name=follower]")
    expect(fields).to_be_hidden()
    each.first.check()
    expect(fields).to_be_visible()
    expect(fields.locator("[data-count]")).to_have_text("1")
    assert every.evaluate("box => box.indeterminate")
    every.check()
    expect(each.last).to_be_checked()
    expect(fields.locator("[data-count]")).to_have_text("3")
    every.uncheck()
    expect(fields).to_be_hidden()


def test_a_filter_that_is_chosen_is_applied(staff: Page, live_server: Any, anna: Follower) -> None:
    go(staff, live_server, "followers")
    staff.get_by_label("Subscription").select_option("unsubscribed")
    expect(staff).to_have_url(re.compile("state=unsubscribed"))
    expect(staff.locator("main")).not_to_contain_text("Anna Weber")


def test_known_tags_are_put_in_and_taken_out(staff: Page, live_server: Any, anna: Follower) -> None:
    make_follower(email="eva@example.com", tags=["readers", "writers"])
    go(staff, live_server, "follower-edit", anna.uid)
    field = staff.locator("#id_tags")
    readers = staff.get_by_role("button", name="readers")
    field.fill("new")
    readers.click()
    staff.get_by_role("button", name="writers").click()
    expect(field).to_have_value("new, readers, writers")
    expect(readers).to_have_attribute("aria-pressed", "true")
    readers.click()
    expect(field).to_have_value("new, writers")
    field.fill("Readers")
    expect(readers).to_have_attribute("aria-pressed", "true")


def test_a_key_is_copied(staff: Page, live_server: Any) -> None:
    staff.context.grant_permissions(["clipboard-read", "clipboard-write"])
    go(staff, live_server, "api-key-add")
    staff.locator("#id_name").fill("an API client")
    staff.locator("[name=scopes]").first.check()
    staff.locator("main form button.btn-primary").click()
    copy = staff.locator("[data-copy]")
    copy.click()
    expect(copy).to_have_text("Copied")
    shown = staff.get_by_label("The key").input_value()
    assert staff.evaluate("navigator.clipboard.readText()") == shown


def test_who_writes_a_time_or_a_pace_means_it(
    staff: Page, live_server: Any, anna: Follower
) -> None:
    go(staff, live_server, "campaign-schedule", make_campaign().uid)
    staff.locator("#id_wall").fill("2031-01-01T09:00")
    expect(staff.locator("[name=when][value=later]")).to_be_checked()
    staff.locator("#id_wall").fill("")
    expect(staff.locator("[name=when][value=now]")).to_be_checked()
    staff.locator("#id_rate").fill("20")
    expect(staff.locator("[name=pace][value=rate]")).to_be_checked()
    staff.locator("#id_hours").fill("3")
    expect(staff.locator("[name=pace][value=spread]")).to_be_checked()
    expect(staff.locator("#id_rate")).to_have_value("")
    staff.locator("[name=pace][value=fast]").check()
    expect(staff.locator("#id_hours")).to_have_value("")


def test_a_problem_leads_to_its_line(staff: Page, live_server: Any, anna: Follower) -> None:
    words = {"en": {"email": {"subject": "News", "html": "<p>Hello</p>\n<p>{{ offr }}</p>\nEnd"}}}
    campaign = make_campaign(channels=["email"], translations=words)
    go(staff, live_server, "campaign-content", campaign.uid)
    staff.locator("[data-jump][data-line='2']").first.click()
    marked = staff.evaluate(
        "() => { const field = document.activeElement;"
        " return field.value.slice(field.selectionStart, field.selectionEnd) }"
    )
    assert marked.strip() == "<p>{{ offr }}</p>"


def test_ctrl_k_searches_everything_and_the_arrows_walk_through_what_was_found(
    staff: Page, live_server: Any
) -> None:
    anna = make_follower(email="anna@example.com", name="Anna Harbour")
    go(staff, live_server, "tags")
    staff.keyboard.press("Control+k")
    dialog = staff.get_by_role("dialog", name="Search")
    dialog.get_by_role("textbox").fill("harbour")
    hit = dialog.get_by_role("link", name="Anna Harbour")
    expect(hit).to_be_visible()
    staff.keyboard.press("ArrowDown")
    expect(hit).to_be_focused()
    staff.keyboard.press("Enter")
    staff.wait_for_url(live_server.url + reverse("dashboard:follower", args=[anna.uid]))


def test_a_question_mark_shows_the_shortcuts_and_single_keys_can_be_switched_off(
    staff: Page, live_server: Any
) -> None:
    go(staff, live_server, "home")
    staff.keyboard.press("g")
    staff.keyboard.press("f")
    staff.wait_for_url(live_server.url + reverse("dashboard:followers"))
    staff.keyboard.press("?")
    dialog = staff.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog.get_by_role("row", name="Campaigns g c")).to_be_visible()
    dialog.get_by_label("Use shortcuts of single keys in this browser").uncheck()
    dialog.get_by_role("button", name="Close").click()
    staff.keyboard.press("?")
    expect(dialog).to_be_hidden()
    staff.reload()
    staff.keyboard.press("?")
    expect(dialog).to_be_hidden()
    staff.keyboard.press("Control+k")
    expect(staff.get_by_role("dialog", name="Search")).to_be_visible()


# How a Russian keyboard says Ctrl-K, and the keys "g" and "f".
RUSSIAN = """for (const [key, code, ctrlKey] of keys)
    document.body.dispatchEvent(
        new KeyboardEvent("keydown", {key, code, ctrlKey, bubbles: true, cancelable: true}))"""


@pytest.mark.reported
def test_shortcuts_are_where_they_were_on_a_keyboard_with_other_letters(
    staff: Page, live_server: Any
) -> None:
    go(staff, live_server, "home")
    staff.evaluate(f"keys => {{ {RUSSIAN} }}", [["п", "KeyG", False], ["а", "KeyF", False]])
    staff.wait_for_url(live_server.url + reverse("dashboard:followers"))
    staff.evaluate(f"keys => {{ {RUSSIAN} }}", [["л", "KeyK", True]])
    expect(staff.get_by_role("dialog", name="Search")).to_be_visible()


def test_a_letter_typed_into_a_field_is_no_shortcut(
    staff: Page, live_server: Any, anna: Follower
) -> None:
    go(staff, live_server, "followers")
    field = staff.locator("main input[name=q]")
    field.press_sequentially("g?/")
    expect(field).to_have_value("g?/")
    expect(staff.get_by_role("dialog")).to_have_count(0)


def test_a_value_is_put_where_the_author_last_wrote(staff: Page, live_server: Any) -> None:
    make_field(labels={"en": "Plan"})
    template = make_template()
    go(staff, live_server, "template", template.uid)
    subject = staff.get_by_label("Subject").first
    subject.fill("Hello !")
    subject.press("ArrowLeft")
    staff.get_by_text("Insert a value").click()
    staff.get_by_role("button", name="Plan").click()
    expect(subject).to_have_value("Hello {{ follower.metadata.plan }}!")


def test_the_builder_offers_what_fits_a_custom_field(staff: Page, live_server: Any) -> None:
    make_field(labels={"en": "Plan"})
    make_follower(name="Selma", metadata={"plan": "pro"})
    go(staff, live_server, "segment-add")
    row = staff.get_by_role("group", name="Must match, rule 1")
    row.get_by_label("Attribute").select_option(label="Plan")
    row.locator("select[name$=value]").select_option(label="Professional")
    expect(staff.locator("#matches")).to_contain_text("Selma")
    row.get_by_label("Comparison").select_option("in")
    row.locator("select[multiple]").select_option(["pro", "free"])
    expect(staff.locator("#matches")).to_contain_text("“pro” or “free”")

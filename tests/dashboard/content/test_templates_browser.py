"""The template editor in Chromium: its small behaviour, the framed preview, a test mail,
and no accessibility fault.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page

from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.models import Template
from apps.notifications.models import Delivery, Notification, ProviderAccount
from tests import looks
from tests.make import TESTER, make_template, make_type
from tests.notifications.world import drain, tell
from tests.receiver import Receiver

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
TWO: list[looks.Look] = [(1440, "light"), (390, "dark")]
WRONG = {
    "email": {"subject": "Заказ", "html": "<h1>Заказ</h1>\n<p>{{ folower.name }}</p>"},
    "in_app": {"title": "Заказ"},
}


@pytest.fixture
def letter(receiver: Receiver) -> Template:
    """Published in English; the draft has a Russian translation with a misspelt name in line 2 of
    its HTML.
    """
    now = timezone.now()
    layout = save_layout(
        key="house",
        name="House",
        html="<html><body>{{ content }}</body></html>",
        by=TESTER,
        now=now,
    )
    template = make_template("letter", layout=layout)
    drafts.edit_draft(
        template=template, values=drafts.DraftValues(translations={"ru": WRONG}), by=TESTER, now=now
    )
    return template


@pytest.fixture
def page(browser: Browser, live_server: Any, admin: Any) -> Iterator[Page]:
    with looks.watched(
        browser, base_url=live_server.url, viewport={"width": 1440, "height": 900}
    ) as page:
        looks.log_in(page, live_server.url, admin)
        yield page


def test_the_editor_leads_to_the_line_of_a_problem_in_another_language(
    page: Page, letter: Template
) -> None:
    page.goto(reverse("dashboard:template", args=[letter.uid]))
    page.get_by_role("tab", name="Русский").click()
    page.get_by_role("link", name="Line 2").click()
    field = page.locator("[name='t-ru-email-html']")
    marked = field.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)")
    assert marked == "<p>{{ folower.name }}</p>"


def test_a_variable_row_is_added_and_saved(page: Page, letter: Template) -> None:
    page.goto(reverse("dashboard:template", args=[letter.uid]))
    page.get_by_role("button", name="Add a variable").click()
    page.locator("[name='v-1-name']").fill("order_id")
    page.get_by_role("button", name="Save draft").click()
    page.get_by_text("The draft is saved").wait_for()
    draft = drafts.draft_version(letter)
    assert draft
    assert [row["name"] for row in draft.variables] == ["order_id"]


def test_the_preview_follows_the_choices_and_sends_a_real_test(
    page: Page, letter: Template, anna: Any, receiver: Receiver
) -> None:
    page.goto(reverse("dashboard:template", args=[letter.uid]))
    page.get_by_label("Preview as").fill("anna@example.com")
    page.get_by_role("button", name="Show").click()
    frame = page.frame_locator("iframe[title='The email as Anna Weber sees it']")
    frame.get_by_text("Hello Anna Weber").wait_for()
    looks.settled(page)
    page.get_by_role("link", name="Exact bytes").click()
    page.get_by_text("To: Anna Weber <anna@example.com>").wait_for()
    looks.settled(page)
    page.get_by_label("Send a real test to").fill("me@staff.example")
    page.get_by_role("button", name="Send test").click()
    page.get_by_text("The server took the test for me@staff.example").wait_for()
    assert receiver.recipients == ["me@staff.example"]
    looks.settled(page)
    page.get_by_label("Channel").select_option("in_app")
    page.get_by_role("article", name="In-app message").wait_for()


def test_no_page_of_content_and_deliveries_has_a_fault(
    page: Page, letter: Template, anna: Any, boris: Any, receiver: Receiver
) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 No such user"
    notification: Notification = tell(
        make_type("news"), [anna, boris], version=drafts.published_version(letter)
    )
    drain()
    letter_pages = {
        name: reverse(f"dashboard:{name}", args=[letter.uid])
        for name in ("template", "template-history")
    }
    paths = {
        **letter_pages,
        "difference": f"{letter_pages['template-history']}?old=1&new=2",
        "version": reverse("dashboard:template-version", args=[letter.uid, 1]),
        "new": reverse("dashboard:template-new"),
        "layout": reverse("dashboard:layout", args=["house"]),
        "type": reverse("dashboard:type", args=["news"]),
        "notification": reverse("dashboard:notification", args=[notification.uid]),
        **{
            row.status: reverse("dashboard:delivery", args=[row.uid])
            for row in Delivery.objects.all()
        },
        "account": reverse(
            "dashboard:channel-account", args=[ProviderAccount.objects.get(channel="email").uid]
        ),
    }
    faults = {}
    for (name, path), round_ in zip(paths.items(), looks.rounds(TWO), strict=False):
        looks.wear(page, round_[0])
        page.goto(path)
        if name == "template":
            page.get_by_role("tab", name="Русский").click()
        if found := looks.faults_in(page, round_):
            faults[name] = found
    assert faults == {}

"""The whole story in a browser: import, write, choose, schedule, send, read the mail,
change one's mind, leave.

Everything runs as `make run` runs it: web server,
workers and development mailbox as processes of their own.
"""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from apps.accounts import keys
from apps.accounts.permissions import Scope
from apps.followers.models import Follower
from tests.make import TESTER, make_staff
from tests.ops.processes import program
from tests.patience import PATIENCE, until
from tests.receiver import unused_port

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PEOPLE = """Name;E-Mail;Language;Tags
Anna Weber;anna@example.com;en;readers
Борис Иванов;boris@example.com;ru;readers
Chen Li;not an address;en;readers
Dora Meier;dora@example.com;de;others
"""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """The address of a site with staff and the stock library, and nobody to write to yet."""
    make_staff("selma", role="sender")
    port = unused_port()
    address = f"http://127.0.0.1:{port}"
    ports = {"PORT": str(port), "MAILBOX_PORT": str(unused_port()), "SITE_URL": address}
    # who follows this site was asked elsewhere: marketing goes to all
    with program(tmp_path, "run", MARKETING_OPT_IN="0", **ports):
        until(lambda: _answers(f"{address}/readyz"), "the site is ready")
        yield address


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def log_in(page: Page, site: str, name: str) -> None:
    page.goto(site)
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill("correct-horse-battery")
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile(r"/$"))


def test_the_whole_story(site: str, page: Page, tmp_path: Path) -> None:
    log_in(page, site, "selma")

    # -- import a real CSV file
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE, encoding="utf-8")
    page.goto(f"{site}/imports/")
    page.get_by_role("link", name="Import a file").first.click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    preview = page.locator("#preview")
    expect(preview).to_contain_text("Refused")
    expect(preview).to_contain_text("Line 4")
    page.get_by_role("button", name="Start import").click()
    expect(page.get_by_role("heading", name="Finished")).to_be_visible()
    assert Follower.objects.count() == 3

    # -- write a mail with variables
    page.goto(f"{site}/campaigns/")
    page.get_by_role("link", name=re.compile("New campaign|Compose")).first.click()
    page.get_by_label("Name", exact=False).first.fill("Spring news")
    page.get_by_label("Message type").select_option("promotion")
    page.get_by_role("button", name=re.compile("Start|Create|Next|Continue")).first.click()
    page.get_by_label("Subject").first.fill("Hello {{ follower.first_name }}, {{ offr }} inside")
    page.get_by_label("HTML").first.fill("<h1>Dear {{ follower.name }}</h1><p>{{ offr }}</p>")
    page.get_by_role("button", name=re.compile("^Save$")).last.click()
    expect(page.locator(".lint").first).to_contain_text("offr")
    page.get_by_label("Subject").first.fill("Hello {{ follower.first_name }}, something is inside")
    page.get_by_label("HTML").first.fill("<h1>Dear {{ follower.name }}</h1><p>Spring is here.</p>")
    page.get_by_role("button", name=re.compile("Audience|Next|onwards")).last.click()

    # -- choose the audience, with a live count
    page.get_by_label("readers").first.check()
    expect(page.locator("#count")).to_contain_text("2")
    page.get_by_role("button", name=re.compile("Schedule|Next")).last.click()

    # -- schedule: a time that has passed is refused, then as soon as somebody presses Send
    page.get_by_label("At a date and time").check()
    page.get_by_role("textbox", name="Date and time").fill("2020-01-01T09:00")
    page.get_by_label(re.compile("zone", re.I)).first.fill("Europe/Berlin")
    page.get_by_role("button", name=re.compile("Review|Next")).last.click()
    expect(page.get_by_text("has passed")).to_be_visible()
    page.get_by_label("As soon as somebody presses Send").check()
    page.get_by_role("textbox", name="Date and time").fill("")
    page.get_by_role("button", name=re.compile("Review|Next")).last.click()

    # -- review and send, and watch it go
    expect(page.get_by_text("2 will get it")).to_be_visible()
    page.get_by_role("button", name="Send now").click()
    page.get_by_role("dialog").get_by_role("button", name="Send now").click()
    expect(page.locator("main")).to_contain_text(re.compile(r"\bSent\b"))
    expect(page.get_by_role("row", name=re.compile("^Sent"))).to_contain_text("2")

    # -- read the mail on the mailbox's own page
    page.goto(f"{site}/mailbox/")
    page.get_by_role("link", name=re.compile("Hello Anna")).click()
    letter = page.frame_locator("iframe")
    expect(letter.get_by_role("heading", name="Dear Anna Weber")).to_be_visible()
    page.get_by_role("link", name=re.compile("Headers")).or_(
        page.get_by_role("tab", name=re.compile("Headers"))
    ).click()
    expect(page.locator("main")).to_contain_text("List-Unsubscribe-Post")
    page.go_back()

    # -- the follower opens the preference link from the mail and switches something off
    with page.context.expect_page() as opened:
        letter.get_by_role("link", name=re.compile("settings|preferences", re.I)).click()
    mine = opened.value
    expect(mine.get_by_role("heading", name="Your message preferences")).to_be_visible()
    expect(mine.locator("body")).not_to_contain_text("anna@example.com")
    mine.get_by_role("group", name="Product news").get_by_role("switch", name="In-app").uncheck()
    mine.get_by_role("button", name="Save my choices").click()
    expect(mine.get_by_text("Saved").first).to_be_visible()
    anna = Follower.objects.get(name="Anna Weber")
    assert list(anna.preferences.values_list("channel", "allowed")) == [("in_app", False)]
    mine.get_by_role("button", name="Undo").click()
    until(lambda: not anna.preferences.exists(), "the choice is taken back")

    # -- and unsubscribes with one click: opening the link only asks, the button does it
    with page.context.expect_page() as opened:
        letter.get_by_role("link", name=re.compile("unsubscribe", re.I)).click()
    leaving = opened.value
    assert not anna.preferences.filter(allowed=False).exists()
    leaving.get_by_role("button", name="Stop these emails").click()
    left = anna.preferences.filter(
        channel="email", allowed=False, notification_type__key="promotion"
    )
    until(left.exists, "Anna has left")

    _the_same_over_the_api(site)


def _the_same_over_the_api(site: str) -> None:
    """An integrator does the same: Boris leaves, then a message goes to those with a tag,
    and he is skipped.
    """
    _, secret = keys.issue(name="integrator", scopes=list(Scope), by=TESTER, now=timezone.now())

    def call(path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"{site}/api/v1{path}", method="GET" if body is None else "POST"
        )
        request.add_header("Authorization", f"Bearer {secret}")
        request.add_header("Content-Type", "application/json")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
        with urllib.request.urlopen(request, data, timeout=PATIENCE) as answer:
            return json.load(answer)

    [boris] = call("/followers?search=boris@example.com")["results"]
    assert call(f"/followers/{boris['id']}/unsubscribe", {})["subscribed"] is False
    words = {
        "subject": "From a program",
        "content": "<p>Hello {{ follower.name }}</p>",
        "tags": ["readers"],
    }
    message = call("/messages", words)
    call(f"/messages/{message['id']}/send", {})

    def deliveries() -> list[Any]:
        found: list[Any] = call(f"/messages/{message['id']}/deliveries")["results"]
        if found and all(each["status"] in ("sent", "skipped", "failed") for each in found):
            return found
        return []

    found = until(deliveries, "the message is on its way")
    assert {each["status"] for each in found} == {"sent", "skipped"}

"""Signing up in Chromium: on our page, and on a plain page of another site with a strict policy."""

import datetime as dt
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.dashboard.audience.sign_up_forms import snippet_of
from apps.followers.models import Follower, SignUp
from apps.followers.sign_up.questions import Question
from apps.subscriptions.sign_up import mail, work
from tests import looks
from tests.make import make_type
from tests.subscriptions.sign_up.world import link_of, make_form

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(live_server: Any, settings: Any) -> Iterator[str]:
    """The address of another site, whose page carries the form's snippet."""
    settings.SITE_URL = live_server.url
    form = make_form(questions=[Question("first_name"), Question("city", required=True)])
    page = f"<!doctype html><html lang=en><title>Shop</title>{snippet_of(form)}".encode()
    policy = (
        f"default-src 'none'; script-src {live_server.url}; connect-src {live_server.url}; "
        f"form-action {live_server.url}; base-uri 'none'"
    )

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.end_headers()
            if self.path == "/":
                self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def confirmed(page: Page, site: str) -> Follower:
    """Open the button of the mail, and press the one on the page."""
    row = SignUp.objects.latest("pk")
    mail.send(sign_up_id=row.pk)
    row.refresh_from_db()
    page.goto(site + link_of(row))
    page.get_by_role("button", name="Yes, I want this").click()
    expect(page.get_by_role("status")).to_contain_text("You are signed up")
    return Follower.objects.get()


def test_from_another_sites_page_with_a_strict_policy_to_the_preference_center(
    browser: Browser, live_server: Any, shop: str
) -> None:
    with looks.watched(browser) as page:
        page.goto(shop)
        page.get_by_label("Your email address").fill("ida@example.com")
        page.get_by_label("First name").fill("Ida")
        page.get_by_label("City").fill("Oslo")
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("status")).to_contain_text("Look into your mailbox")
        assert page.url == f"{shop}/"  # nobody left the shop
        ida = confirmed(page, live_server.url)
        assert (ida.first_name, ida.metadata, ida.subscribed) == ("Ida", {"city": "Oslo"}, True)
        page.get_by_role("link", name="Choose exactly what you get").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_what_is_refused_is_said_beside_its_field_and_can_be_mended(
    browser: Browser, shop: str
) -> None:
    with looks.watched(browser, but="status of 400") as page:
        page.goto(shop)
        page.get_by_label("Your email address").fill("ida@example")
        page.get_by_label("City").fill("Oslo")
        complaints = page.get_by_role("alert")
        page.get_by_role("button", name="Sign up").click()
        expect(complaints).to_contain_text("It needs an @")
        page.get_by_label("Your email address").fill("ida@example.com")
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("status")).to_contain_text("Look into your mailbox")


def test_without_scripts_the_same_form_takes_two_presses(
    browser: Browser, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "SHORTEST", dt.timedelta(0))
    with looks.watched(browser, java_script_enabled=False) as page:
        page.goto(shop)
        page.get_by_label("Your email address").fill("ida@example.com")
        page.get_by_label("City").fill("Oslo")
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("heading", name="One more press")).to_be_visible()
        page.get_by_role("button", name="Sign up").click()
        expect(page.get_by_role("status")).to_contain_text("Look into your mailbox")
    assert SignUp.objects.get().answers == {"city": "Oslo"}


@pytest.mark.parametrize(
    ("language", "scheme", "width"),
    [("en", "light", 1440), ("ru", "dark", 1440), ("ru", "light", 320), ("en", "dark", 320)],
)
def test_no_page_has_a_fault(
    browser: Browser, live_server: Any, language: str, scheme: Any, width: int
) -> None:
    kinds = [make_type(key, default_channels=[]) for key in ("news", "offers")]
    make_form(types=kinds, colour="#ffe000")
    options = {
        "base_url": live_server.url,
        "locale": language,
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 900},
    }
    faults = {}
    with looks.watched(browser, but="status of 400", **options) as page:

        def look(name: str) -> None:
            assert page.get_attribute("html", "lang") == language
            if found := looks.faults(page):
                faults[name] = found

        page.goto("/p/join/letters/")
        look("form")
        page.locator("[name=email]").fill("ida@example.com")
        with page.expect_response("**/p/join/letters/") as answer:
            page.locator("form button").click()
        assert answer.value.status == 400  # nothing was chosen
        page.wait_for_load_state()
        look("refused")
        page.locator("[name=types]").first.check()
        page.locator("form button").click()
        page.wait_for_selector("[role=status]")
        look("thanks")
        row = SignUp.objects.get()
        mail.send(sign_up_id=row.pk)
        row.refresh_from_db()
        page.goto(link_of(row))
        look("confirm")
        page.locator("form button").click()
        page.wait_for_selector("[role=status]")
        look("confirmed")
    assert faults == {}

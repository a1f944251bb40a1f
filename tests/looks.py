"""Pages in Chromium: watched, logged in, and asked what is wrong with how they look."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from apps.accounts.models import User
from tests.patience import PATIENCE

expect.set_options(timeout=PATIENCE * 1000)
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Only the violations: the list of all that is well is long to make and to carry over. Frames are
# other documents, without axe in them: it would wait half a second for each to answer.
RUN = """tags => axe.run({runOnly: tags, resultTypes: ["violations"], iframes: false}).then(
    found => found.violations.map(
        each => [each.id, each.nodes.slice(0, 3).map(node => node.target)]))"""


@contextmanager
def watched(browser: Browser, *, but: str = "", **options: Any) -> Iterator[Page]:
    """A page (and those it opens) whose console complains of nothing: broken scripts,
    refused styles, missing files. `but`: what stands in a complaint that is expected.
    """
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE * 1000)
    complaints: list[str] = []

    def watch(page: Page) -> None:
        def heard(message: ConsoleMessage) -> None:
            expected = but and but in message.text
            if message.type == "error" and not expected:
                complaints.append(f"{page.url}: {message.text}")

        page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))

    context.on("page", watch)
    try:
        yield context.new_page()
    finally:
        context.close()
    assert not complaints, "\n".join(complaints)


def log_in(page: Page, site: str, user: User) -> None:
    """Without the log-in page, which has tests of its own."""
    client = Client()
    client.force_login(user)
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}]
    )


def settled(page: Page) -> None:
    """htmx has fetched, and has given life to what it brought:
    for some 20 ms new forms don't listen yet.
    """
    expect(
        page.locator(".htmx-request, .htmx-added, .htmx-settling, .htmx-swapping")
    ).to_have_count(0)


def faults(page: Page, *, tags: tuple[str, ...] = WCAG) -> list[Any]:
    """Each rule of axe that is broken with the first places,
    and "too wide" when the page scrolls to the side.

    Parts that htmx fetches are waited for.
    """
    settled(page)
    page.evaluate(Axe().axe_script)
    found: list[Any] = page.evaluate(RUN, list(tags))
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append("too wide")
    return found

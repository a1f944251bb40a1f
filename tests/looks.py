"""Pages in Chromium: watched, logged in, and asked what is wrong with how they look."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from apps.accounts.models import User
from tests.patience import PATIENCE

Scheme = Literal["light", "dark"]
Look = tuple[int, Scheme]

expect.set_options(timeout=PATIENCE * 1000)
AXE = Axe().axe_script
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
# Only the violations: the list of all that is well is long to make and to carry over. Frames are
# other documents, without axe in them: it would wait half a second for each to answer.
RUN = """tags => axe.run({runOnly: tags, resultTypes: ["violations"], iframes: false}).then(
    found => found.violations.map(
        each => [each.id, each.nodes.slice(0, 3).map(node => node.target)]))"""
# Width and colours, each in one way unlike the one before.
LOOKS: tuple[Look, ...] = ((1440, "light"), (1440, "dark"), (390, "dark"), (390, "light"))
# Media queries are heard of when the next frame is made.
FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


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
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found: list[Any] = page.evaluate(RUN, list(tags))
    if page.evaluate("document.documentElement.scrollWidth > window.innerWidth"):
        found.append("too wide")
    return found


def wear(page: Page, look: Look) -> None:
    """Show the page in this width and these colours; whether it is open or opened next."""
    width, scheme = look
    page.set_viewport_size({"width": width, "height": 900})
    # no colour is on its way to another while somebody looks
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(FRAMES)


def rounds(looks: Sequence[Look] = LOOKS) -> Iterator[list[Look]]:
    """Give all looks for each page in turn, so that each is the first, in which a page opens,
    as often as the others.
    """
    turned = list(looks)
    while True:
        yield list(turned)
        turned.append(turned.pop(0))


def faults_in(page: Page, looks: Sequence[Look], *, tags: tuple[str, ...] = WCAG) -> dict[str, Any]:
    """The faults of a page that is open, by look: it is loaded once and looked at in each."""
    found = {}
    for look in looks:
        wear(page, look)
        theme = page.get_attribute("html", "data-bs-theme")
        assert theme in (None, look[1]), "public pages ask the system, those of staff are told"
        if here := faults(page, tags=tags):
            found[str(look)] = here
    return found

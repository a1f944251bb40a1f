"""Everything followers see, on a telephone of 320 pixels, by keyboard alone, in English, Russian,
words half as long again, and from the right to the left.

The pages are made beforehand, without a script (tests/subscriptions/pages.py): the browser needs
no server and no database.
"""

from typing import Any

import lxml.html
import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from playwright.sync_api import Browser, Page, Route

from apps.followers.models import Follower
from apps.notifications.models import Delivery
from tests import looks
from tests.make import make_follower, make_type
from tests.subscriptions.pages import fresh_path, preferences_path, unsubscribe_path
from tests.subscriptions.reading.world import delivery_to, make_letter, make_public, view_path
from tests.subscriptions.sign_up.world import make_form

pytestmark = pytest.mark.browser
SITE = "http://carillon.test"
LOUDER = str.maketrans("aeiouyAEIOU", "áéíóúýÁÉÍÓÚ")
# Those that a person sees and Tab can stop at; of radio buttons it stops at one.
STOPS = """() => [...document.querySelectorAll(
    'a[href], button, select, textarea, summary, iframe, input:not([type=hidden], [type=radio])')]
    .filter(each => each.checkVisibility() && !each.closest('.trap')).length"""
STOPPED = """() => {
    const at = document.activeElement;
    if (at === document.body) return false;
    if (at.type !== 'radio') at.dataset.reached = '1';
    return true;
}"""


def paths_for(reader: Follower) -> dict[str, str]:
    """Each page that somebody can open, by a name."""
    own = preferences_path(reader)
    fresh = fresh_path(reader)
    view = view_path(delivery_to_news(reader))
    campaign = make_public("Spring", f"spring-{reader.language}")
    return {
        "preferences": own,
        "why": f"{fresh}messages/",
        "why, passed on": f"{own}messages/",
        "receipt": f"{fresh}receipt/",
        "unsubscribe": unsubscribe_path(reader, make_type(f"offers-{reader.language}")),
        "view": view,
        "archive": "/p/archive/",
        "archived": f"/p/archive/{campaign.uid}/",
        "form": f"/p/join/{make_form(f'letters-{reader.language}').key}/",
        "link": "/p/link/",
        "bad link": "/p/view/nothing/",
    }


def delivery_to_news(reader: Follower) -> Delivery:
    make_letter(make_type(f"news-{reader.language}", channels=["email", "sms"]), [reader])
    Delivery.objects.filter(follower=reader).update(status="sent", reason="default_on")
    return delivery_to(reader)


def longer(html: str) -> str:
    """Write a page in a language that is not there: accented, and half as long again."""
    page = lxml.html.fromstring(html)
    for each in page.xpath("//body//text()[normalize-space()]"):
        parent = each.getparent()
        if parent.tag in ("script", "style", "option"):
            continue
        said = f"{each.translate(LOUDER)}{' ~ów' * (len(each) // 8)}"
        if each.is_text:
            parent.text = said
        else:
            parent.tail = said
    return f"<!doctype html>{lxml.html.tostring(page, encoding='unicode')}"


def by_keyboard(page: Page) -> str:
    """What Tab does not reach; "" where it reaches all."""
    stops = int(page.evaluate(STOPS))
    page.evaluate("document.body.focus()")
    for _ in range(3 * stops + 10):
        page.keyboard.press("Tab")
        if not page.evaluate(STOPPED):
            break
    reached = int(page.evaluate("document.querySelectorAll('[data-reached]').length"))
    if reached < stops:
        return f"Tab reaches {reached} of {stops}"
    return ""


@pytest.mark.parametrize("language", ["en", "ru", "longer", "he"])
def test_every_page_is_read_on_a_small_screen_and_by_keyboard(
    client: Client, browser: Browser, settings: Any, db: None, language: str
) -> None:
    if language == "he":
        settings.LANGUAGES = [*settings.LANGUAGES, ("he", "עברית")]
    spoken = language
    if language == "longer":
        spoken = "en"
    reader = make_follower(email="reader@example.com", name="Miriam", language=spoken)
    pages = {}
    for name, path in paths_for(reader).items():
        pages[name] = client.get(path, headers={"accept-language": spoken}).content.decode()
        if language == "longer":
            pages[name] = longer(pages[name])

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        name = path.removeprefix("/").replace("%20", " ")
        if path.startswith("/static/"):
            route.fulfill(path=finders.find(path.removeprefix("/static/")))
        elif name in pages:
            route.fulfill(body=pages[name], content_type="text/html")
        else:
            route.fulfill(body="<a href=https://a.example>A mail</a>", content_type="text/html")

    found = {}
    page = browser.new_page(viewport={"width": 320, "height": 640})
    page.route("**/*", serve)
    for name in pages:
        page.goto(f"{SITE}/{name}")
        said = page.evaluate("[document.documentElement.lang, document.documentElement.dir]")
        assert said == [spoken, "rtl" if language == "he" else ""], name
        faults = looks.faults(page, tags=(*looks.WCAG, "best-practice"))
        if language == "en" and (missed := by_keyboard(page)):
            faults.append(missed)
        if faults:
            found[name] = faults
    page.close()
    assert found == {}

"""The public pages pass axe (WCAG 2.2 AA) on a desk and on a phone, in light and dark,
and fit the screen.
"""

import datetime as dt
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Route

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.followers.devices import phone_codes
from apps.followers.models import Export, Follower, PrivacyWish
from apps.followers.people import address_claims, further_addresses
from apps.followers.privacy import codes
from apps.subscriptions.claims.mail import link
from tests import looks
from tests.followers.fields.world import make_field
from tests.make import TESTER, make_follower, make_type
from tests.subscriptions.center.test_looking import copy_path, lost_path
from tests.subscriptions.pages import fresh_path, preferences_path, unsubscribe_path, visit
from tests.subscriptions.world import connect_browser, make_web_push

pytestmark = pytest.mark.browser
SITE = "http://carillon.test"


WRONG_HOURS = {
    "language": "en",
    "time_zone": "",
    "rhythm_was": "{}",
    "cadence": "daily",
    "digest_weekday": "0",
    "quiet": "same",
    "quiet_from": "22:00",
    "quiet_to": "22:00",
}


def make_busy() -> Follower:
    """Somebody who said all that can be said."""
    now = timezone.now()
    make_field(public=True)
    make_field("makes", "choices", public=True)
    busy = make_follower(email="busy@example.com", phone="+4915112345678")
    wishes = Wishes(
        quiet={"0": ["22:00", "07:00"]}, cadence="weekly", paused_until=now + dt.timedelta(2)
    )
    set_rhythm(follower=busy, values=wishes, proof=Proof(source="test", by=TESTER, now=now))
    phone_codes.issue(
        code_id=phone_codes.ask(follower=busy, number="+4915112345679", now=now).pk, now=now
    )
    connect_browser(busy)
    further_addresses.create_address(
        follower=busy, channel="email", value="second@example.com", by=TESTER, now=now
    )
    address_claims.ask(follower=busy, value="third@example.com", primary=True, now=now)
    return busy


@pytest.fixture
def answers(
    client: Client, anna: Follower, boris: Follower, settings: Any
) -> dict[str, tuple[int, str]]:
    """Pages made beforehand: the browser then needs no server and no database."""
    settings.PUSH_SERVICES = ["push.test"]
    make_web_push()
    everywhere = ["email", "in_app", "sms", "push", "web_push"]
    make_type(
        "security", category="critical", description="What you must know.", channels=everywhere
    )
    news = make_type("news", description="What is new, twice a month.")
    make_type("offers", channels=["email"], default_channels=[])
    make_type("orders", category="informational", locked_channels=["email"])
    saved = (
        visit(client, preferences_path(anna)).flip("cell", "news:email").flip("channel", "in_app")
    )
    busy = make_busy()
    paths = {
        "preferences": preferences_path(anna),
        "unsubscribed": preferences_path(boris),
        "saved": saved.press("Save my choices").url,
        "busy and fresh": fresh_path(busy),
        "address": link(busy.address_claims.get()),
        "one type": unsubscribe_path(anna, news),
        "own data": f"{preferences_path(busy)}privacy/",
        "copy": copy_path(busy),
        "link": "/p/link/",
        "bad link": "/p/preferences/nothing/",
        "bad click": "/c/nothing/1",
    }
    pages = {name: client.get(path) for name, path in paths.items()}
    pages |= {
        "address confirmed": client.post(paths["address"]),
        "done": client.post(paths["one type"], {"what": "type"}),
        "sent": client.post("/p/link/", {"email": "a@example.com"}),
        "wrong": client.post("/p/link/", {"email": "a@"}),
        "busy and wrong": client.post(preferences_path(busy), WRONG_HOURS),
        "no mailbox": client.get(f"{preferences_path(make_follower(name='Nobody'))}receipt/"),
    }
    codes.ask(follower=busy, wish=PrivacyWish.ERASE, now=timezone.now())
    pages["own data and a code"] = client.get(paths["own data"])
    pages["own data and wrong"] = client.post(f"{paths['own data']}erase/", {"code": "1"})
    Export.objects.update(state="ready")
    pages["copy is ready"] = client.get(paths["copy"])
    lost = lost_path(anna)
    pages |= {"address lost": client.get(lost), "address back": client.post(lost)}
    return {name: (page.status_code, page.content.decode()) for name, page in pages.items()}


def test_no_public_page_has_a_fault(browser: Browser, answers: Any) -> None:
    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(SITE)
        if path.startswith("/static/"):
            route.fulfill(path=finders.find(path.removeprefix("/static/")))
        else:
            status, body = answers[path.removeprefix("/").replace("%20", " ")]
            route.fulfill(status=status, body=body, content_type="text/html")

    faults = {}
    page = browser.new_page()
    page.route("**/*", serve)
    for name, round_ in zip(answers, looks.rounds(), strict=False):
        looks.wear(page, round_[0])
        page.goto(f"{SITE}/{name}")
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
        if found := looks.faults_in(page, round_, tags=(*looks.WCAG, "best-practice")):
            faults[name] = found
    backgrounds = {}
    for look in looks.LOOKS:
        looks.wear(page, look)
        backgrounds[look] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.close()
    assert faults == {}
    colours = {"light": "rgb(248, 249, 250)", "dark": "rgb(21, 24, 28)"}
    assert backgrounds == {look: colours[look[1]] for look in looks.LOOKS}

"""One long word, wherever staff or followers typed it, makes no page wider than the screen."""

import datetime as dt
import re
from typing import Any
from urllib.parse import quote

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser

from apps.accounts import keys
from apps.accounts.models import User
from apps.campaigns import lifecycle
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.events import rules, store
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.models import Campaign
from apps.campaigns.recurring import edit as recurring_edit
from apps.campaigns.recurring.edit import RecurringValues
from apps.dashboard.shell import menu
from apps.followers.consent.suppression import suppress
from apps.followers.devices import webhooks
from apps.followers.models import Follower
from apps.notifications.accounts import edit as accounts_edit
from apps.notifications.models import Delivery
from tests import looks
from tests.campaigns.drafts import make_campaign, plan
from tests.make import TESTER, make_follower, make_template, make_type
from tests.receiver import Receiver

pytestmark = [
    pytest.mark.browser,
    pytest.mark.looks,
    pytest.mark.reported,
    pytest.mark.django_db(transaction=True),
]
WORD = "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz"
LONG = (WORD * 2)[:100]
ADDRESS = f"{'x' * 60}@{'y' * 60}.{'z' * 60}.example.com"
# a page that is one of many like it
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/)\d+(?=/)")


@pytest.fixture
def wordy(receiver: Receiver, admin: User) -> list[str]:
    """Rows of each kind that are called by one long word; pages to begin at."""
    now = timezone.now()
    stamp: dict[str, Any] = {"by": TESTER, "now": now}
    User.objects.filter(pk=admin.pk).update(first_name=WORD, last_name=WORD)
    kind = make_type("a" * 60, name=LONG, description=LONG * 2)
    template = make_template("b" * 60, name=LONG, subject=LONG, html=f"<p>{LONG * 3}</p>")
    follower = make_follower(
        email=ADDRESS, name=LONG, external_id=LONG, tags=["t" * 50], metadata={LONG: LONG * 3}
    )
    rule = {"all": [{"field": "tag", "op": "is", "value": "t" * 50}]}
    segment = create_segment(values=SegmentValues(name=LONG, rules=rule), **stamp)
    audience = {"everyone": True, "exclude_segments": [str(segment.uid)]}
    draft, sent = (make_campaign(LONG, notification_type=kind) for _ in range(2))
    Campaign.objects.filter(pk=draft.pk).update(audience=audience)
    run = lifecycle.send_now(campaign=sent, **stamp)
    plan(run)
    run.notification.deliveries.update(status="failed", reason="gave_up", error=LONG * 3)
    webhooks.create_webhook(follower=follower, url=f"https://example.com/{quote(LONG)}", **stamp)
    suppress(channel="email", value=ADDRESS, reason="manual", note=LONG * 2, **stamp)
    keys.issue(name=LONG[:60], scopes=["content:read"], **stamp)
    accounts_edit.create_account(name=LONG[:60], provider_key="in_app", settings={}, **stamp)
    values = RuleValues(name=LONG, event=f"order.{'e' * 90}", notification_type=kind)
    rules.create_rule(values=values, **stamp)
    store.record(events=[store.NewEvent(f"order.{'e' * 90}", follower, {LONG: LONG})], now=now)
    again = RecurringValues(
        name=LONG, notification_type=kind, template=template, audience=audience,
        cadence={"kind": "daily", "times": ["09:00"]},
    )  # fmt: skip
    recurring_edit.create_recurring(values=again, by=TESTER, now=now - dt.timedelta(days=1))
    delivery = Delivery.objects.filter(channel="email").first()
    assert delivery
    assert Follower.objects.get().name == LONG
    return [
        *(reverse(item.url_name) for item in menu.ITEMS),
        reverse("dashboard:follower", args=[follower.uid]),
        reverse("dashboard:delivery", args=[delivery.uid]),
    ]


def test_one_long_word_widens_no_staff_page(
    browser: Browser, live_server: Any, admin: User, wordy: list[str]
) -> None:
    """Crawls from the menu, one page of each kind, as a computer and a phone show it."""
    wide = {}
    seen = set()
    queue = list(wordy)
    with looks.watched(browser, base_url=live_server.url) as page:
        looks.log_in(page, live_server.url, admin)
        while queue:
            path = queue.pop(0)
            shape = _ID.sub("*", path.split("?")[0])
            if shape in seen:
                continue
            seen.add(shape)
            response = page.goto(path)
            assert response is not None
            if "text/html" not in response.headers.get("content-type", ""):
                continue
            looks.settled(page)
            for width in (1440, 390):
                page.set_viewport_size({"width": width, "height": 900})
                if found := page.evaluate(TOO_WIDE):
                    wide[f"{path} at {width}"] = found
            queue += page.evaluate(LINKS)
    assert wide == {}
    assert len(seen) > 45


TOO_WIDE = """() => {
    const most = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= most) return null;
    const name = each => `${each.tagName}.${each.className} ${each.getBoundingClientRect().right}`;
    const out = [...document.querySelectorAll("main *")];
    return out.filter(each => each.getBoundingClientRect().right > most + 1).slice(0, 5).map(name);
}"""
# no addresses that do something else than show a page
LINKS = r"""() => [...document.querySelectorAll("main a[href^='/']")]
    .map(each => each.getAttribute("href"))
    .filter(href => !/logout|download|\.csv|\.eml|\/(c|o|p|api|admin)\//.test(href))"""

"""Staff pages in Chromium: no accessibility fault (WCAG 2.2 AA), nothing the policy refuses, nothing too wide."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page

from apps.accounts.models import User
from apps.campaigns import launch, lifecycle
from apps.campaigns.models import Campaign
from apps.dashboard import menu
from apps.followers.models import Follower
from tests.make import TESTER, make_type
from tests.notifications.world import drain, make_accounts
from tests.receiver import Receiver

pytestmark = [pytest.mark.browser, pytest.mark.looks, pytest.mark.django_db(transaction=True)]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.fixture
def pages(live_server: Any, anna: Follower, boris: Follower, admin: User) -> dict[str, str]:
    """Paths of pages with something on them, by name."""
    now = timezone.now()
    kind = make_type("news")
    words = {
        "email": {
            "subject": "Hello {{ follower.name }}",
            "html": "<p style='color:#343A40'>Hello {{ follower.name }}</p>",
        },
        "in_app": {"title": "Hello"},
    }
    stamp: dict[str, Any] = {"by": TESTER, "now": now}
    draft, sent = (
        lifecycle.create_campaign(
            name=name, notification_type=kind, channels=["email", "in_app"], translations={"en": words},
            audience={"everyone": True}, **stamp,
        )
        for name in ("A draft", "A sent one")
    )  # fmt: skip
    with Receiver() as receiver:
        make_accounts(receiver)
        run = lifecycle.send_now(campaign=sent, **stamp)
        launch.launch(run_id=run.pk)
        drain()
    assert Campaign.objects.get(pk=sent.pk).state == "sent"
    found = {item.label: reverse(item.url_name) for item in menu.ITEMS}
    found |= {f"compose: {step}": reverse(f"dashboard:campaign-{step}", args=[draft.uid])
              for step in ("content", "audience", "schedule", "review")}  # fmt: skip
    found |= {
        "campaign": reverse("dashboard:campaign", args=[sent.uid]),
        "follower": reverse("dashboard:follower", args=[anna.uid]),
        "delivery": reverse("dashboard:delivery", args=[run.notification.deliveries.first().uid]),
    }
    return found


@pytest.fixture
def opened(browser: Browser, live_server: Any, admin: User, complaints: list[str]) -> Callable[..., Page]:
    """A page of somebody who is logged in as an administrator."""

    def open_page(**options: Any) -> Page:
        client = Client()
        client.force_login(admin)
        context = browser.new_context(base_url=live_server.url, **options)
        value = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": value, "url": live_server.url}])
        page = context.new_page()
        page.on("console", lambda said: complaints.append(f"{page.url}: {said.text}") if said.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        return page

    return open_page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_no_staff_page_has_a_fault(
    pages: dict[str, str], opened: Callable[..., Page], complaints: list[str], scheme: str, width: int
) -> None:
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
    faults, wide = {}, []
    for name, path in pages.items():
        response = page.goto(path)
        assert response is not None
        assert response.status == 200, name
        page.wait_for_load_state("networkidle")
        if found := Axe().run(page, options=RULES).response["violations"]:
            faults[name] = [(each["id"], [node["target"] for node in each["nodes"]][:3]) for each in found]
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(name)
    page.context.close()
    assert faults == {}
    assert wide == []
    assert complaints == []

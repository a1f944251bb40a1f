"""The try-it page in Chromium: it works under the strict policy, with nothing from outside."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.followers.models import Follower
from tests import looks

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_staff_try_a_call_on_the_page_itself(live_server: Any, page: Page, editor: User) -> None:
    looks.log_in(page, live_server.url, editor)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{live_server.url}/api/docs/")
    call = page.locator("#operations-Followers-followers_create")
    call.locator(".opblock-summary-control").click()
    call.get_by_role("button", name="Try it out").click()
    call.locator("textarea").fill('{"name": "Eve"}')
    call.get_by_role("button", name="Execute").click()
    expect(call.locator(".live-responses-table tbody .response-col_status").first).to_contain_text(
        "201"
    )
    assert Follower.objects.get().name == "Eve"
    assert [url for url in asked if not url.startswith((live_server.url, "data:"))] == []

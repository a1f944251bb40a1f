"""A page of somebody in Berlin."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.looks import watched


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    place = {"locale": "en-GB", "timezone_id": "Europe/Berlin"}
    with watched(browser, viewport={"width": 1440, "height": 900}, **place) as page:
        yield page

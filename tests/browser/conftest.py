"""Chromium, headless, watched: what the page's console complains about fails the test."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture
def complaints() -> list[str]:
    """Errors of the page's console: broken scripts, refused styles, missing files."""
    return []


@pytest.fixture
def page(browser: Browser, complaints: list[str]) -> Iterator[Page]:
    context = browser.new_context(viewport=WIDE, locale="en-GB", timezone_id="Europe/Berlin")
    context.set_default_timeout(10_000)

    def watch(new: Page) -> None:
        def heard(message: Any) -> None:
            if message.type == "error":
                complaints.append(f"{new.url}: {message.text}")

        new.on("console", heard)
        new.on("pageerror", lambda error: complaints.append(f"{new.url}: {error}"))

    context.on("page", watch)
    yield context.new_page()
    context.close()
    assert complaints == []

"""Layouts in the dashboard: the frame around emails, checked before it is kept."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.content.layouts import save_layout
from apps.content.models import Layout
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER

FRAME = "<html><body><h1>{{ site.name }}</h1>{{ content }}</body></html>"


@pytest.fixture
def layout(db: None) -> Layout:
    return save_layout(key="plain", name="Plain", html=FRAME, by=TESTER, now=timezone.now())


def test_an_editor_changes_a_layout_and_a_viewer_only_looks(
    client: Client, editor: Any, viewer: Any, layout: Layout
) -> None:
    url = reverse("dashboard:layout", args=["plain"])
    values = {"name": "Plainer", "html": FRAME.replace("h1", "h2"), "text": ""}
    page = page_of(as_role(client, viewer).get(url))
    assert "Plain" in page.text
    client.post(url, values)
    layout.refresh_from_db()
    assert layout.name == "Plain"
    as_role(client, editor).post(url, values)
    layout.refresh_from_db()
    assert (layout.name, layout.html) == ("Plainer", FRAME.replace("h1", "h2"))


@pytest.mark.parametrize(
    ("html", "message"),
    [
        ("<html><body>no place for words</body></html>", "must stand in it once"),
        ("<html>\n{{ content }}\n{{ folower.name }}</html>", "Line 3"),
        ("{{ content }}{% if %}", "Line 1"),
    ],
)
def test_a_layout_that_would_break_mails_is_refused_at_its_field(
    client: Client, editor: Any, layout: Layout, html: str, message: str
) -> None:
    url = reverse("dashboard:layout", args=["plain"])
    answer = as_role(client, editor).post(url, {"name": "Plain", "html": html, "text": ""})
    assert message in page_of(answer).text
    layout.refresh_from_db()
    assert layout.html == FRAME


def test_a_new_layout_starts_with_one_that_works(client: Client, editor: Any, viewer: Any) -> None:
    url = reverse("dashboard:layout-new")
    assert as_role(client, viewer).get(url).status_code == 403
    form = as_role(client, editor).get(url).context["form"]
    client.post(url, {"name": "Ours", "key": "ours", "html": form.initial["html"], "text": ""})
    assert Layout.objects.get().key == "ours"


def test_a_key_that_is_taken_is_refused_and_nothing_is_replaced(
    client: Client, editor: Any, layout: Layout
) -> None:
    values = {"name": "Other", "key": "plain", "html": "{{ content }}", "text": ""}
    answer = as_role(client, editor).post(reverse("dashboard:layout-new"), values)
    assert "There is already a layout with the key plain" in page_of(answer).text
    layout.refresh_from_db()
    assert layout.name == "Plain"


def test_the_frame_shows_sample_words_and_lets_nothing_run(
    client: Client, viewer: Any, layout: Layout
) -> None:
    answer = as_role(client, viewer).get(reverse("dashboard:layout-frame", args=["plain"]))
    assert "A headline" in answer.content.decode()
    assert "Hello Alex" in answer.content.decode()
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "SAMEORIGIN"


def test_the_list_is_empty_with_words_and_then_shows_layouts(client: Client, viewer: Any) -> None:
    as_role(client, viewer)
    assert "No layouts yet" in page_of(client.get(reverse("dashboard:layouts"))).text
    save_layout(key="plain", name="Plain frame", html=FRAME, by=TESTER, now=timezone.now())
    assert "Plain frame" in page_of(client.get(reverse("dashboard:layouts"))).text

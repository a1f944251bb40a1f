"""Message types, their templates and layouts are made by programs; and a test is sent."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.content.models import Layout
from tests.api.world import make_client
from tests.make import make_template, make_type
from tests.notifications.world import make_accounts
from tests.receiver import Receiver

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
TYPES = "/api/v1/message-types"


def test_a_message_type_is_made_with_its_template(api: APIClient, problem: Any) -> None:
    make_template("order")
    said = {
        "key": "orders",
        "name": "Orders",
        "category": "informational",
        "channels": ["email", "in_app"],
        "default_channels": ["email"],
        "template": "order",
    }
    made = api.post(TYPES, said)
    assert made.status_code == 201, made.json()
    assert made.json()["template"] == "order"
    assert api.get(f"{TYPES}/orders").json() == made.json()
    told = {"type": "orders", "recipients": [{"email": "eve@example.com"}]}
    assert api.post("/api/v1/notify", told).status_code == 202
    problem(api.post(TYPES, said), 409, "key")
    problem(api.post(TYPES, said | {"key": "o", "template": "nothing"}), 400, "template")
    problem(api.post(TYPES, said | {"key": "o", "channels": []}), 400, "channels")
    problem(api.post(TYPES, said | {"key": "o", "default_channels": ["sms"]}), 400)
    problem(make_client("content:read").post(TYPES, said), 403)


def test_a_message_type_changes_its_words_and_template_only_where_something_is_said(
    api: APIClient, problem: Any
) -> None:
    make_type("news")
    make_template("weekly")
    path = f"{TYPES}/news"
    bound = api.patch(path, {"template": "weekly"}).json()
    assert (bound["template"], bound["name"]) == ("weekly", "News")
    assert api.patch(path, {"name": "Our news"}).json()["template"] == "weekly"
    assert api.patch(path, {"template": None}).json()["template"] is None
    assert api.patch(path, {"channels": ["email"], "default_channels": []}).json()["channels"] == [
        "email"
    ]


def test_no_program_makes_a_message_type_critical(api: APIClient, problem: Any) -> None:
    make_type("news", category="informational")
    new = {"key": "code", "name": "Code", "category": "critical", "channels": ["sms"]}
    problem(api.post(TYPES, new), 400, "category")
    problem(api.patch(f"{TYPES}/news", {"category": "critical"}), 400, "category")


def test_a_layout_is_made_read_and_changed(api: APIClient, problem: Any) -> None:
    path = "/api/v1/layouts/shop"
    problem(api.get(path), 404)
    made = api.put(path, {"name": "Shop", "html": "<p>{{ content }}</p>"})
    assert (made.status_code, made.json()["html"]) == (200, "<p>{{ content }}</p>")
    changed = api.put(
        path,
        {"name": "Shop", "html": "<div>{{ content }}</div>"},
        headers={"If-Match": api.get(path).headers["ETag"]},
    )
    assert changed.json()["html"] == "<div>{{ content }}</div>"
    problem(api.put(path, {"name": "Shop", "html": "<p>nothing</p>"}), 409)
    problem(api.put("/api/v1/layouts/a%20b", {"name": "x", "html": "{{ content }}"}), 400, "key")
    assert [each["key"] for each in api.get("/api/v1/layouts").json()["results"]] == ["shop"]
    assert Layout.objects.count() == 1


def test_a_test_of_a_version_is_sent(api: APIClient, receiver: Receiver, problem: Any) -> None:
    make_accounts(receiver)
    make_type("news")
    template = make_template("letter")
    path = f"/api/v1/templates/{template.uid}/versions/1/test"
    sent = api.post(path, {"to": "me@example.com", "type": "news"})
    assert (sent.status_code, sent.json()["result"]) == (200, "accepted"), sent.json()
    assert receiver.recipients == ["me@example.com"]
    problem(api.post(path, {"to": "nobody", "type": "news"}), 400, "to")
    problem(api.post(path, {"to": "me@example.com"}), 400, "type")
    problem(make_client("content:read").post(path, {"to": "me@example.com"}), 403)
    problem(make_client("notifications:write").post(path, {"to": "me@example.com"}), 403)

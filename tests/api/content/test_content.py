"""Templates over the API: write, publish, go back, preview."""

from typing import Any

import pytest

from apps.notifications.models import TypeTemplate
from apps.notifications.types.edit import template_of
from tests.api.world import send_letter
from tests.make import make_template, make_type

PATH = "/api/v1/templates"
WORDS = {
    "en": {"email": {"subject": "Hello {{ follower.name }}", "html": "<p>Order {{ order }}</p>"}}
}
NEW = {
    "key": "order",
    "name": "Order",
    "translations": WORDS,
    "variables": [{"name": "order", "type": "string", "required": True, "example": "A-17"}],
}
pytestmark = pytest.mark.django_db


def test_a_template_is_written_published_changed_and_restored(api) -> None:
    made = api.post(PATH, NEW)
    assert made.status_code == 201
    assert (made.json()["published"], made.json()["draft"]) == (None, 1)
    path = f"{PATH}/{made.json()['id']}"
    assert api.post(f"{path}/publish").json()["status"] == "published"
    edited = api.patch(
        f"{path}/draft",
        {"translations": {"ru": {"email": {"subject": "Заказ", "html": "<p>Да</p>"}}}},
    )
    assert edited.json()["number"] == 2
    assert sorted(edited.json()["translations"]) == ["en", "ru"]
    assert (api.get(path).json()["published"], api.get(path).json()["draft"]) == (1, 2)
    api.post(f"{path}/publish")
    back = api.post(f"{path}/versions/1/restore").json()
    assert (back["number"], back["status"], sorted(back["translations"])) == (3, "draft", ["en"])
    versions = api.get(f"{path}/versions").json()["results"]
    assert [(each["number"], each["status"]) for each in versions] == [
        (3, "draft"),
        (2, "published"),
        (1, "superseded"),
    ]
    assert api.get(f"{path}/versions/1").json() == versions[2]


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"key": "not a key"}, 400, "key"),
        ({"translations": {"en": {"pigeon": {}}}}, 400, "translations"),
        ({"translations": []}, 400, "translations"),
        ({"layout": "none"}, 400, "layout"),
        ({"private": True}, 400, "private"),
        ({"key": "letter"}, 409, "key"),
    ],
)
def test_what_cannot_be_a_template_is_refused(
    api, problem, change: dict[str, Any], status: int, field: str
) -> None:
    make_template("letter")
    problem(api.post(PATH, NEW | change), status, field=field)


def test_a_draft_with_a_mistake_is_not_published_and_every_place_is_named(api, problem) -> None:
    words = {"en": {"email": {"subject": "Hello {{ nobody }}", "html": "<p>{% if %}</p>"}}}
    made = api.post(PATH, NEW | {"translations": words, "variables": []}).json()
    body = problem(api.post(f"{PATH}/{made['id']}/publish"), 409)
    assert any("en.email.subject" in each["field"] for each in body["errors"])
    assert any("en.email.html" in each["field"] for each in body["errors"])


def test_two_who_edit_the_same_draft_are_told(api, problem) -> None:
    path = f"{PATH}/{api.post(PATH, NEW).json()['id']}"
    seen = api.get(f"{path}/versions/1").json()["updated_at"]
    assert api.patch(f"{path}/draft", {"note": "mine", "seen": seen}).status_code == 200
    problem(api.patch(f"{path}/draft", {"note": "yours", "seen": seen}), 409)


def test_a_version_is_previewed_as_somebody(api, problem, anna) -> None:
    made = api.post(PATH, NEW).json()
    path = f"{PATH}/{made['id']}/versions/1/preview"
    kind = make_type("orders")
    problem(api.post(path), 400, field="type")
    seen = api.post(path, {"type": "orders", "follower": str(anna.uid)}).json()
    assert seen["parts"]["subject"] == "Hello Anna Weber"
    assert "Order A-17" in seen["parts"]["html"]
    seen = api.post(path, {"type": "orders", "data": {"order": "<b>"}}).json()
    assert "Order &lt;b&gt;" in seen["parts"]["html"]
    problem(api.post(path, {"type": "orders", "channel": "sms"}), 400)
    problem(api.post(path, {"type": "none"}), 400, field="type")
    template = make_template("spoken")
    TypeTemplate.objects.create(notification_type=kind, template=template)
    assert template_of(kind) == template
    assert (
        api.post(f"{PATH}/{template.uid}/versions/1/preview", {"channel": "in_app"}).json()[
            "parts"
        ]["title"]
        == "Hello"
    )


def test_the_words_of_a_campaign_are_not_in_the_library(api, problem, anna) -> None:
    campaign = send_letter()
    assert str(campaign.template.uid) not in str(api.get(PATH).json())
    problem(api.get(f"{PATH}/{campaign.template.uid}"), 404)


def test_an_archived_template_leaves_the_list(api) -> None:
    template = make_template()
    assert api.post(f"{PATH}/{template.uid}/archive").json()["archived_at"]
    assert api.get(PATH).json()["results"] == []
    assert len(api.get(f"{PATH}?archived=true").json()["results"]) == 1


def test_types_are_listed(api) -> None:
    make_type("news")
    assert [each["key"] for each in api.get("/api/v1/message-types").json()["results"]] == ["news"]
    assert api.get("/api/v1/message-types/news").json()["commercial"] is True

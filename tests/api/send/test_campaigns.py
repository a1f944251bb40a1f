"""Segments, campaigns and messages over the API."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.models import Campaign, Run
from apps.notifications.models import Delivery
from tests.api.world import make_client, plan, send_letter
from tests.make import make_follower, make_template, make_type
from tests.notifications.world import drain

PATH = "/api/v1/campaigns"
GERMANS = {"all": [{"field": "language", "op": "is", "value": "de"}]}
pytestmark = pytest.mark.django_db


# ---------------------------------------------------------------- segments
def test_a_segment_counts_and_lists_who_is_in_it(api, problem, anna) -> None:
    make_follower(name="Dieter", language="de")
    made = api.post("/api/v1/segments", {"name": "Germans", "rules": GERMANS})
    assert made.status_code == 201
    path = f"/api/v1/segments/{made.json()['id']}"
    assert api.get(f"{path}/count").json() == {"count": 1}
    assert [each["name"] for each in api.get(f"{path}/followers").json()["results"]] == ["Dieter"]
    assert api.post("/api/v1/segments/count", {"rules": {"not": GERMANS}}).json() == {"count": 1}
    problem(api.post("/api/v1/segments", {"name": "Germans", "rules": GERMANS}), 409, field="name")
    problem(
        api.post("/api/v1/segments/count", {"rules": {"all": [{"field": "shoe", "op": "is"}]}}),
        400,
        field="rules",
    )
    assert api.patch(path, {"description": "By language"}).json()["description"] == "By language"
    assert api.delete(path).status_code == 204


def test_a_segment_that_a_draft_uses_is_not_deleted(api, problem, news) -> None:
    segment = api.post("/api/v1/segments", {"name": "Germans", "rules": GERMANS}).json()["id"]
    api.post(PATH, {"name": "May", "type": "news", "audience": {"segments": [segment]}})
    assert "May" in problem(api.delete(f"/api/v1/segments/{segment}"), 409)["detail"]


# ---------------------------------------------------------------- campaigns
def test_a_campaign_is_composed_counted_sent_and_balanced(api, draft, boris) -> None:
    path = f"{PATH}/{draft['id']}"
    assert draft["channels"] == ["email", "in_app"]
    counted = api.get(f"{path}/audience").json()
    assert (counted["total"], counted["reached"], counted["problems"]) == (2, 1, [])
    email = counted["channels"][0]
    assert (email["will_get"], email["will_not"]) == (1, 1)
    assert api.get(f"{path}/balance").json()["total"] == 0
    sent = api.post(f"{path}/send")
    assert (sent.status_code, sent.json()["status"]) == (202, "sending")
    assert api.post(f"{path}/send").status_code == 200
    assert Run.objects.count() == 1
    plan()
    balance = api.get(f"{path}/balance").json()
    assert (balance["total"], balance["waiting"], balance["skipped"]) == (4, 2, {"unsubscribed": 2})
    skipped = api.get(f"{path}/deliveries?status=skipped&channel=email").json()["results"]
    assert [(each["follower"], each["reason"]) for each in skipped] == [
        (str(boris.uid), "unsubscribed")
    ]
    assert skipped[0]["explanation"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "none"}, "type"),
        ({"name": " "}, "name"),
        ({"channels": ["pigeon"]}, "channels"),
        ({"audience": {"tags": ["none"]}}, "audience"),
        ({"audience": {"people": []}}, "audience"),
        ({"template": "0190a000-0000-7000-8000-000000000000"}, "template"),
        ({"status": "sent"}, "status"),
        ({"translations": {"en": {"pigeon": {}}}}, "translations"),
    ],
)
def test_what_cannot_be_a_campaign_is_refused(
    api, problem, news, change: dict[str, Any], field: str
) -> None:
    problem(api.post(PATH, {"name": "May", "type": "news"} | change), 400, field=field)
    assert not Campaign.objects.exists()


def test_a_campaign_that_lacks_something_is_not_sent_and_says_all_of_it(api, problem, news) -> None:
    made = api.post(PATH, {"name": "May", "type": "news"}).json()
    body = problem(api.post(f"{PATH}/{made['id']}/send"), 409)
    assert {each["field"] for each in body["errors"]} == {"content", "audience"}
    assert api.get(f"{PATH}/{made['id']}").json()["status"] == "draft"


def test_only_a_draft_changes_and_the_second_editor_is_told(api, problem, draft) -> None:
    path = f"{PATH}/{draft['id']}"
    assert api.patch(path, {"name": "June", "revision": draft["revision"]}).json()["name"] == "June"
    problem(api.patch(path, {"name": "July", "revision": draft["revision"]}), 409)
    api.post(f"{path}/send")
    assert "Copy" in problem(api.patch(path, {"name": "July"}), 409)["detail"]
    problem(api.delete(path), 409)


def test_a_campaign_is_scheduled_by_wall_time_and_taken_off_again(api, problem, draft) -> None:
    path = f"{PATH}/{draft['id']}"
    year = timezone.now().year + 1
    answer = api.post(
        f"{path}/schedule", {"wall": f"{year}-07-01T09:00", "time_zone": "Europe/Berlin"}
    )
    assert (answer.json()["status"], answer.json()["send_at"]) == (
        "scheduled",
        f"{year}-07-01T07:00:00Z",
    )
    assert api.post(f"{path}/unschedule").json()["status"] == "draft"
    assert api.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("when", "field"),
    [
        ({"wall": "2020-01-01T09:00", "time_zone": "Europe/Berlin"}, "wall"),
        ({"wall": "2031-03-30T02:30", "time_zone": "Europe/Berlin"}, "wall"),
        ({"wall": "2031-05-01T09:00Z", "time_zone": "Europe/Berlin"}, "wall"),
        ({"wall": "tomorrow", "time_zone": "Europe/Berlin"}, "wall"),
        ({"wall": "2031-05-01T09:00", "time_zone": "+02:00"}, "time_zone"),
        ({"wall": "2031-05-01T09:00"}, "time_zone"),
    ],
)
def test_a_time_that_cannot_be_is_refused(
    api, problem, draft, when: dict[str, str], field: str
) -> None:
    problem(api.post(f"{PATH}/{draft['id']}/schedule", when), 400, field=field)


def test_pause_resume_and_cancel_tell_the_truth(api, problem, anna) -> None:
    path = f"{PATH}/{send_letter().uid}"
    assert api.post(f"{path}/pause").json()["waiting"] == 2
    assert api.post(f"{path}/resume").status_code == 200
    done = api.post(f"{path}/cancel").json()
    assert (done["total"], done["cancelled"], done["handed_off"]) == (2, 2, 0)
    assert api.get(f"{PATH}?status=cancelled").json()["results"][0]["id"] in path


def test_to_write_is_not_to_send(problem, anna) -> None:
    writer = make_client("campaigns:read", "campaigns:write")
    make_type("news")
    message = writer.post("/api/v1/messages", {"subject": "Hi", "content": "Hello"}).json()
    problem(writer.post(f"/api/v1/messages/{message['id']}/send"), 403)
    assert (
        make_client("campaigns:send").post(f"/api/v1/messages/{message['id']}/send").status_code
        == 202
    )


# ---------------------------------------------------------------- messages
def test_a_message_goes_to_everyone_and_the_unsubscribed_are_skipped(
    api, news, anna, boris
) -> None:
    sent = {
        "subject": "Hi {{ follower.first_name }}",
        "content": "<p>Hello</p>",
        "metadata": {"ref": 7},
    }
    made = api.post("/api/v1/messages", sent)
    assert made.status_code == 201
    message = made.json()
    assert {name: message[name] for name in sent} == sent
    assert (message["status"], message["type"], message["tags"]) == ("draft", "news", [])
    path = f"/api/v1/messages/{message['id']}"
    assert api.get(path).json() == message
    assert api.get("/api/v1/messages").json()["results"] == [message]
    assert api.get(f"{path}/deliveries").json()["results"] == []
    assert api.post(f"{path}/send").json()["status"] == "sending"
    plan()
    rows = api.get(f"{path}/deliveries").json()["results"]
    assert {(each["follower"], each["status"], each["reason"]) for each in rows} == {
        (str(anna.uid), "pending", "default_on"),
        (str(boris.uid), "skipped", "unsubscribed"),
    }


def test_a_message_really_arrives(api, news, anna, boris, receiver) -> None:
    sent = {"subject": "Hi {{ follower.first_name }}", "content": "<p>Hello</p>"}
    path = f"/api/v1/messages/{api.post('/api/v1/messages', sent).json()['id']}"
    api.post(f"{path}/send")
    plan()
    drain()
    assert receiver.recipients == ["anna@example.com"]
    assert receiver.arrived[0].mail["Subject"] == "Hi Anna"
    rows = api.get(f"{path}/deliveries").json()["results"]
    assert {each["follower"]: each["status"] for each in rows} == {
        str(anna.uid): "sent",
        str(boris.uid): "skipped",
    }
    assert api.get(path).json()["status"] == "sent"


def test_a_message_by_tags_goes_to_those_only(api, news, anna, boris) -> None:
    api.post(f"/api/v1/followers/{anna.uid}/tags", {"tags": ["Early Birds"]})
    made = api.post(
        "/api/v1/messages", {"subject": "Hi", "content": "a < b", "tags": ["Early Birds"]}
    ).json()
    assert (made["tags"], made["content"]) == (["early-birds"], "a < b")
    api.post(f"/api/v1/messages/{made['id']}/send")
    plan()
    assert Delivery.objects.get().follower == anna


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"subject": "", "content": "x"}, "subject"),
        ({"subject": "x"}, "content"),
        ({"subject": "x", "content": "  "}, "content"),
        ({"subject": "x", "content": "x", "tags": ["none"]}, "tags"),
        ({"subject": "x", "content": "x", "type": "none"}, "type"),
        ({"subject": "x", "content": "x", "to": "all"}, "to"),
    ],
)
def test_what_cannot_be_a_message_is_refused(
    api, problem, news, sent: dict[str, Any], field: str
) -> None:
    problem(api.post("/api/v1/messages", sent), 400, field=field)


def test_without_a_commercial_type_a_message_needs_one(api, problem) -> None:
    make_type("codes", category="informational")
    sent = {"subject": "x", "content": "x"}
    problem(api.post("/api/v1/messages", sent), 400, field="type")
    assert api.post("/api/v1/messages", sent | {"type": "codes"}).status_code == 201


def test_a_message_with_broken_words_says_where(api, problem, news, anna) -> None:
    made = api.post("/api/v1/messages", {"subject": "Hi", "content": "{% if %}"}).json()
    body = problem(api.post(f"/api/v1/messages/{made['id']}/send"), 409)
    assert "en.email.text" in body["detail"]
    assert not Run.objects.exists()


def test_the_clock_of_a_schedule_is_the_servers(api, draft) -> None:
    soon = timezone.now() + dt.timedelta(minutes=5)
    when = {"wall": f"{soon:%Y-%m-%dT%H:%M:%S}", "time_zone": "UTC"}
    assert api.post(f"{PATH}/{draft['id']}/schedule", when).json()["status"] == "scheduled"


@pytest.mark.parametrize(
    ("wall", "zone"),
    [("9999-12-31T23:59", "America/Los_Angeles"), ("0001-01-01T00:00", "Asia/Tokyo")],
)
def test_a_time_at_the_end_of_the_calendar_is_refused(
    api, problem, draft, wall: str, zone: str
) -> None:
    problem(
        api.post(f"{PATH}/{draft['id']}/schedule", {"wall": wall, "time_zone": zone}),
        400,
        field="wall",
    )
    problem(
        api.patch(f"{PATH}/{draft['id']}", {"expires_at": "9999-12-31T23:59:59Z"}),
        400,
        field="expires_at",
    )


def test_a_campaign_is_told_how_fast_to_go(api, problem, draft) -> None:
    path = f"{PATH}/{draft['id']}"
    assert (draft["rate"], draft["spread"]) == (None, None)
    assert api.patch(path, {"rate": 2.5}).json()["rate"] == 2.5
    changed = api.patch(path, {"spread": 3600}).json()
    assert (changed["rate"], changed["spread"]) == (None, 3600)
    problem(api.patch(path, {"rate": 0}), 400, field="rate")
    problem(api.patch(path, {"rate": 1, "spread": 3600}), 400, field="spread")


def test_words_that_are_no_object_are_refused(api, problem, draft) -> None:
    sent = {"translations": {"en": {"email": "Hello"}}}
    assert (
        "subject"
        in problem(api.patch(f"{PATH}/{draft['id']}", sent), 400, field="translations")["detail"]
    )


def test_the_failed_ones_are_sent_again_and_the_campaign_is_archived(api, problem, anna) -> None:
    path = f"{PATH}/{send_letter('email').uid}"
    assert "Cancel it first" in problem(api.post(f"{path}/archive"), 409)["detail"]
    assert api.post(f"{path}/retry").json() == {"retried": 0}
    api.post(f"{path}/cancel")
    problem(api.post(f"{path}/retry"), 409)
    assert api.post(f"{path}/archive").json()["status"] == "archived"


@pytest.mark.reported
def test_the_review_counts_each_language_and_a_forgotten_one_is_kept_or_removed(
    api, problem, news, anna
) -> None:
    words = {"email": {"subject": "Hello", "html": "<p>Hello</p>"}}
    library = make_template("letter", translations={"en": words, "ru": words})
    made = api.post(PATH, {"name": "May", "type": "news", "template": str(library.uid)}).json()
    path = f"{PATH}/{made['id']}"
    changed = {"email": {"subject": "Sale", "html": "<p><a href='/sale'>Sale</a></p>"}}
    api.patch(
        path,
        {"channels": ["email"], "audience": {"everyone": True}, "translations": {"en": changed}},
    )
    counted = api.get(f"{path}/audience").json()
    assert counted["languages"][0] == {
        "language": "en",
        "people": 1,
        "falling_back": {},
        "subject": "Sale",
        "preheader": "",
        "left_behind": False,
        "frame_as_in": "",
    }
    assert counted["languages"][1]["left_behind"] is True
    assert [each["where"] for each in counted["problems"]] == ["ru"]
    assert [each["where"] for each in counted["warnings"]] == ["en.email.html"]
    assert api.patch(path, {"kept": ["ru"]}).status_code == 200
    assert api.get(f"{path}/audience").json()["problems"] == []

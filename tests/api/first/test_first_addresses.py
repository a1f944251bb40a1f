"""The first eight addresses, at the root: their shapes, their fields, and whose keys open them."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.permissions import Scope
from apps.api.auth import HasScope
from apps.api.first.urls import VIEWS
from apps.api.limits import PerCaller
from apps.campaigns.models import Campaign, Run
from apps.content.drafts import publish
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType
from apps.followers.people import tagging
from apps.notifications.models import Delivery
from tests.api.world import make_client, plan
from tests.make import TESTER, make_follower, make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
Check = Callable[..., dict[str, Any]]


def tag(*followers: Follower, name: str) -> None:
    tagging.tag(followers=list(followers), tags=[name], by=TESTER, now=timezone.now())


def write(api: APIClient, **fields: str) -> dict[str, Any]:
    made = api.post("/messages", {"title": "Hello", "content": "<p>Hi</p>", **fields})
    assert made.status_code == 201, made.json()
    message: dict[str, Any] = made.json()
    return message


# ------------------------------------------------------------------ followers
def test_a_follower_is_added_and_read_with_the_fields_of_then(api: APIClient) -> None:
    made = api.post(
        "/followers", {"email": "a@example.com", "name": "Ann", "tags": ["VIP", "Beta"]}
    )
    assert made.status_code == 201
    said = dict(made.json())
    assert sorted(said.pop("tags")) == ["Beta", "VIP"]
    for name in ("id", "subscribed_at", "created_at"):
        assert said.pop(name)
    assert said == {
        "email": "a@example.com",
        "name": "Ann",
        "subscribed": True,
        "unsubscribed_at": None,
    }
    id = made.json()["id"]
    assert api.get(f"/followers/{id}").json() == made.json()
    assert api.get(f"/followers/{id.upper()}").json() == made.json()
    assert api.get(f"/followers/{id.replace('-', '')}").json() == made.json()


def test_a_list_of_followers_is_an_array_newest_first(
    api: APIClient, anna: Follower, boris: Follower, chen: Follower
) -> None:
    tag(anna, name="vip")
    tag(chen, name="beta")
    everybody = api.get("/followers")
    assert [each["name"] for each in everybody.json()] == ["Chen Li", "Борис Иванов", "Anna Weber"]
    assert "Link" not in everybody
    for words in ("tags=vip,beta", "tags=vip&tags=beta", "tags=beta,%20vip,", "tags=VIP,beta"):
        found = api.get(f"/followers?{words}").json()
        assert [each["name"] for each in found] == ["Chen Li", "Anna Weber"], words
    assert [each["name"] for each in api.get("/followers?tags=vip").json()] == ["Anna Weber"]
    assert [each["name"] for each in api.get("/followers?subscribed=false").json()] == [
        "Борис Иванов"
    ]


def test_a_long_list_leads_to_its_next_part(api: APIClient) -> None:
    for number in range(5):
        make_follower(name=f"P{number}", tags=["all"])
    names: list[str] = []
    address = "/followers?limit=2&tags=all"
    while address:
        answer = api.get(address)
        names += [each["name"] for each in answer.json()]
        address = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert names == ["P4", "P3", "P2", "P1", "P0"]


def test_who_wants_no_more_is_unsubscribed_once_with_and_without_a_body(
    api: APIClient, anna: Follower
) -> None:
    first = api.post(f"/followers/{anna.uid}/unsubscribe")
    again = api.post(f"/followers/{anna.uid}/unsubscribe", {"reason": "by phone"})
    assert first.status_code == again.status_code == 200
    assert first.json()["subscribed"] is False
    assert first.json()["unsubscribed_at"] == again.json()["unsubscribed_at"] is not None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "email"),
        ({"email": "nope"}, "email"),
        ({"email": "a@example.com", "colour": "red"}, "colour"),
        ({"email": "a@example.com", "tags": [1, {}]}, "tags.1"),
        ({"email": "a@example.com", "tags": [f"t{n}" for n in range(51)]}, "tags"),
        ({"email": "a@example.com", "tags": ",".join("abcdefghijk" * 5)}, "tags"),
    ],
)
def test_what_is_no_follower_is_refused_by_field(
    api: APIClient, problem: Check, body: dict[str, Any], field: str
) -> None:
    problem(api.post("/followers", body), 400, field)


def test_an_email_that_somebody_has_is_refused(
    api: APIClient, anna: Follower, problem: Check
) -> None:
    problem(api.post("/followers", {"email": "anna@example.com"}), 409, "email")


@pytest.mark.parametrize("id", ["17", "nobody", "0190a000-0000-7000-8000-000000000000", "%00"])
def test_an_id_that_nobody_has_is_a_problem_and_no_page(
    api: APIClient, problem: Check, id: str
) -> None:
    problem(api.get(f"/followers/{id}"), 404)
    problem(api.post(f"/followers/{id}/unsubscribe"), 404)
    problem(api.post(f"/messages/{id}/send"), 404)
    problem(api.get(f"/messages/{id}/deliveries"), 404)


# ------------------------------------------------------------------ messages
def test_a_message_is_a_draft_for_nobody_until_it_is_sent(
    api: APIClient, news: NotificationType
) -> None:
    said = write(api)
    for name in ("id", "created_at"):
        assert said.pop(name)
    assert said == {
        "title": "Hello",
        "content": "<p>Hi</p>",
        "type": "news",
        "status": "draft",
        "tags": [],
        "recipient_count": 0,
        "sent_at": None,
    }
    write(api, title="Second", content="Words")
    assert [each["title"] for each in api.get("/messages").json()] == ["Second", "Hello"]
    assert api.get("/messages?status=sent").json() == []


def test_tags_are_chosen_when_sending_and_each_delivery_is_told(
    api: APIClient, news: NotificationType, anna: Follower, boris: Follower, chen: Follower
) -> None:
    tag(anna, boris, name="vip")
    message = write(api)
    sent = api.post(f"/messages/{message['id']}/send", {"tags": ["VIP"]})
    assert sent.status_code == 202
    assert (sent.json()["status"], sent.json()["tags"]) == ("sending", ["vip"])
    assert sent.json()["recipient_count"] == 1, "Boris has unsubscribed"
    assert sent.json()["sent_at"]
    plan()
    (listed,) = api.get("/messages").json()
    assert listed["recipient_count"] == 1
    by_follower = {
        each["follower_id"]: each
        for each in api.get(f"/messages/{message['id']}/deliveries").json()
    }
    assert set(by_follower) == {str(anna.uid), str(boris.uid)}
    waiting, skipped = by_follower[str(anna.uid)], by_follower[str(boris.uid)]
    assert skipped["status"] == "skipped"
    assert skipped["error_message"] == "unsubscribed from everything"
    assert (waiting["message_id"], waiting["error_message"]) == (message["id"], None)
    Delivery.objects.filter(follower=anna).update(status="sent", finished_at=timezone.now())
    Delivery.objects.filter(follower=boris).update(status="failed", error="550 No such mailbox")
    one, two = sorted(
        api.get(f"/messages/{message['id']}/deliveries").json(), key=lambda each: each["status"]
    )
    assert (one["status"], one["sent_at"], one["error_message"]) == (
        "failed",
        None,
        "550 No such mailbox",
    )
    assert two["sent_at"]


@pytest.mark.parametrize("body", [None, {}, {"tags": []}, {"tags": None}])
def test_without_tags_it_goes_to_everyone(
    api: APIClient, news: NotificationType, anna: Follower, chen: Follower, body: Any
) -> None:
    message = write(api)
    sent = api.post(f"/messages/{message['id']}/send", body)
    assert sent.status_code == 202, sent.json()
    assert sent.json()["recipient_count"] == 2


def test_sending_again_sends_nothing_twice_and_to_others_is_refused(
    api: APIClient, news: NotificationType, anna: Follower, chen: Follower, problem: Check
) -> None:
    tag(anna, name="vip")
    tag(chen, name="beta")
    message = write(api)
    address = f"/messages/{message['id']}/send"
    assert api.post(address, {"tags": ["vip"]}).status_code == 202
    assert api.post(address, {"tags": ["vip"]}).status_code == 202
    assert api.post(address).status_code == 202
    refused = problem(api.post(address, {"tags": ["beta"]}), 409, "tags")
    assert refused["detail"] == (
        "This message is sending, and not for these tags. Create another one for them."
    )
    assert Run.objects.count() == 1


def test_tags_that_nobody_made_are_refused_and_nothing_is_sent(
    api: APIClient, news: NotificationType, anna: Follower, problem: Check
) -> None:
    message = write(api)
    problem(api.post(f"/messages/{message['id']}/send", {"tags": ["nope"]}), 400, "tags")
    assert Campaign.objects.get().state == "draft"


def test_a_message_for_tags_that_nobody_has_stays_as_it_was(
    api: APIClient, news: NotificationType, anna: Follower, problem: Check
) -> None:
    tag(anna, name="vip")
    tagging.untag(followers=[anna], tags=["vip"], by=TESTER, now=timezone.now())
    message = write(api)
    problem(api.post(f"/messages/{message['id']}/send", {"tags": ["vip"]}), 409)
    assert Campaign.objects.get().state == "draft"
    assert Campaign.objects.get().audience["everyone"] is True


def test_a_message_is_made_of_a_template_in_one_language(
    api: APIClient, news: NotificationType, problem: Check
) -> None:
    template = make_template(
        "cloudmind_introduction",
        translations={
            "en": {"email": {"subject": "Meet CloudMind", "html": "<p>Hello</p>"}},
            "ru": {"email": {"subject": "Знакомьтесь", "html": "<p>Привет</p>"}},
        },
        publish=False,
    )
    ask = {"template": "cloudmind_introduction", "language": "ru"}
    problem(api.post("/messages", ask), 400, "template")
    publish(template=template, by=TESTER, now=timezone.now())
    made = api.post("/messages", ask).json()
    assert (made["title"], made["content"]) == ("Знакомьтесь", "<p>Привет</p>")
    refused = problem(api.post("/messages", ask | {"language": "de"}), 400, "language")
    assert refused["detail"].endswith("has no mail in 'de'. It has: en, ru.")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"title", "content"}),
        ({"title": "x"}, {"content"}),
        ({"title": " ", "content": "x"}, {"title"}),
        ({"title": "x", "content": "x", "type": "nope"}, {"type"}),
    ],
)
def test_what_is_no_message_is_refused_by_field(
    api: APIClient, news: NotificationType, problem: Check, body: dict[str, Any], fields: set[str]
) -> None:
    refused = problem(api.post("/messages", body), 400)
    assert {each["field"] for each in refused["errors"]} == fields


def test_whoever_only_follows_gets_a_message_of_no_type(api: APIClient) -> None:
    make_type("offers", position=1, default_channels=[])
    make_type("updates", position=2)
    assert write(api)["type"] == "updates"


@pytest.mark.parametrize(("address", "most"), [("/followers", 1000), ("/messages", 200)])
def test_no_list_is_endless(api: APIClient, problem: Check, address: str, most: int) -> None:
    assert api.get(f"{address}?limit={most}").status_code == 200
    for limit in (0, most + 1, "many"):
        problem(api.get(f"{address}?limit={limit}"), 400, "limit")
    problem(api.get(f"{address}?after=17"), 400, "after")
    problem(api.get(f"{address}?after=0190a000-0000-7000-8000-000000000000"), 404)


def test_the_type_may_be_chosen(api: APIClient, news: NotificationType) -> None:
    make_type("offers")
    assert write(api, type="offers")["type"] == "offers"


def test_a_write_with_a_key_of_its_own_happens_once(api: APIClient) -> None:
    headers = {"HTTP_IDEMPOTENCY_KEY": "once"}
    body = {"email": "a@example.com"}
    answers = [api.post("/followers", body, **headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert Follower.objects.count() == 1


# ------------------------------------------------------------------ whose keys
@pytest.mark.parametrize("address", VIEWS)
def test_no_address_answers_a_stranger_or_a_key_that_lacks_its_scope(
    db: None, address: str
) -> None:
    view = VIEWS[address]
    path = "/" + address.replace("<str:id>", "0190a000-0000-7000-8000-000000000000")
    assert view.throttle_classes == [PerCaller]
    assert view.permission_classes == [HasScope]
    for method, scope in view.scopes.items():
        others = make_client(*(set(Scope) - {scope}))
        assert others.generic(method, path).status_code == 403
        assert APIClient().generic(method, path).status_code == 401
        mine = make_client(scope)
        assert mine.generic(method, path).status_code in {200, 400, 404}
    answer = make_client(*Scope).delete(path)
    assert answer.status_code == 405
    assert answer["Content-Type"] == "application/problem+json"


def test_somebody_who_types_the_address_of_a_page_gets_the_page(
    client: Client, viewer: Any, anna: Follower
) -> None:
    client.force_login(viewer)
    browser = {"HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}
    answer = client.get("/followers", **browser)
    assert (answer.status_code, answer["Location"]) == (302, "/followers/")
    assert client.get("/followers/new", **browser)["Location"] == "/followers/new/"
    program = make_client(Scope.FOLLOWERS_READ)
    assert program.get("/followers", **browser).status_code == 200


def test_they_are_left_out_of_the_document(api: APIClient) -> None:
    paths = api.get("/api/schema/?format=json").json()["paths"]
    assert {path for path in paths if not path.startswith("/api/v1/")} == set()


def test_who_unsubscribed_long_ago_says_when(api: APIClient, anna: Follower) -> None:
    then = timezone.now() - dt.timedelta(days=3)
    acts.unsubscribe(follower=anna, proof=Proof(source="test", by=TESTER, now=then))
    said = api.get(f"/followers/{anna.uid}").json()
    assert dt.datetime.fromisoformat(said["unsubscribed_at"]) == then

"""A scope is judged for all that a call names and tells, and not for its address alone."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts.permissions import Scope
from apps.api.v1.urls import VIEWS
from apps.followers.models import Follower, Tag
from apps.lib.ids import uuid7
from apps.notifications.models import Delivery, DeliveryEvent
from tests.api import openapi
from tests.api.world import make_client, send_letter
from tests.make import make_template, make_type

V1 = "/api/v1"
pytestmark = [pytest.mark.django_db, pytest.mark.reported]
ID = str(uuid7())
# What a body may name beside the endpoint's own subject, by the name of the field, and how.
NAMED: dict[str, list[Any]] = {
    "audience": [
        {"tags": ["vip"]},
        {"segments": [ID]},
        {"followers": [ID]},
        {"everyone": True, "exclude_tags": ["vip"]},
        {"everyone": True, "exclude_segments": [ID]},
        {"everyone": True, "exclude_followers": [ID]},
    ],
    "copy_of": [ID],
    "events": [[{"name": "a.b", "follower": {"email": "x@example.com", "tags": ["vip"]}}]],
    "follower": [ID, {"email": "x@example.com", "subscribed": True}],
    "followers": [[ID]],
    "recipients": [[{"email": "x@example.com", "tags": ["vip"]}], [{"subscribed": True}]],
    "rules": [{"all": [{"field": "name", "op": "is", "value": "Anna Weber"}]}],
    "segment": [ID],
    "tags": [["vip"]],
}
# Here people, or the question about them, are the endpoint's own subject.
OWN = {
    ("POST", "segments", "rules"),
    ("PATCH", "segments/<id:id>", "rules"),
}


def bodies() -> Iterator[tuple[str, str, str, Any]]:
    """Method, address, field and value of whatever a body can name."""
    document = openapi.whole()
    schemas = document["components"]["schemas"]
    for address, view in VIEWS.items():
        plain = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address)
        for method in view.scopes:
            described = document["paths"][f"{V1}/{plain}"][method.lower()]
            content = described.get("requestBody", {}).get("content", {})
            if not content:
                continue
            name = content["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            for field in sorted(properties(schemas, name)):
                for value in NAMED.get(field, []):
                    yield method, address, field, value


def properties(schemas: dict[str, Any], name: str) -> set[str]:
    """The fields of a body, in whichever of its forms."""
    schema = schemas[name]
    forms = [each["$ref"].rsplit("/", 1)[1] for each in schema.get("oneOf", [])]
    return set(schema.get("properties", [])).union(*(properties(schemas, form) for form in forms))


def fits(method: str, address: str, field: str, value: Any) -> bool:
    about_people = VIEWS[address].scopes[method] == Scope.FOLLOWERS_WRITE
    # whom an event is about, as far as nothing of them is read or written
    subject = address == "events" and value == ID
    return not about_people and not subject and (method, address, field) not in OWN


CASES = [each for each in bodies() if fits(*each)]


@pytest.mark.parametrize(("method", "address", "field", "value"), CASES)
def test_whoever_or_whatever_a_body_names_needs_its_own_scope(
    method: str, address: str, field: str, value: Any, problem: Any
) -> None:
    path = re.sub(r"<\w+:\w+>", ID, address).replace(f"versions/{ID}", "versions/1")
    view = VIEWS[address]
    narrow = make_client(view.scopes[method])
    wide = make_client(*Scope)
    said = problem(narrow.generic(method, f"{V1}/{path}", *json_of({field: value})), 403)["detail"]
    assert "needs the scope" in said
    assert wide.generic(method, f"{V1}/{path}", *json_of({field: value})).status_code != 403


def json_of(body: Any) -> tuple[str, str]:
    return json.dumps(body), "application/json"


def test_the_walk_sees_all_that_take_people_segments_and_campaigns() -> None:
    assert {(method, address) for method, address, _, _ in CASES} >= {
        ("POST", "campaigns"),
        ("PATCH", "campaigns/<id:id>"),
        ("POST", "event-rules"),
        ("PATCH", "event-rules/<id:id>"),
        ("POST", "events"),
        ("POST", "events/bulk"),
        ("POST", "messages"),
        ("POST", "notify"),
        ("POST", "recurring"),
        ("PATCH", "recurring/<id:id>"),
        ("POST", "segments/count"),
        ("POST", "templates/<id:id>/versions/<int:number>/preview"),
    }


def test_the_first_addresses_ask_for_the_same(problem: Any) -> None:
    make_type("news")
    writer = make_client("campaigns:write", "campaigns:send")
    problem(writer.post("/messages", {"template": "welcome"}), 403)
    message = writer.post("/messages", {"title": "Hello", "content": "<p>Hello</p>"}).json()["id"]
    problem(writer.post(f"/messages/{message}/send", {"tags": "vip"}), 403)


# ------------------------------------------------------------------ previews
SECRETS = "{{ follower.email }} {{ follower.phone }} {{ follower.metadata.plan }}"


def make_spy(parts: str) -> str:
    make_type("news")
    template = make_template("spy", html=f"<p>{parts}</p>", subject="Hello")
    return f"{V1}/templates/{template.uid}/versions/1/preview"


def test_a_key_for_content_sees_nobody_in_a_preview(anna: Follower, problem: Any) -> None:
    path = make_spy(SECRETS)
    asked = {"follower": str(anna.uid), "type": "news"}
    answer = make_client("content:read", "content:write").post(path, asked)
    assert "anna@example.com" not in answer.content.decode()
    assert problem(answer, 403)["detail"] == "follower needs the scope followers:read."
    reader = make_client("content:read", "followers:read").post(path, asked)
    assert "anna@example.com" in reader.json()["parts"]["html"]
    made_up = make_client("content:read").post(path, {"type": "news"})
    assert made_up.status_code == 200


def test_the_links_of_a_preview_lead_nowhere(api: APIClient, anna: Follower, client: Any) -> None:
    path = make_spy("{{ links.preferences }} {{ links.unsubscribe }}")
    parts = api.post(path, {"follower": str(anna.uid), "type": "news"}).json()["parts"]
    links = re.findall(r"https?://[^/]+(/p/[^ <\"]+)", parts["html"])
    assert len(links) >= 2
    for link in links:
        assert "preview" in client.get(link).content.decode()
        client.post(link, {"List-Unsubscribe": "One-Click"})
    anna.refresh_from_db()
    assert anna.subscribed
    assert not anna.preferences.exists()


# ------------------------------------------------------------------ counts and lists
def test_a_count_of_rules_is_for_who_may_read_followers(anna: Follower, problem: Any) -> None:
    rules = {"rules": {"all": [{"field": "name", "op": "is", "value": "Anna Weber"}]}}
    guesser = make_client("campaigns:read", "campaigns:write")
    problem(guesser.post(f"{V1}/segments/count", rules), 403)
    segment = guesser.post(f"{V1}/segments", {"name": "Guess"} | rules).json()["id"]
    problem(guesser.get(f"{V1}/segments/{segment}/count"), 403)
    reader = make_client("campaigns:read", "followers:read")
    assert reader.get(f"{V1}/segments/{segment}/count").json() == {"count": 1}


def test_who_may_not_read_followers_sees_deliveries_without_addresses(anna: Follower) -> None:
    campaign = send_letter("email")
    narrow = make_client("campaigns:read", "notifications:read")
    wide = make_client("campaigns:read", "notifications:read", "followers:read")
    listed = f"{V1}/campaigns/{campaign.uid}/deliveries"
    [row] = narrow.get(listed).json()["results"]
    assert row["address"] == ""
    assert row["follower"] == str(anna.uid)
    assert wide.get(listed).json()["results"][0]["address"] == "anna@example.com"
    one = f"{V1}/deliveries/{row['id']}"
    assert narrow.get(one).json()["address"] == ""
    assert wide.get(one).json()["address"] == "anna@example.com"


def test_who_may_not_read_followers_reads_no_address_in_what_a_server_said(anna: Follower) -> None:
    campaign = send_letter("email")
    answer = "550 5.1.1 <anna@example.com>: unknown; +4917012345678. (id 42)"
    Delivery.objects.update(error=answer, status="failed", reason="refused_recipient")
    [delivery] = Delivery.objects.all()
    now = timezone.now()
    DeliveryEvent.objects.create(
        delivery=delivery, at=now, kind="failed", detail={"said": answer, "attempt": 1}
    )
    narrow = make_client("campaigns:read", "notifications:read")
    wide = make_client("campaigns:read", "notifications:read", "followers:read")
    one = f"{V1}/deliveries/{delivery.uid}"
    places = [
        f"{V1}/deliveries",
        one,
        f"{one}/timeline",
        f"{V1}/campaigns/{campaign.uid}/deliveries",
        f"/messages/{campaign.uid}/deliveries",
    ]
    for place in places:
        read = narrow.get(place).content.decode()
        assert "550 5.1.1 <…>: unknown; … (id 42)" in read
        assert "anna@example" not in read
        assert "anna@example.com>: unknown; +4917012345678" in wide.get(place).content.decode()


def test_a_delivery_is_acknowledged_with_and_without_the_right_to_read_followers(
    anna: Follower,
) -> None:
    send_letter("email")
    path = f"{V1}/deliveries/{Delivery.objects.get().uid}/acknowledge"
    answer = make_client("notifications:write").post(path)
    assert answer.status_code == 200
    assert answer.json()["acknowledged_at"]
    assert answer.json()["address"] == ""
    again = make_client("notifications:write", "followers:read").post(path).json()
    assert again["address"] == "anna@example.com"
    assert again["acknowledged_at"] == answer.json()["acknowledged_at"]


@pytest.mark.parametrize(
    "said",
    [
        {"mapping": {"order_number": "follower.email"}},
        {"throttle_key": "follower.phone"},
        {"conditions": {"all": [{"field": "follower.email", "op": "is", "value": "a@b.example"}]}},
        {"conditions": {"any": [{"field": "follower.tags", "op": "exists"}]}},
    ],
)
def test_a_rule_that_reads_followers_needs_the_scope(said: dict[str, Any], problem: Any) -> None:
    make_type("news")
    body = {"name": "Spy", "event": "order.paid", "type": "news"} | said
    answer = make_client("campaigns:send", "notifications:read").post(f"{V1}/event-rules", body)
    assert "followers:read" in problem(answer, 403)["detail"]


# ------------------------------------------------------------------ sending is no writing
KNOWN = {
    "email": "evil@example.com",
    "phone": "+49301234567",
    "name": "Evil",
    "language": "ru",
    "time_zone": "Asia/Tokyo",
    "metadata": {"plan": "evil"},
}


def state_of(follower: Follower) -> tuple[Any, ...]:
    row = Follower.objects.get(pk=follower.pk)
    addresses = sorted(row.addresses.values_list("channel", "value", "primary"))
    columns = ("name", "language", "time_zone", "metadata", "external_id", "subscribed")
    return (addresses, *(getattr(row, column) for column in columns))


def notified(caller: APIClient, person: dict[str, Any]) -> int:
    body = {"type": "news", "template": "letter", "recipients": [person]}
    return caller.post(f"{V1}/notify", body).status_code


def recorded(caller: APIClient, person: dict[str, Any]) -> int:
    return caller.post(f"{V1}/events", {"name": "a.b", "follower": person}).status_code


def recorded_among_others(caller: APIClient, person: dict[str, Any]) -> int:
    events = {"events": [{"name": "a.b", "follower": person}]}
    return caller.post(f"{V1}/events/bulk", events).status_code


@pytest.mark.parametrize("call", [notified, recorded, recorded_among_others])
@pytest.mark.parametrize("field", KNOWN)
@pytest.mark.parametrize(
    "found_by", [{"external_id": "c-17"}, {"email": "anna@example.com"}], ids=["id", "email"]
)
def test_a_key_that_may_only_send_changes_nothing_of_a_follower(
    call: Any, field: str, found_by: dict[str, Any], anna: Follower
) -> None:
    make_type("news")
    make_template()
    Follower.objects.update(external_id="c-17")
    before = state_of(anna)
    call(make_client("notifications:write"), found_by | {field: KNOWN[field]})
    assert state_of(anna) == before


def test_an_address_that_is_not_the_followers_is_refused_to_who_may_only_send(
    anna: Follower, problem: Any
) -> None:
    make_type("news")
    make_template()
    Follower.objects.update(external_id="c-17")
    shop = make_client("notifications:write")
    body = {"type": "news", "recipients": [{"external_id": "c-17", "email": "evil@example.com"}]}
    refused = problem(shop.post(f"{V1}/notify", body), 400, "recipients.0.email")
    assert refused["detail"] == (
        "This email is not the one we know of this follower. Leave it out, or use a key with the "
        "scope followers:write, which may change it."
    )
    assert notified(shop, {"external_id": "c-17", "email": "ANNA@example.com"}) == 202
    assert notified(make_client(*Scope), {"external_id": "c-17", "email": "new@example.com"}) == 202
    assert Follower.objects.get().email == "new@example.com"


def test_a_key_that_may_only_send_gives_nobody_an_external_id_or_consent(anna: Follower) -> None:
    make_type("news")
    make_template()
    shop = make_client("notifications:write")
    assert notified(shop, {"email": "anna@example.com", "external_id": "evil"}) == 400
    assert notified(shop, {"email": "guest@example.com", "subscribed": True}) == 403
    assert notified(shop, {"email": "guest@example.com", "tags": ["vip"]}) == 403
    assert not Tag.objects.exists()
    assert notified(shop, {"email": "guest@example.com"}) == 202
    assert not Follower.objects.exclude(pk=anna.pk).get().subscribed


# ------------------------------------------------------------------ who has it already
@pytest.mark.parametrize("said", [{"email": "anna@example.com"}, {"external_id": "c-17"}])
def test_a_duplicate_names_the_holder_by_id_to_who_may_read_and_by_name_to_nobody(
    said: dict[str, Any], anna: Follower, problem: Any
) -> None:
    Follower.objects.update(external_id="c-17")
    writer = make_client("followers:write").post(f"{V1}/followers", said)
    assert "follower" not in problem(writer, 409, *said)
    assert "Anna" not in writer.content.decode()
    reader = make_client("followers:write", "followers:read").post(f"{V1}/followers", said)
    assert problem(reader, 409, *said)["follower"] == str(anna.uid)
    assert "Anna" not in reader.content.decode()

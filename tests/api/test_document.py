"""The OpenAPI document is valid, and promises nothing that the server refuses."""

from typing import Any
from urllib.parse import quote

import pytest
from jsonschema import Draft4Validator
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import OpenAPIV30SpecValidator
from rest_framework.test import APIClient

from apps.api.document.patterns import VISIBLE
from tests.api import openapi

LISTS = 23


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.whole()


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[f"{method} {path}"] = operation
    return found


def query_of(operation: dict[str, Any]) -> dict[str, Any]:
    """What may be asked in the query, by name."""
    named = [each for each in operation.get("parameters", []) if each.get("in") == "query"]
    return {each["name"]: each["schema"] for each in named}


def lists_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The operations that answer with a page."""
    return {
        name: operation
        for name, operation in operations(document).items()
        if "/Paginated" in str(operation["responses"].get("200"))
    }


@pytest.mark.reported
def test_the_document_is_valid_openapi(document: dict[str, Any]) -> None:
    errors = OpenAPIV30SpecValidator(document).iter_errors()
    assert [(error.message, list(error.absolute_path)) for error in errors] == []


@pytest.mark.reported
def test_each_list_that_has_pages_says_how_to_turn_them(document: dict[str, Any]) -> None:
    lists = lists_of(document)
    assert len(lists) >= LISTS
    for name, operation in lists.items():
        asked = query_of(operation)
        assert asked["cursor"] == {"type": "string", "minLength": 1, "pattern": VISIBLE}, name
        assert asked["page_size"] == {
            "type": "integer",
            "minimum": 1,
            "maximum": 200,
            "default": 50,
        }, name


@pytest.mark.reported
def test_a_default_is_a_value_that_its_own_description_allows(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    fields = [(name, schema) for name, schema in schemas.items()]
    fields += [
        (f"{name}.{field}", schema)
        for name, parent in schemas.items()
        for field, schema in parent.get("properties", {}).items()
    ]
    for name, operation in operations(document).items():
        fields += [(f"{name} {field}", schema) for field, schema in query_of(operation).items()]
    with_default = [(name, schema) for name, schema in fields if "default" in schema]
    assert len(with_default) > 20
    for name, schema in with_default:
        rules = {key: value for key, value in schema.items() if not refers(value)}
        assert list(Draft4Validator(rules).iter_errors(schema["default"])) == [], name


def refers(value: Any) -> bool:
    return "$ref" in str(value)


@pytest.mark.reported
def test_a_client_that_sends_all_defaults_gets_its_list(
    api: APIClient, document: dict[str, Any]
) -> None:
    for name, operation in lists_of(document).items():
        path = name.removeprefix("get ")
        if "{" in path:
            continue
        asked = query_of(operation)
        defaults = {field: given["default"] for field, given in asked.items() if "default" in given}
        answer = api.get(path, defaults)
        assert answer.status_code == 200, (path, answer.json())


@pytest.mark.reported
@pytest.mark.parametrize("query", ["language=&search=", "language=", "search=", "search=%20"])
def test_a_search_for_nothing_finds_everybody(api: APIClient, anna: Any, query: str) -> None:
    answer = api.get(f"/api/v1/followers?{query}")
    assert answer.status_code == 200, answer.json()
    assert [row["name"] for row in answer.json()["results"]] == ["Anna Weber"]


@pytest.mark.reported
def test_the_document_says_where_it_is_served_and_under_which_terms(
    document: dict[str, Any],
) -> None:
    assert document["servers"] == [
        {"url": "/", "description": "The site that gave you this document."}
    ]
    assert document["info"]["license"]["name"] == "MIT"
    assert document["info"]["contact"]["name"]


@pytest.mark.reported
def test_each_tag_of_an_operation_is_explained(document: dict[str, Any]) -> None:
    explained = {each["name"] for each in document["tags"] if each["description"]}
    used = {tag for operation in operations(document).values() for tag in operation["tags"]}
    assert used == explained


@pytest.mark.reported
def test_what_may_be_null_says_its_type(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            if described.get("nullable"):
                assert "type" in described, (name, field)


# ---- what it says beyond types
@pytest.mark.reported
def test_each_body_and_each_answer_has_an_example_that_fits(document: dict[str, Any]) -> None:
    wrong = []
    for name, operation in operations(document).items():
        carriers = {"body": operation.get("requestBody", {})}
        carriers |= {code: each for code, each in operation["responses"].items() if code < "300"}
        for where, carrier in carriers.items():
            for content in carrier.get("content", {}).values():
                schema = {**content["schema"], "components": document["components"]}
                errors = OAS30Validator(schema).iter_errors(content["example"])
                wrong += [(name, where, list(each.path), each.message) for each in errors]
    assert wrong == []


@pytest.mark.reported
def test_each_answer_describes_its_headers(document: dict[str, Any]) -> None:
    known = set(document["components"]["headers"])
    for name, operation in operations(document).items():
        for status, answer in operation["responses"].items():
            headers = set(answer.get("headers", {}))
            assert headers <= known
            assert {"X-Request-Id", "RateLimit-Remaining"} <= headers, (name, status)
        assert "500" in operation["responses"], name
    got = operations(document)["get /api/v1/followers/{id}"]
    assert "ETag" in got["responses"]["200"]["headers"]
    changed = operations(document)["patch /api/v1/followers/{id}"]
    assert "412" in changed["responses"]
    assert "Idempotency-Replayed" in changed["responses"]["200"]["headers"]
    assert "Retry-After" in changed["responses"]["429"]["headers"]


@pytest.mark.reported
def test_the_hardest_bodies_say_what_stands_inside(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name, field in [
        ("NewCampaignRequest", "audience"),
        ("SegmentInRequest", "rules"),
        ("NewTemplateRequest", "translations"),
        ("NewTemplateRequest", "variables"),
        ("RecurringInRequest", "cadence"),
        ("RuleInRequest", "conditions"),
    ]:
        target = str(schemas[name]["properties"][field])
        assert f"#/components/schemas/{field.title()}" in target, (name, field, target)
        assert len(schemas[field.title()]) > 2


@pytest.mark.reported
def test_no_description_is_about_our_own_source(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert "serializer" not in schema.get("description", "").lower(), name


# ---- what it says of fields together
_DAILY = {"kind": "daily", "times": ["09:00"]}
_CAP = {"name": "Few", "channels": ["email"], "limit": 3}
_TYPE = {"key": "word", "name": "Word", "channels": ["email"]}
_TEMPLATE = {"key": "paid", "name": "Paid", "translations": {"en": {"sms": {"body": "Hello"}}}}
_WALL = {"wall": "2035-05-31T09:00", "time_zone": "Europe/Berlin"}
_APP = {"channel": "push", "service": "fcm", "token": "abc"}
_ANNA = {"recipients": [{"email": "anna@example.com"}]}
_RULE = {"field": "language", "op": "is", "value": "en"}
_RULE_OF_NEWS = {"name": "Paid", "event": "order.paid", "type": "news"}
_OFTEN = {"name": "Often", "type": "news", "audience": {"everyone": True}, "cadence": _DAILY}
_NO_ID = "01a1fede-6a73-7f95-9a65-bc889ea8d46a"


def fits(
    document: dict[str, Any], path: str, body: dict[str, Any], *, method: str = "post"
) -> bool:
    """Whether the document allows this body to be sent (to `path` below /api/v1/)."""
    operation = document["paths"][f"/api/v1/{path}"][method]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return OAS30Validator({**schema, "components": document["components"]}).is_valid(body)


@pytest.mark.reported
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("caps", {**_CAP, "channels": [], "days": 1}),
        ("caps", _CAP),
        ("caps", {**_CAP, "days": 1, "seconds": 60}),
        ("caps", {**_CAP, "days": 0}),
        ("message-types", {**_TYPE, "channels": []}),
        ("message-types", {**_TYPE, "category": "critical"}),
        ("message-types", {**_TYPE, "fallback": ["fax"]}),
        ("followers/bulk", {"followers": []}),
        ("followers/tags", {"action": "add", "tags": ["a"], "followers": []}),
        ("segments/count", {"rules": {"all": []}}),
        ("segments/count", {"rules": {"all": [_RULE], "any": [_RULE]}}),
        ("segments/count", {"rules": {"all": [{**_RULE, "field": "shoe_size"}]}}),
        ("segments/count", {"rules": {"all": [{"field": "language"}]}}),
        ("segments/count", {"rules": {"all": [{**_RULE, "op": "gt", "value": 1}]}}),
        ("notify", {"type": "news", "recipients": [{}]}),
        ("notify", {"type": "news"}),
        ("notify", {"type": "news", "channels": ["fax"], **_ANNA}),
        ("notify", {"type": "news", "channels": [], **_ANNA}),
        ("notify", {"type": "news", "wall": "2035-05-31T09:00", **_ANNA}),
        ("notify", {"type": "news", "send_at": "2035-05-31T09:00:00Z", **_WALL, **_ANNA}),
        ("notify", {"type": "news", **_WALL, "wall": "tomorrow", **_ANNA}),
        ("recurring/preview", {"cadence": {**_DAILY, "kind": "hourly"}}),
        ("recurring/preview", {"cadence": {**_DAILY, "times": []}}),
        ("recurring/preview", {"cadence": {**_DAILY, "kind": "weekly"}}),
        ("recurring/preview", {"cadence": {**_DAILY, "days": [1]}}),
        ("recurring/preview", {"cadence": {**_DAILY, "kind": "weekly", "weekdays": {}}}),
        ("recurring/preview", {"cadence": {"kind": "cron", "cron": "often"}}),
        ("suppressions", {"channel": "sms", "address": "anna@example.com"}),
        ("suppressions", {"channel": "email", "address": "+4930901820"}),
        ("followers/{id}/devices", {"channel": "web_push", "service": "fcm", "token": "abc"}),
        ("followers/{id}/devices", {"channel": "push", "service": "fcm"}),
        ("events", {"name": "order paid"}),
        ("followers", {}),
        ("followers", {"name": " ", "email": "", "language": "de"}),
        ("followers", {"email": "anna"}),
        ("caps", {**_CAP, "name": " ", "days": 1}),
        ("segments/count", {"rules": {"not": _RULE}}),
        ("followers", {"name": "An\u0007na"}),
        ("followers", {"name": "Anna", "language": "German, please"}),
        ("followers", {"name": "Anna", "tags": ["An\u0007na"]}),
        ("tags", {"name": "An\u0007na"}),
        ("event-rules", {**_RULE_OF_NEWS, "to": "segment"}),
        ("event-rules", {**_RULE_OF_NEWS, "segment": _NO_ID}),
        ("event-rules", {**_RULE_OF_NEWS, "mapping": {"order": "number"}}),
        ("event-rules", {**_RULE_OF_NEWS, "throttle_key": "number"}),
        ("message-types", {**_TYPE, "fallback": ["email"]}),
        ("message-types", {**_TYPE, "fallback": ["email", "email"]}),
        ("message-types", {**_TYPE, "lifetime": -1}),
        ("message-types", {**_TYPE, "throttle_count": 3}),
        ("message-types", {**_TYPE, "category": "marketing"}),
        ("message-types", {**_TYPE, "commercial": True, "listed": False}),
        ("recurring", {**_OFTEN, "audience": {}}),
        ("recurring", {**_OFTEN, "audience": {"everyone": False, "tags": []}}),
        ("recurring", {**_OFTEN, "time_zone_mode": "named"}),
        ("recurring", {**_OFTEN, "time_zone": "Europe/Berlin"}),
        ("recurring/preview", {"cadence": {"kind": "cron", "cron": "0 9 0 * *"}}),
        ("segments", {"name": "Few", "rules": _RULE}),
        ("segments/count", {"rules": {"all": [{**_RULE, "field": "metadata.7"}]}}),
        ("followers/{id}/devices", {**_APP, "token": "…"}),
        ("followers/{id}/devices", {**_APP, "platform": "…"}),
        ("followers/{id}/devices", {**_APP, "service": "apns"}),
        ("followers/{id}/webhooks", {"url": "http://hooks.partner.example/"}),
        ("followers/{id}/webhooks", {"url": "https://anna:secret@hooks.partner.example/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks.partner.example/a b"}),
        ("followers/{id}/tags", {"tags": [" "]}),
        ("followers/tags", {"action": "add", "tags": [" "], "followers": [_NO_ID]}),
        ("followers", {"name": "Anna", "tags": [" "]}),
        ("templates", {**_TEMPLATE, "variables": [{"type": "string"}]}),
        ("templates", {**_TEMPLATE, "variables": [{"name": ["total"]}]}),
        ("templates", {**_TEMPLATE, "variables": [{"name": "total", "type": "date"}]}),
        ("templates", {**_TEMPLATE, "variables": [{"name": "total", "kind": "number"}]}),
    ],
)
def test_what_the_server_refuses_for_its_form_the_document_does_not_allow(
    api: APIClient, document: dict[str, Any], news: Any, anna: Any, path: str, body: dict[str, Any]
) -> None:
    assert not fits(document, path, body)
    answer = api.post(f"/api/v1/{path.format(id=anna.uid)}", body)
    assert answer.status_code == 400, answer.content


@pytest.mark.reported
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("caps", {**_CAP, "days": 1, "seconds": None}),
        ("followers", {"first_name": "Anna", "email": "", "phone": ""}),
        ("followers", {"email": "boris@example.com", "language": "pt-BR", "tags": ["Early birds"]}),
        ("followers", {"external_id": "c-17", "name": "Anna\tWeber"}),
        ("message-types", {**_TYPE, "channels": ["email", "sms"], "fallback": ["sms", "email"]}),
        ("message-types", {**_TYPE, "category": "marketing", "commercial": True}),
        ("segments/count", {"rules": {"all": [{"field": "metadata.größe", "op": "exists"}]}}),
        (
            "recurring/preview",
            {"cadence": {"kind": "cron", "cron": "*/15 8-18/2 L JAN,jul MON-FRI"}},
        ),
        ("recurring/preview", {"cadence": {"kind": "cron", "cron": "0 9 LW 1 5#2"}}),
        ("message-types", _TYPE),
        ("segments/count", {"rules": {"not": {"all": [_RULE]}}}),
        ("segments/count", {"rules": {"any": [_RULE, {"field": "metadata.plan", "op": "exists"}]}}),
        ("recurring/preview", {"cadence": _DAILY}),
        ("recurring/preview", {"cadence": {"kind": "cron", "cron": "0 9 * * 1-5"}}),
        ("suppressions", {"channel": "sms", "address": "+49 30 901820"}),
        ("suppressions", {"channel": "email", "address": "anna@example.com"}),
        ("followers/{id}/devices", _APP),
        ("followers/{id}/devices", {**_APP, "service": "apns", "token": "0aF1" * 16}),
        ("followers/{id}/webhooks", {"url": "https://faß.example:443/a?b=%20#c"}),
        ("followers/{id}/tags", {"tags": [" Early birds "]}),
        ("events", {"name": "order.paid"}),
    ],
)
def test_what_the_server_takes_the_document_allows(
    api: APIClient, document: dict[str, Any], anna: Any, path: str, body: dict[str, Any]
) -> None:
    assert fits(document, path, body)
    answer = api.post(f"/api/v1/{path.format(id=anna.uid)}", body)
    assert answer.status_code < 300, answer.content


_NIGHT = ["22:00", "07:00"]


@pytest.mark.reported
@pytest.mark.parametrize(
    ("path", "good", "bad"),
    [
        ("campaigns/{id}", {"rate": 0.01}, {"rate": 0}),
        ("campaigns/{id}", {"rate": 10_000}, {"rate": 10_001}),
        ("campaigns/{id}", {"spread": 60}, {"spread": 59}),
        ("campaigns/{id}", {"spread": 604_800}, {"spread": 604_801}),
        ("campaigns/{id}", {"spread": None, "rate": 5}, {"spread": 60, "rate": 5}),
        (
            "followers/{id}/delivery-preferences",
            {"quiet_hours": {"0": _NIGHT, "6": _NIGHT}},
            {"quiet_hours": {"7": _NIGHT}},
        ),
        (
            "followers/{id}/delivery-preferences",
            {"quiet_hours": {}},
            {"quiet_hours": {"0": ["22:00", "22:00"]}},
        ),
        ("followers/{id}/preferences", {"channels": {"sms": False}}, {"channels": {"fax": True}}),
    ],
)
def test_a_change_is_described_up_to_its_bounds(
    api: APIClient,
    document: dict[str, Any],
    anna: Any,
    draft: dict[str, Any],
    path: str,
    good: dict[str, Any],
    bad: dict[str, Any],
) -> None:
    thing = anna.uid
    if path.startswith("campaigns"):
        thing = draft["id"]
    address = f"/api/v1/{path.format(id=thing)}"
    assert fits(document, path, good, method="patch")
    assert not fits(document, path, bad, method="patch")
    assert api.patch(address, good).status_code == 200
    assert api.patch(address, bad).status_code == 400


@pytest.mark.reported
def test_an_answer_of_the_document_has_all_its_fields(document: dict[str, Any]) -> None:
    delivery = document["components"]["schemas"]["DeliveryOut"]
    assert delivery["required"] == sorted(delivery["properties"])


@pytest.mark.reported
def test_a_time_of_day_is_described_as_it_is_written(
    api: APIClient, document: dict[str, Any], anna: Any
) -> None:
    answer = api.get(f"/api/v1/followers/{anna.uid}/delivery-preferences").json()
    rules = document["components"]["schemas"]["DeliveryPreferencesOut"]["properties"]["digest_at"]
    assert answer["digest_at"] == "08:00"
    assert rules["pattern"] == "^([01][0-9]|2[0-3]):[0-5][0-9]$"
    assert "format" not in rules


@pytest.mark.reported
def test_each_list_says_that_a_bad_cursor_is_refused(document: dict[str, Any]) -> None:
    lacking = [name for name, said in lists_of(document).items() if "400" not in said["responses"]]
    assert lacking == []


@pytest.mark.reported
def test_each_word_of_an_address_says_its_form(document: dict[str, Any]) -> None:
    for name, operation in operations(document).items():
        for word in operation.get("parameters", []):
            if word.get("in") == "path":
                form = word["schema"]
                said = {"pattern", "format", "enum", "minimum"} & form.keys()
                assert said, (name, word["name"])


@pytest.mark.reported
@pytest.mark.parametrize("key", ["a b", "a.b", "\u00e4", "x" * 61])
def test_a_key_that_the_document_does_not_allow_is_refused(
    api: APIClient, document: dict[str, Any], key: str
) -> None:
    layout = {"name": "Plain", "html": "{{ content }}"}
    assert not allows(document, "layouts/{key}", "key", key)
    assert api.put(f"/api/v1/layouts/{quote(key)}", layout).status_code == 400
    assert allows(document, "layouts/{key}", "key", "plain-2_a")
    assert api.put("/api/v1/layouts/plain-2_a", layout).status_code == 200


def allows(document: dict[str, Any], path: str, word: str, value: str) -> bool:
    """Whether the document allows this word in the address."""
    [form] = [
        each["schema"]
        for each in document["paths"][f"/api/v1/{path}"]["get"]["parameters"]
        if each["name"] == word
    ]
    return bool(OAS30Validator(form).is_valid(value))

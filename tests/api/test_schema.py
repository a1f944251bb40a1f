"""The API says all about itself, and every address is guarded."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from apps.accounts.models import User
from apps.accounts.permissions import Scope
from apps.api import urls
from apps.api.auth import HasScope
from apps.api.document.whole import join_wrapped_lines
from apps.api.endpoint import Unrouted
from apps.api.limits import PerCaller
from apps.lib.ids import uuid7
from tests.api import openapi
from tests.api.world import make_client

SNAPSHOT = Path(__file__).with_name("openapi.yaml")
METHODS = {"get", "post", "put", "patch", "delete"}


def routes(resolver: Any = None, prefix: str = "/api/") -> Iterator[tuple[str, type[Any]]]:
    for entry in resolver or urls.urlpatterns:
        address = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry.url_patterns, address)
        elif isinstance(entry, URLPattern) and entry.callback.cls is not Unrouted:
            yield address, entry.callback.cls


V1 = sorted((address, view) for address, view in routes() if address.startswith("/api/v1/"))


def gaps(view: type[Any], described: dict[str, Any]) -> list[str]:
    """What a view lacks; `described` is its entry in the schema."""
    methods = {name for name in METHODS if hasattr(view, name)}
    lacks = [
        f"scope for {name}"
        for name in methods
        if not isinstance(view.scopes.get(name.upper()), Scope)
    ]
    lacks += [f"schema of {name}" for name in methods if not described.get(name, {}).get("summary")]
    lacks += [
        f"problems of {name}"
        for name in methods
        if "429" not in described.get(name, {}).get("responses", {})
    ]
    if PerCaller not in view.throttle_classes:
        lacks.append("throttle")
    if HasScope not in view.permission_classes:
        lacks.append("permission")
    return lacks


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    paths: dict[str, Any] = openapi.whole()["paths"]
    return paths


@pytest.mark.parametrize(("address", "view"), V1)
def test_every_view_has_scope_schema_and_throttle(
    address: str, view: type[Any], schema: dict[str, Any]
) -> None:
    plain = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", address)
    assert gaps(view, schema.get(plain, {})) == []


@pytest.mark.django_db
def test_no_method_answers_a_stranger_or_a_key_that_lacks_its_scope() -> None:
    stranger = APIClient()
    lacking = {scope: make_client(*(other for other in Scope if other != scope)) for scope in Scope}
    for address, view in V1:
        path = re.sub(r"<id:\w+>", str(uuid7()), re.sub(r"<(str|int):\w+>", "1", address))
        for method, scope in view.scopes.items():
            assert stranger.generic(method, path).status_code == 401, (method, path)
            assert lacking[scope].generic(method, path).status_code == 403, (method, path)


def test_a_view_without_them_would_be_seen() -> None:
    class Bare:
        scopes: dict[str, Scope] = {}
        throttle_classes: list[Any] = []
        permission_classes: list[Any] = []

        def get(self) -> None: ...

    assert gaps(Bare, {}) == [
        "scope for get",
        "schema of get",
        "problems of get",
        "throttle",
        "permission",
    ]


def test_the_schema_says_that_unknown_fields_are_refused() -> None:
    schemas = openapi.whole()["components"]["schemas"]
    assert schemas["NewFollowerRequest"]["additionalProperties"] is False


def _lists(part: Any, parts: dict[str, Any], place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk the lists in a body's schema: (where it stands, its schema)."""
    for each in (part, *part.get("allOf", ())):
        if "$ref" in each:
            name = each["$ref"].rpartition("/")[2]
            if f"({name})" in place:  # it stands in itself
                return
            part = parts[name]
            place = f"{place}({name})"
    if part.get("type") == "array":
        yield place, part
        yield from _lists(part["items"], parts, f"{place}[]")
    for name, inner in part.get("properties", {}).items():
        yield from _lists(inner, parts, f"{place}.{name}")


@pytest.mark.reported
def test_every_list_of_a_body_has_a_most() -> None:
    whole: dict[str, Any] = openapi.whole()
    parts = whole["components"]["schemas"]
    endless = []
    for address, methods in whole["paths"].items():
        for method, said in methods.items():
            for body in said.get("requestBody", {}).get("content", {}).values():
                found = _lists(body["schema"], parts, f"{method} {address}")
                endless += [place for place, part in found if "maxItems" not in part]
    assert not endless


def test_a_description_is_not_broken_where_the_source_is() -> None:
    described = {"One": {"description": "It says\nwhat.\n\nAnd\nwhy."}}
    listed = {"Two": {"description": "* `a` - A\n* `b` - B"}, "Three": {}}
    schemas = join_wrapped_lines({"components": {"schemas": described | listed}})
    assert (
        schemas["components"]["schemas"]
        == {"One": {"description": "It says what.\n\nAnd why."}} | listed
    )


def test_the_promised_eight_are_there(schema: dict[str, Any]) -> None:
    for method, path in [
        ("post", "followers"),
        ("get", "followers"),
        ("get", "followers/{id}"),
        ("post", "followers/{id}/unsubscribe"),
        ("post", "messages"),
        ("get", "messages"),
        ("post", "messages/{id}/send"),
        ("get", "messages/{id}/deliveries"),
    ]:
        assert method in schema[f"/api/v1/{path}"]


def test_nothing_below_the_api_escapes_the_walk() -> None:
    includes = [entry for entry in get_resolver().url_patterns if str(entry.pattern) == "api/"]
    assert len(includes) == 1
    assert {address for address, _ in routes()} - {address for address, _ in V1} == {
        "/api/schema/",
        "/api/docs/",
    }


def test_the_schema_is_the_one_that_was_agreed(tmp_path: Path) -> None:
    # changed on purpose? manage.py spectacular --validate --fail-on-warn --file
    # tests/api/openapi.yaml
    now = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(now))
    assert now.read_bytes() == SNAPSHOT.read_bytes(), (
        "The API changed; the command above this line regenerates it."
    )


@pytest.mark.django_db
def test_the_schema_is_served_as_yaml_and_json(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    assert "openapi" in client.get("/api/schema/").headers["Content-Type"]
    assert client.get("/api/schema/?format=json").json()["info"]["title"] == "Carillon API"


@pytest.mark.django_db
@pytest.mark.reported
def test_strangers_learn_nothing_of_the_api() -> None:
    stranger = Client().get("/api/schema/")
    assert stranger.status_code == 401
    assert "followers" not in stranger.content.decode()
    assert Client().get("/api/docs/")["Location"] == "/login/?next=/api/docs/"
    assert Client().get("/api/docs/?script=").status_code == 302
    assert make_client(Scope.CONTENT_READ).get("/api/schema/").status_code == 200


@pytest.mark.django_db
def test_the_try_it_page_has_no_inline_script_or_style_and_loads_nothing_from_elsewhere(
    client: Client, viewer: User
) -> None:
    client.force_login(viewer)
    page = client.get("/api/docs/")
    html = page.content.decode()
    assert page.status_code == 200
    assert "<style" not in html
    assert " style=" not in html
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert (
        client.get("/api/docs/?script=")
        .headers["Content-Type"]
        .startswith("application/javascript")
    )

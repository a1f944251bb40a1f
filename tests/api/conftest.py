"""Programs that call the API: one with all scopes, and any with a few."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.permissions import Scope
from apps.followers.models import Follower, NotificationType
from tests.api.world import make_client
from tests.make import make_template, make_type


@pytest.fixture
def api(db: None) -> APIClient:
    return make_client(*Scope)


@pytest.fixture
def news() -> NotificationType:
    return make_type("news")


@pytest.fixture
def draft(api: APIClient, news: NotificationType, anna: Follower) -> dict[str, Any]:
    """A campaign to everyone, as the API made it."""
    fields = {
        "name": "May",
        "type": "news",
        "template": str(make_template().uid),
        "audience": {"everyone": True},
    }
    made = api.post("/api/v1/campaigns", fields)
    assert made.status_code == 201, made.json()
    draft: dict[str, Any] = made.json()
    return draft


@pytest.fixture
def problem() -> Callable[..., dict[str, Any]]:
    """Check the shape of a refusal (RFC 9457) and give it back."""

    def check(answer: Any, status: int, field: str | None = None) -> dict[str, Any]:
        assert answer.status_code == status, answer.content
        assert answer.headers["Content-Type"] == "application/problem+json"
        body: dict[str, Any] = answer.json()
        assert body["status"] == status
        assert body["type"].startswith("urn:carillon:problem:")
        assert body["title"]
        assert body["detail"]
        if field is not None:
            assert field in {each["field"] for each in body["errors"]}, body
        return body

    return check

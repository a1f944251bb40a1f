"""Programs that call the API: one with all scopes, and any with a few."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.accounts.permissions import Scope
from tests.api.world import make_client


@pytest.fixture
def api(db: None) -> APIClient:
    return make_client(*Scope)


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

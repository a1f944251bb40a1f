"""No browser and no proxy keeps a page about people."""

from typing import Any

import pytest
from django.test import Client

from apps.followers.models import Follower
from tests.subscriptions.pages import preferences_path

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


@pytest.mark.parametrize("page", ["/", "/followers/", "/staff/", "/audit/", "/account/", "/login/"])
def test_pages_are_kept_by_nobody(client: Client, admin: Any, page: str) -> None:
    if page != "/login/":
        client.force_login(admin)
    assert "no-store" in client.get(page)["Cache-Control"]


def test_the_page_of_one_follower_is_kept_by_nobody(
    client: Client, viewer: Any, anna: Follower
) -> None:
    assert "no-store" in client.get(preferences_path(anna))["Cache-Control"]
    client.force_login(viewer)
    assert "no-store" in client.get(f"/followers/{anna.uid}/")["Cache-Control"]
    assert "no-store" in client.get("/no/such/page/")["Cache-Control"]

"""Tags, staff and API keys."""

import pytest
from django.utils import timezone

from apps.accounts.keys import BadKey, authenticate
from apps.accounts.models import ApiKey, User
from apps.followers.models import Tag
from tests.dashboard.pages import as_role, page_of
from tests.make import make_follower


def test_a_tag_is_made_counted_refused_twice_and_deleted(client, editor):
    as_role(client, editor)
    assert client.post("/tags/", {"tags": "Spring Fair"}).status_code == 302
    assert (
        "There is a tag &#x27;Spring Fair&#x27; already"
        in client.post("/tags/", {"tags": "spring fair"}).content.decode()
    )
    make_follower(email="a@example.com", tags=["Spring Fair"])
    assert "Spring Fair 1" in page_of(client.get("/tags/")).text
    tag = Tag.objects.get()
    for said in ("taken off everybody", "deleted already"):
        assert said in page_of(client.post(f"/tags/{tag.pk}/delete/", follow=True)).text
    assert not Tag.objects.exists()


def test_a_viewer_makes_no_tag(client, viewer):
    assert as_role(client, viewer).post("/tags/", {"tags": "mine"}).status_code == 403
    assert not Tag.objects.exists()


PERSON = {
    "username": "nina",
    "name": "Nina Ray",
    "email": "nina@staff.example",
    "role": "editor",
    "time_zone": "Europe/Berlin",
    "password": "a-long-phrase-41",
}


def test_an_administrator_adds_changes_and_deactivates_a_person(client, admin):
    as_role(client, admin)
    assert client.post("/staff/add/", PERSON)["Location"] == "/staff/"
    assert "already an account named nina" in client.post("/staff/add/", PERSON).content.decode()
    nina = User.objects.get(username="nina")
    change = {**PERSON, "role": "sender", "password": ""}
    assert client.post(f"/staff/{nina.uid}/", change)["Location"] == "/staff/"
    for _ in range(2):  # a second click says the same and changes nothing
        client.post(f"/staff/{nina.uid}/switch/", {"active": "no"})
    nina.refresh_from_db()
    assert (nina.role, nina.is_active, nina.check_password(PERSON["password"])) == (
        "sender",
        False,
        True,
    )


def test_the_last_administrator_can_not_lock_everybody_out(client, admin):
    as_role(client, admin)
    said = page_of(client.post(f"/staff/{admin.uid}/switch/", {"active": "no"}, follow=True)).text
    assert "This is the last administrator" in said
    demoted = client.post(f"/staff/{admin.uid}/", {**PERSON, "password": "", "role": "viewer"})
    assert "This is the last administrator" in demoted.content.decode()


def test_a_weak_password_is_refused_beside_its_field(client, admin):
    answer = as_role(client, admin).post("/staff/add/", PERSON | {"password": "nina"})
    assert "too short" in answer.content.decode()
    assert "password" in answer.context["form"].errors


def test_a_key_is_shown_once_works_and_is_revoked(client, admin):
    as_role(client, admin)
    token = client.get("/api-keys/add/").context["once"]
    post = {"name": "Shop", "scopes": ["followers:read", "followers:write"], "once": token}
    issued = client.post("/api-keys/add/", post)
    secret = issued.context["secret"]
    assert secret in issued.content.decode()
    assert "no-store" in issued["Cache-Control"]
    assert authenticate(secret, now=timezone.now()).scopes == ["followers:read", "followers:write"]
    assert (
        client.post("/api-keys/add/", post)["Location"] == "/api-keys/"
    )  # sent again: no second key
    key = ApiKey.objects.get()
    assert secret not in client.get("/api-keys/").content.decode()
    client.post(f"/api-keys/{key.uid}/revoke/")
    with pytest.raises(BadKey):
        authenticate(secret, now=timezone.now())


def test_a_key_without_scopes_or_with_a_day_that_is_over_is_refused(client, admin):
    as_role(client, admin)
    answer = client.post("/api-keys/add/", {"name": "Shop", "expires_at": "2020-01-01"})
    assert set(answer.context["form"].errors) == {"scopes", "expires_at"}
    assert not ApiKey.objects.exists()

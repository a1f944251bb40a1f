"""Who gets in, and what each may do."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import keys
from apps.accounts.actors import of_user
from apps.accounts.models import ApiKey, AuditEntry, User
from apps.accounts.permissions import Scope
from tests.api.world import make_client
from tests.make import TESTER

FOLLOWERS = "/api/v1/followers"
pytestmark = pytest.mark.django_db


def test_nobody_gets_in_without_a_key(problem) -> None:
    answer = APIClient().get(FOLLOWERS)
    assert "Authorization: Bearer" in problem(answer, 401)["detail"]
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "header", ["Bearer nonsense", "Bearer", "Basic YTpi", "car_live_aaaaaaaa_" + "0" * 64]
)
def test_a_header_that_is_no_good_key_is_refused(header: str, problem) -> None:
    problem(APIClient().get(FOLLOWERS, headers={"Authorization": header}), 401)


def test_a_revoked_and_an_expired_key_are_told_why(api, problem) -> None:
    key = ApiKey.objects.get()
    ApiKey.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))
    assert "expired" in problem(api.get(FOLLOWERS), 401)["detail"]
    keys.revoke(key=key, by=TESTER, now=timezone.now())
    assert "revoked" in problem(api.get(FOLLOWERS), 401)["detail"]


def test_a_key_does_what_its_scopes_say_and_no_more(problem) -> None:
    reader = make_client(Scope.FOLLOWERS_READ)
    assert reader.get(FOLLOWERS).status_code == 200
    assert reader.get(FOLLOWERS).headers["Cache-Control"] == "no-store"
    assert "followers:write" in problem(reader.post(FOLLOWERS, {"name": "Eve"}), 403)["detail"]
    writer = make_client(Scope.FOLLOWERS_WRITE)
    assert writer.post(FOLLOWERS, {"name": "Eve"}).status_code == 201
    problem(writer.get(FOLLOWERS), 403)


def test_what_a_program_did_is_in_the_history_under_its_name(api) -> None:
    api.post(FOLLOWERS, {"name": "Eve"})
    entry = AuditEntry.objects.get(kind="follower.added")
    assert (entry.actor_kind, entry.actor_id) == ("api_key", str(ApiKey.objects.get().uid))
    assert "Shop" in entry.actor_label


@pytest.mark.parametrize(
    ("role", "reads", "adds", "sends"),
    [
        ("viewer", 200, 403, 403),
        ("editor", 200, 201, 403),
        ("sender", 200, 201, 404),
        ("admin", 200, 201, 404),
    ],
)
def test_staff_may_do_by_session_what_their_role_says(
    role: str, reads: int, adds: int, sends: int, request
) -> None:
    client = APIClient()
    client.force_login(request.getfixturevalue(role))
    assert client.get(FOLLOWERS).status_code == reads
    assert client.post(FOLLOWERS, {"name": "Eve"}).status_code == adds
    missing = "/api/v1/messages/0190a000-0000-7000-8000-000000000000/send"
    assert client.post(missing).status_code == sends


def test_a_session_needs_the_csrf_token_to_write(editor, problem) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(editor)
    answer = client.post(FOLLOWERS, {"name": "Eve"}, content_type="application/json")
    assert "CSRF" in problem(answer, 403)["detail"]


def test_a_key_needs_no_csrf_token(api) -> None:
    strict = APIClient(enforce_csrf_checks=True)
    strict.credentials(**api._credentials)
    assert strict.post(FOLLOWERS, {"name": "Eve"}).status_code == 201


def test_a_retired_member_of_staff_is_out(editor) -> None:
    client = APIClient()
    client.force_login(editor)
    editor.is_active = False
    editor.save()
    assert client.get(FOLLOWERS).status_code == 401


@pytest.fixture
def adas(admin) -> APIClient:
    """A program with a key that Ada issued."""
    scopes = [Scope.FOLLOWERS_READ, Scope.FOLLOWERS_WRITE, Scope.NOTIFICATIONS_WRITE]
    _, text = keys.issue(name="Shop", scopes=scopes, by=of_user(admin), now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


@pytest.mark.reported
def test_a_key_ends_with_the_account_of_whoever_issued_it(adas, admin, problem) -> None:
    assert adas.get(FOLLOWERS).status_code == 200
    User.objects.update(is_active=False)
    said = problem(adas.get(FOLLOWERS), 401)["detail"]
    assert said == (
        "The account of whoever issued this API key is switched off, and the key with it. "
        "Ask an administrator for another."
    )
    User.objects.update(is_active=True)
    assert adas.get(FOLLOWERS).status_code == 200


@pytest.mark.reported
@pytest.mark.parametrize(
    ("role", "reads", "adds", "notifies"),
    [("viewer", 200, 403, 403), ("editor", 200, 201, 403), ("sender", 200, 201, 400)],
)
def test_a_key_may_no_more_than_whoever_issued_it_may_now(
    adas, role, reads, adds, notifies, problem
) -> None:
    User.objects.update(role=role)
    assert adas.get(FOLLOWERS).status_code == reads
    assert adas.post(FOLLOWERS, {"name": "Eve"}).status_code == adds
    refused = adas.post("/api/v1/notify", {"type": "none"})
    assert refused.status_code == notifies
    if notifies == 403:
        assert problem(refused, 403)["detail"] == (
            "This needs the scope notifications:write, which whoever issued this API key does not "
            "have any more. Ask an administrator for another key."
        )


def test_a_call_with_a_key_is_answered_with_the_headers_of_all_answers(api) -> None:
    answer = api.get("/api/v1/tags")
    assert answer.status_code == 200
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Language"] == "en"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    assert not answer.cookies

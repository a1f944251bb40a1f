"""A write that is repeated with the same Idempotency-Key happens once."""

import datetime as dt
import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import keys
from apps.accounts.permissions import Scope
from apps.api import idempotency
from apps.api.models import IdempotentCall
from apps.followers.models import Follower, Tag
from apps.notifications.models import Notification, TypeTemplate
from tests.api.world import make_client, make_inbox
from tests.make import TESTER, make_follower, make_template, make_type
from tests.ops.processes import web_server
from tests.patience import PATIENCE
from tests.receiver import unused_port

pytestmark = pytest.mark.django_db
TAGS = "/api/v1/tags"


def make_tag(api: APIClient, name: str = "Gold", key: str = "k-1") -> Any:
    return api.post(TAGS, {"name": name}, HTTP_IDEMPOTENCY_KEY=key)


def running(api: APIClient, *, name: str = "Gold", key: str = "k-1") -> IdempotentCall:
    """The claim of a call whose process works on, or has died."""
    make_tag(api, name, key)
    Tag.objects.all().delete()
    IdempotentCall.objects.update(status=None, answer="")
    return IdempotentCall.objects.get()


def test_the_second_call_is_answered_as_the_first_and_does_nothing(api) -> None:
    first = make_tag(api)
    again = make_tag(api)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["Content-Type"] == again.headers["Content-Type"] == "application/json"
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (
        again.headers["X-Original-Request-Id"]
        == first.headers["X-Request-Id"]
        != again.headers["X-Request-Id"]
    )
    assert Tag.objects.count() == 1
    assert "Gold" not in IdempotentCall.objects.get().answer


def test_an_answer_without_a_body_is_repeated_too(api) -> None:
    slug = api.post(TAGS, {"name": "Gold"}).json()["slug"]
    first, again = (api.delete(f"{TAGS}/{slug}", HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2))
    assert [(a.status_code, a.content) for a in (first, again)] == [(204, b""), (204, b"")]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_the_order_of_fields_is_no_difference_and_another_body_is_refused(
    api, anna, problem
) -> None:
    path = f"/api/v1/followers/{anna.uid}"
    one = api.patch(path, {"name": "Anna", "language": "de"}, HTTP_IDEMPOTENCY_KEY="k-1")
    same = api.patch(path, {"language": "de", "name": "Anna"}, HTTP_IDEMPOTENCY_KEY="k-1")
    assert (one.status_code, same.headers["Idempotency-Replayed"]) == (200, "true")
    problem(api.patch(path, {"name": "Hanna"}, HTTP_IDEMPOTENCY_KEY="k-1"), 422, "Idempotency-Key")
    anna.refresh_from_db()
    assert anna.name == "Anna"


def test_the_same_key_of_another_caller_or_for_another_address_is_another_key(
    api, boris, anna
) -> None:
    assert make_tag(api).status_code == make_tag(api, key="k-2", name="Iron").status_code == 201
    other = make_tag(make_client(*Scope), name="Silver")
    assert (other.status_code, "Idempotency-Replayed" in other.headers) == (201, False)
    for person in (anna, boris):
        api.post(f"/api/v1/followers/{person.uid}/unsubscribe", {}, HTTP_IDEMPOTENCY_KEY="k-3")
    assert not Follower.objects.filter(subscribed=True).exists()


def test_a_refusal_is_not_kept_so_the_corrected_call_may_use_its_key(api, problem) -> None:
    problem(make_tag(api, ""), 400, "name")
    assert make_tag(api).status_code == 201


def test_while_the_first_is_worked_on_the_second_waits_but_another_body_is_wrong_at_once(
    api, problem
) -> None:
    call = running(api)
    busy = make_tag(api)
    problem(busy, 409)
    assert busy.headers["Retry-After"] == "1"
    problem(make_tag(api, "Silver"), 422)
    assert not Tag.objects.exists()
    assert IdempotentCall.objects.get().request_id == call.request_id


def test_the_key_of_a_dead_process_is_taken_over_after_a_while(api) -> None:
    running(api)
    IdempotentCall.objects.update(locked_until=timezone.now() - dt.timedelta(seconds=1))
    taken = make_tag(api)
    assert (taken.status_code, Tag.objects.count()) == (201, 1)
    assert IdempotentCall.objects.get().request_id == taken.headers["X-Request-Id"]


def test_who_is_slower_than_the_lock_takes_its_work_back(api, problem, monkeypatch) -> None:
    worked = idempotency._worked

    def overtaken(response: Any, mine: IdempotentCall) -> Any:
        IdempotentCall.objects.update(request_id="another")
        return worked(response, mine)

    monkeypatch.setattr(idempotency, "_worked", overtaken)
    problem(make_tag(api), 409)
    assert not Tag.objects.exists()


def test_work_whose_answer_cannot_be_stored_is_not_done(api, problem, monkeypatch) -> None:
    api.raise_request_exception = False
    with monkeypatch.context() as broken:
        broken.setattr(idempotency, "encrypt", lambda text: 1 / 0)
        problem(make_tag(api), 500)
    assert not Tag.objects.exists()
    assert make_tag(api).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "k" * 256, "tab\there", "schlüssel"])
def test_a_key_that_is_none_is_refused(api, problem, key: str) -> None:
    problem(make_tag(api, key=key), 400, "Idempotency-Key")
    assert not Tag.objects.exists()


def test_without_a_key_nothing_is_asked_or_kept_and_reading_needs_none(api) -> None:
    with CaptureQueriesContext(connection) as asked:
        api.post(TAGS, {"name": "Gold"})
        assert api.get(TAGS, HTTP_IDEMPOTENCY_KEY="k-1").status_code == 200
    assert [each["sql"] for each in asked if "idempotent" in each["sql"]] == []
    assert not IdempotentCall.objects.exists()


def test_acts_that_wait_for_the_senders_are_done_once_too(api, anna) -> None:
    make_inbox()
    TypeTemplate.objects.create(notification_type=make_type("news"), template=make_template())
    later = (timezone.now() + dt.timedelta(days=1)).isoformat()
    asked = {
        "type": "news",
        "recipients": [{"id": str(anna.uid)}],
        "channels": ["in_app"],
        "send_at": later,
    }
    id = api.post("/api/v1/notify", asked).json()["id"]
    first, again = (
        api.post(f"/api/v1/notifications/{id}/cancel", HTTP_IDEMPOTENCY_KEY="k-1") for _ in range(2)
    )
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert first.json()["cancelled"] == 1


def test_keys_are_forgotten_after_their_time(api) -> None:
    make_tag(api, key="old")
    IdempotentCall.objects.update(
        created_at=timezone.now() - dt.timedelta(hours=settings.IDEMPOTENCY_HOURS, minutes=1)
    )
    make_tag(api, name="Silver", key="new")
    idempotency.forget(now=timezone.now())
    assert [
        make_tag(api, name=name, key=key).status_code
        for name, key in (("Gold", "old"), ("Silver", "new"))
    ] == [
        409,  # the tag is there
        201,
    ]


@pytest.mark.django_db(transaction=True)
def test_two_hundred_threads_with_one_key_make_one_notification(tmp_path: Path) -> None:
    make_follower(email="anna@example.com")
    make_inbox()
    TypeTemplate.objects.create(notification_type=make_type("news"), template=make_template())
    secret = keys.issue(name="Shop", scopes=list(Scope), by=TESTER, now=timezone.now())[1]
    headers = {
        "Authorization": f"Bearer {secret}",
        "Idempotency-Key": "order-17",
        "Content-Type": "application/json",
    }
    body = json.dumps(
        {"type": "news", "recipients": [{"email": "anna@example.com"}], "channels": ["in_app"]}
    )
    port, answers = unused_port(), list[tuple[int, str]]()

    def call() -> tuple[int, str]:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        line.request("POST", "/api/v1/notify", body, headers)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read()).get("id", "")

    def insist() -> None:
        while (answer := call())[0] in (409, 429):  # the first goes on; too many come at once
            time.sleep(0.2)
        answers.append(answer)

    with web_server(tmp_path, port):
        threads = [threading.Thread(target=insist) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
    made = Notification.objects.get()
    assert Counter(answers) == {(202, str(made.uid)): 200}
    assert made.deliveries.count() == 1

"""When calls come faster than they can be answered, new orders are told to come later."""

import http.client
import json
import threading
from collections import Counter
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from apps.accounts import keys
from apps.accounts.permissions import Scope
from apps.api.models import Allowance
from apps.api.overload import urgency
from apps.lib.network.turns import Urgency
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Notification, TypeTemplate
from tests.api.world import make_inbox
from tests.make import TESTER, make_follower, make_template, make_type
from tests.ops.processes import web_server
from tests.patience import PATIENCE, until
from tests.receiver import unused_port

NOTIFY = "/api/v1/notify"


def environ(path: str, method: str = "POST", body: bytes = b"") -> dict[str, Any]:
    return {
        "PATH_INFO": path,
        "REQUEST_METHOD": method,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
    }


@pytest.mark.parametrize("path", [NOTIFY, "/api/v1/events", "/api/v1/events/bulk"])
def test_what_orders_something_new_may_be_refused(path: str) -> None:
    assert urgency.may_be_refused(environ(path))


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/", "GET"),
        ("/p/abc/", "POST"),
        ("/p/abc/one-click", "POST"),
        ("/api/v1/followers/1/unsubscribe", "POST"),
        ("/api/v1/followers/1/preferences", "PATCH"),
        ("/api/v1/events", "GET"),
        ("/readyz", "GET"),
    ],
)
def test_pages_and_what_followers_decide_are_never_refused(path: str, method: str) -> None:
    assert not urgency.may_be_refused(environ(path, method))


def test_a_type_that_was_met_before_says_who_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(urgency, "_LANES", {})
    urgency.learn(type="code", priority="normal", lane=Lane.CRITICAL)
    urgency.learn(type="news", priority="low", lane=Lane.BULK)
    bodies = {
        b'{"type": "code", "recipients": []}': Urgency.CRITICAL,
        b'{"type": "news", "priority": "low"}': Urgency.LOW,
        b'{"type": "news"}': Urgency.USUAL,
        b'{"type": "other"}': Urgency.USUAL,
        b'{"type": ["code"]}': Urgency.USUAL,
        b'["code"]': Urgency.USUAL,
        b"{": Urgency.USUAL,
        b"\xff": Urgency.USUAL,
        b"": Urgency.USUAL,
    }
    for body, wanted in bodies.items():
        asked = environ(NOTIFY, body=body)
        assert urgency.urgency(asked) is wanted, body
        assert asked["wsgi.input"].read() == body


class Caller:
    """A program that calls a site, each time from a thread of its own."""

    def __init__(self, port: int) -> None:
        self._port = port
        secret = keys.issue(name="Shop", scopes=list(Scope), by=TESTER, now=timezone.now())[1]
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self.answers: dict[str, tuple[int, dict[str, str], Any]] = {}
        self.threads: list[threading.Thread] = []

    def ask(self, name: str, path: str = NOTIFY, body: Any = None, key: str = "") -> None:
        headers = dict(self._headers)
        if key:
            headers["Idempotency-Key"] = key

        def call() -> None:
            line = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
            if body is None:
                line.request("GET", path, headers=headers)
            else:
                line.request("POST", path, json.dumps(body), headers)
            answer = line.getresponse()
            self.answers[name] = (answer.status, dict(answer.headers), json.loads(answer.read()))

        self.threads.append(threading.Thread(target=call))
        self.threads[-1].start()

    def hear(self) -> None:
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.mark.django_db(transaction=True)
def test_a_server_with_all_places_taken_refuses_orders_and_answers_all_else(
    tmp_path: Path,
) -> None:
    make_follower(email="anna@example.com")
    make_inbox()
    TypeTemplate.objects.create(notification_type=make_type("news"), template=make_template())
    order = {"type": "news", "recipients": [{"email": "anna@example.com"}], "channels": ["in_app"]}
    port = unused_port()
    caller = Caller(port)
    places = {"REQUESTS_AT_ONCE": "1", "REQUESTS_WAITING": "0"}
    with web_server(tmp_path, port, workers=1, **places):
        caller.ask("answered", body=order, key="order-16")
        caller.hear()
        with transaction.atomic():  # whoever calls waits for this row
            Allowance.objects.select_for_update().get()
            caller.ask("one", body=order, key="order-17")
            caller.ask("other", body=order, key="order-18")
            until(lambda: len(caller.answers) == 2, "one of the two is refused")
            caller.ask("event", "/api/v1/events", body={"name": "order.paid"})
            until(lambda: "event" in caller.answers, "the event is refused")
            caller.ask("page", "/healthz")
            caller.ask("tags", "/api/v1/tags", body={"name": "Gold"})
            caller.ask("again", body=order, key="order-16")
        caller.hear()
    statuses = {name: answer[0] for name, answer in caller.answers.items()}
    assert Counter([statuses["one"], statuses["other"]]) == {202: 1, 429: 1}
    assert (statuses["event"], statuses["page"], statuses["tags"]) == (429, 200, 201)
    _, headers, said = caller.answers["again"]
    assert headers["idempotency-replayed"] == "true"
    assert said == caller.answers["answered"][2]
    _, headers, said = caller.answers["event"]
    seconds = headers["retry-after"]
    assert int(seconds) >= 1
    assert headers["content-type"] == "application/problem+json"
    assert said == {
        "type": "urn:carillon:problem:overloaded",
        "title": "Too many requests",
        "status": 429,
        "detail": "More calls come than this site can take now. Nothing of this one was stored; "
        f"send it again in {seconds} s.",
    }
    assert Notification.objects.count() == 2

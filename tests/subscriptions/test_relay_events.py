"""ESPs whose SMTP server an account is tell what became of its mails, too."""

import base64
import hashlib
import hmac
import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings
from django.test import Client

from apps.followers.models import Suppression
from apps.notifications.messages import links
from apps.notifications.models import Delivery, HeardEvent
from apps.notifications.sending.heard import store
from tests.make import make_follower, make_type
from tests.notifications.world import drain, make_accounts, make_version, stands, tell
from tests.receiver import Receiver

TO = "anna@example.org"
HARD = "550 5.1.1 No such user here"
KEY = "key-of-mandrill"
HEADERS = {
    "mailjet": "X-MJ-EventPayload",
    "mailtrap": "X-MT-Custom-Variables",
    "mandrill": "X-MC-Metadata",
    "sparkpost": "X-MSYS-API",
}


def event(relay: str, what: str, named: str) -> Any:
    """What the ESP posts, with what the header of the mail said."""
    known = json.loads(named)
    match relay, what:
        case "mailjet", "hard":
            own = {"event": "bounce", "hard_bounce": True, "error": "user unknown"}
            return [{**own, "comment": HARD, "time": 1, "email": TO, "Payload": named}]
        case "mailjet", _:
            return [{"event": "spam", "time": 2, "email": TO, "Payload": named}]
        case "mailtrap", "hard":
            own = {"event": "bounce", "response": f"bounced ({HARD})", "event_id": "1"}
            own["message_id"] = "m"
            return {"events": [{**own, "timestamp": 1, "email": TO, "custom_variables": known}]}
        case "mailtrap", _:
            own = {"event": "spam", "event_id": "2", "timestamp": 1, "message_id": "m"}
            return {"events": [{**own, "email": TO, "custom_variables": known}]}
        case "mandrill", "hard":
            mail = {"email": TO, "diag": f"smtp;{HARD}", "metadata": known, "_id": "a"}
            return [{"event": "hard_bounce", "msg": mail, "_id": "a", "ts": 1}]
        case "mandrill", _:
            mail = {"email": TO, "metadata": known, "_id": "a"}
            return [{"event": "spam", "msg": mail, "_id": "a", "ts": 1}]
        case _, "hard":
            own = {"type": "bounce", "bounce_class": "10", "raw_reason": HARD, "event_id": "1"}
            inner = {**own, "rcpt_to": TO, "timestamp": "1", "rcpt_meta": known["metadata"]}
            return [{"msys": {"message_event": inner}}]
        case _:
            own = {"type": "spam_complaint", "event_id": "2", "rcpt_to": TO, "timestamp": "1"}
            inner = {**own, "rcpt_meta": known["metadata"]}
            return [{"msys": {"message_event": inner}}]


def post(relay: str, url: str, said: Any, *, key: str = KEY) -> int:
    parts = urlsplit(url)
    pair = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    headers = {"Authorization": f"Basic {pair}"}
    body = json.dumps(said)
    kind = "application/json"
    if relay == "mandrill":
        signed = f"{settings.SITE_URL}{parts.path}mandrill_events{body}"
        proof = hmac.new(key.encode(), signed.encode(), hashlib.sha1).digest()
        headers = {"X-Mandrill-Signature": base64.b64encode(proof).decode()}
        body = urlencode({"mandrill_events": body})
        kind = "application/x-www-form-urlencoded"
    answer = Client().post(parts.path, body, content_type=kind, headers=headers)
    return int(answer.status_code)


@pytest.mark.parametrize("relay", HEADERS)
def test_an_esp_behind_an_smtp_server_is_heard(db: None, relay: str) -> None:
    anna = make_follower(name="Anna", email=TO)
    with Receiver() as receiver:
        account = make_accounts(receiver, relay=relay, events_key=KEY)
        notification = tell(make_type("news"), [anna], version=make_version())
        drain()
        [arrived] = receiver.arrived
    named = str(arrived.mail[HEADERS[relay]])
    assert str(Delivery.objects.get(channel="email").uid) in named
    url = links.events_url(account.uid, password=True)
    assert post(relay, url.replace("carillon:", "carillon:0"), [], key="other") == 403
    for _ in range(5):
        assert post(relay, url, event(relay, "hard", named)) == 200
        store.work_off()
    assert stands(notification) == {"failed": 1}
    assert list(Suppression.objects.values_list("key", "reason")) == [(TO, "hard_bounce")]
    assert post(relay, url, event(relay, "spam", named)) == 200
    store.work_off()
    assert stands(notification) == {"delivered": 1}
    assert list(Suppression.objects.values_list("reason", flat=True)) == ["complaint"]
    assert HeardEvent.objects.count() == 0


def test_an_smtp_account_without_one_has_no_address_for_events(db: None) -> None:
    with Receiver() as receiver:
        account = make_accounts(receiver)
    url = links.events_url(account.uid, password=True)
    assert post("mailjet", url, []) == 404

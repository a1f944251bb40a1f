"""Push messages for the tests of the three services."""

from typing import Any

from apps.channels.contract import Outcome, Session
from apps.channels.messages import PushMessage
from apps.lib.ids import uuid7

PHONE = "device-1"


def a_push(token: str = PHONE, **fields: Any) -> PushMessage:
    values: dict[str, Any] = {
        "title": "It’s shipped",
        "body": "Привет, Anna 📦",
        "collapse": "a" * 32,
        "details": {},
    }
    return PushMessage(delivery=uuid7(), token=token, **(values | fields))


def sent(session: Session[PushMessage], *messages: PushMessage) -> list[Outcome]:
    with session:
        return [session.send(message) for message in messages]

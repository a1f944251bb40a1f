"""What the two services for apps share: how large a message may be,
and how long it may wait there.
"""

import json
from typing import Any

from apps.channels.contract import Outcome, Result
from apps.channels.messages import PushMessage

LARGEST = 4096  # bytes of JSON that both let an app have
LONGEST_TTL = 28 * 86_400  # seconds; FCM keeps nothing for longer than four weeks


def as_json(payload: Any) -> bytes:
    """JSON as small as it gets. Raises UnicodeError for half a surrogate pair."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def apns_priority(message: PushMessage) -> str:
    """Header `apns-priority`: 10 is at once, 5 when the device's battery allows it."""
    if message.urgent:
        return "10"
    return "5"


def unsendable(message: PushMessage, payload: Any, *, largest: int = LARGEST) -> Outcome | None:
    """Why this never leaves; None where it may."""
    try:
        size = len(as_json(payload))
    except UnicodeError as error:
        return Outcome(Result.PERMANENT_CONTENT, f"The message can't be sent: {error}")
    if not (message.title.strip() or message.body.strip()):
        return Outcome(
            Result.PERMANENT_CONTENT, "The message can't be sent: it has neither title nor body."
        )
    if size > largest:
        said = (
            f"The message has {size:,} bytes; a push message holds {largest:,}. Shorten the body."
        )
        return Outcome(Result.PERMANENT_CONTENT, said)
    return None

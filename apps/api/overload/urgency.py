"""Which calls may be refused when too many come, and which of them goes first."""

import json
from contextlib import suppress
from io import BytesIO
from typing import Any

from apps.lib.network.turns import Urgency
from apps.lib.queue.lanes import Lane

PATHS = frozenset({"/api/v1/notify", "/api/v1/events", "/api/v1/events/bulk"})
LONGEST = 65_536  # bytes of a body that is looked into
_OF_LANE = {
    Lane.CRITICAL: Urgency.CRITICAL,
    Lane.TRANSACTIONAL: Urgency.USUAL,
    Lane.BULK: Urgency.LOW,
}
# What calls to notify came to, by type and priority. It decides only who goes first, so that it
# does no harm where a type has changed since.
_LANES: dict[tuple[str, str], Lane] = {}
_MOST = 10_000


def may_be_refused(environ: dict[str, Any]) -> bool:
    return environ["PATH_INFO"] in PATHS and environ["REQUEST_METHOD"] == "POST"


def learn(*, type: str, priority: str, lane: Lane) -> None:
    """Remember which lane such a call to notify came to."""
    if len(_LANES) < _MOST:
        _LANES[type, priority] = lane


def urgency(environ: dict[str, Any]) -> Urgency:
    """How urgent a call is, as far as its type was met before."""
    asked = _body(environ)
    with suppress(TypeError):  # no text at all
        lane = _LANES.get((asked.get("type", ""), asked.get("priority", "normal")))
        if lane:
            return _OF_LANE[lane]
    return Urgency.USUAL


def _body(environ: dict[str, Any]) -> dict[str, Any]:
    """The object that the body of a call is; empty where it is none, or a long one."""
    size = environ.get("CONTENT_LENGTH") or ""
    if not size.isdecimal() or int(size) > LONGEST:
        return {}
    body = environ["wsgi.input"].read(int(size))
    environ["wsgi.input"] = BytesIO(body)
    with suppress(ValueError, RecursionError):
        asked = json.loads(body)
        if isinstance(asked, dict):
            return asked
    return {}

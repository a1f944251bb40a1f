"""The door to a web process in which too many requests wait: who is let in all the same, and what
the others are told.
"""

import json
import logging
import threading
import time
from http import HTTPStatus
from typing import Any

from apps.accounts import keys
from apps.api import idempotency
from apps.api.auth import name_of
from apps.api.errors import problem
from apps.api.overload import urgency
from apps.api.refusals import MEDIA_TYPE
from apps.lib.ids import uuid7
from apps.lib.network.turns import Ruling, Urgency

log = logging.getLogger("carillon.overload")
TOLD_EVERY = 10.0  # seconds between two lines of the log
_STATUS = HTTPStatus.TOO_MANY_REQUESTS
_DETAIL = (
    "More calls come than this site can take now. Nothing of this one was stored; "
    "send it again in {seconds} s."
)


class ApiDoor:
    """The door as lib/network/in_turn.py wants it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._refused = 0
        self._told = 0.0

    def may_be_refused(self, environ: dict[str, Any]) -> bool:
        return urgency.may_be_refused(environ)

    def urgency(self, environ: dict[str, Any]) -> Urgency:
        return urgency.urgency(environ)

    def answered(self, environ: dict[str, Any]) -> bool:
        """Whether the answer to this call is kept under its Idempotency-Key.

        Who calls is taken from the first part of the API key, which is no secret; whether the key
        is good is asked when the answer is given.
        """
        key = environ.get("HTTP_IDEMPOTENCY_KEY", "").strip()
        _, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if not key or not secret:
            return False
        caller = keys.meant(secret.strip())
        if caller is None:
            return False
        scope = idempotency.scope_of(
            caller=name_of(caller),
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            key=key,
        )
        return idempotency.is_answered(scope)

    def refusal(
        self, environ: dict[str, Any], ruling: Ruling
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        """Give the status, the headers and the body of a refusal."""
        self._count()
        seconds = ruling.retry_after
        body = json.dumps(problem(_STATUS, "Overloaded", _DETAIL.format(seconds=seconds)))
        headers = {
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Content-Language": "en",
            "Cache-Control": "no-store",
            "Retry-After": str(seconds),
            "X-Content-Type-Options": "nosniff",
            "X-Request-Id": str(uuid7()),
        }
        return f"{_STATUS} {_STATUS.phrase}", list(headers.items()), body.encode()

    def _count(self) -> None:
        """Tell the log now and then how many were refused since it was told last."""
        with self._lock:
            self._refused += 1
            now = time.monotonic()
            if now < self._told + TOLD_EVERY:
                return
            count = self._refused
            self._refused = 0
            self._told = now
        log.warning("More calls came than can be answered: %d were told to come again.", count)

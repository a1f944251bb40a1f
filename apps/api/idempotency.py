"""A write that is repeated with the same Idempotency-Key happens once,
and is answered as the first time.

The claim of the key is committed before the work begins, so the second caller sees it. The answer
is stored in the transaction of the work: a process that dies leaves both or neither, and whoever
takes the key over later does work that was never done. Acts that take several transactions
(`Endpoint.one_transaction` False: pause and cancel, which wait for senders to see them) look at the
state themselves, so their second run says that it has happened already.

draft-ietf-httpapi-idempotency-key-header-07. Refusals and faults are not stored:
the same key may try again.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpResponse
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.auth import caller_of
from apps.api.models import IdempotentCall
from apps.api.refusals import KEY_META, BadIdempotencyKey, KeyReused, StillRunning
from apps.lib.crypto import decrypt, encrypt
from apps.lib.erasing.person import DataSubject
from apps.lib.sql.compiled_query import Kept
from apps.lib.sql.prepared import NO_WAIT, run_prepared

METHODS = ("POST", "PUT", "PATCH", "DELETE")
LONGEST = 255
# The slowest write takes seconds. After that its process is dead, and if not,
# its work is rolled back at the end.
LOCK = dt.timedelta(minutes=5)
_TABLE = IdempotentCall._meta.db_table
_COLUMNS = "scope, body, request_id, answer, locked_until, created_at"

_ANSWERED = Kept(
    lambda scope: IdempotentCall.objects.filter(scope=scope, status__isnull=False), "scope"
)


class Repeatable(Protocol):
    """A view whose writes may be asked for twice; see `Endpoint`."""

    one_transaction: bool

    @property
    def request_id(self) -> str: ...

    @property
    def now(self) -> dt.datetime: ...


def once(
    view: Repeatable, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any
) -> HttpResponse | Response:
    """What the handler answers, or what it answered to the first call with this key.

    Raises BadIdempotencyKey, KeyReused (before StillRunning:
    another body is wrong however long one waits).
    """
    mine = _call(view, request)
    found = _claim(mine)
    if found.body != mine.body:
        raise KeyReused("This key was used with another body. Take a new key for another request.")
    if found.status is not None:
        return _replayed(found)
    if found.request_id != mine.request_id and not _taken_over(found, mine):
        raise StillRunning(
            "The first call with this key is still being worked on. Ask again in a second."
        )
    answered = False  # and that is stored
    work: AbstractContextManager[None] = nullcontext()
    if view.one_transaction:
        work = transaction.atomic()
    try:
        with work:
            response = handler(request, *args, **kwargs)
            answer: HttpResponse = response
            if done := 200 <= response.status_code < 300:
                answer = _worked(response, mine)
        answered = done
        return answer
    finally:
        if not answered:  # what was refused, or went wrong, may be tried again with the same key
            _running(mine).delete()


def forget(*, now: dt.datetime) -> None:
    """Schedule: keys older than settings.IDEMPOTENCY_HOURS."""
    IdempotentCall.objects.filter(
        created_at__lt=now - dt.timedelta(hours=settings.IDEMPOTENCY_HOURS)
    ).delete()


def clear(row: IdempotentCall, person: DataSubject) -> Sequence[str]:
    """Take somebody who is erased out of an answer; names the columns that changed."""
    text = ""
    if row.answer:
        text = decrypt(row.answer)
    if not text:
        return []
    before = json.loads(text)
    after = person.emptied(before)
    if after == before:
        return []
    row.answer = encrypt(json.dumps(after))
    return ["answer"]


def scope_of(*, caller: str, method: str, path: str, key: str) -> str:
    """What a key belongs to, as it is stored. The ids are part of the path, so that a key which is
    used for two campaigns is two keys.
    """
    return _digest("\n".join((caller, method, path, key)))


def is_answered(scope: str) -> bool:
    """Whether the answer to the call with this key is kept."""
    return _ANSWERED.first(scope=scope) is not None


def _call(view: Repeatable, request: Request) -> IdempotentCall:
    key = request.META[KEY_META].strip()
    if not 1 <= len(key) <= LONGEST or not (key.isascii() and key.isprintable()):
        raise BadIdempotencyKey(
            f"Send 1 to {LONGEST} printable ASCII characters, for example a UUID, "
            "or no such header."
        )
    caller = caller_of(request).name
    scope = scope_of(caller=caller, method=str(request.method), path=request.path, key=key)
    body = json.dumps(request.data, sort_keys=True, separators=(",", ":"))
    return IdempotentCall(
        scope=scope,
        body=_digest(body),
        request_id=view.request_id,
        locked_until=view.now + LOCK,
        created_at=view.now,
    )


def _claim(mine: IdempotentCall) -> IdempotentCall:
    """The row of this key: ours, or the one that was there."""
    moment = connection.ops.adapt_datetimefield_value
    told = "id"
    if connection.vendor == "postgresql" and connection.get_autocommit():
        told += NO_WAIT  # the commit of the work waits for both
    for _ in range(3):
        if run_prepared(
            f"INSERT INTO {_TABLE} ({_COLUMNS}) "  # noqa: S608  # names of ours
            f"VALUES (%s, %s, %s, '', %s, %s) ON CONFLICT (scope) DO NOTHING RETURNING {told}",
            [
                mine.scope,
                mine.body,
                mine.request_id,
                moment(mine.locked_until),
                moment(mine.created_at),
            ],
        ):
            return mine
        if found := IdempotentCall.objects.filter(scope=mine.scope).first():
            return found
        # refused and let go by the other one, between our two statements
    raise StillRunning("Other calls with this key come and go. Ask again in a second.")


def _taken_over(found: IdempotentCall, mine: IdempotentCall) -> bool:
    left = _running(found).filter(locked_until__lte=mine.created_at)
    return bool(left.update(request_id=mine.request_id, locked_until=mine.locked_until))


def _running(call: IdempotentCall) -> Any:
    return IdempotentCall.objects.filter(
        scope=call.scope, request_id=call.request_id, status__isnull=True
    )


def _worked(response: Response, mine: IdempotentCall) -> HttpResponse:
    text = ""
    if response.data is not None:
        text = JSONRenderer().render(response.data).decode()
    # encrypted: an answer may hold what is shown only once, such as the secret of a webhook
    if not run_prepared(
        f"UPDATE {_TABLE} SET status = %s, answer = %s "  # noqa: S608  # a name of ours
        "WHERE scope = %s AND request_id = %s AND status IS NULL RETURNING id",
        [response.status_code, encrypt(text), mine.scope, mine.request_id],
    ):
        # slower than LOCK, and another one has begun: what is not stored is not done either
        raise StillRunning(
            "This took too long, and another call with this key went on. Ask again in a second."
        )
    return _response(response.status_code, text)


def _replayed(found: IdempotentCall) -> HttpResponse:
    response = _response(found.status or 200, decrypt(found.answer))
    response["Idempotency-Replayed"] = "true"
    response["X-Original-Request-Id"] = found.request_id
    return response


def _response(status: int, text: str) -> HttpResponse:
    response = HttpResponse(text, status=status, content_type="application/json")
    if not text:
        del response["Content-Type"]
    return response


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

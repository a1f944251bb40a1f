"""Statements that take long, and who asked them: a page, a view of the API, a task or a command.

Off unless SLOW_STATEMENT_MS is set: then no statement goes through here at all.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

LONGEST = 2000  # characters of a statement in the log
_asking: ContextVar[str] = ContextVar("asking", default="")
_UNWATCHED = nullcontext()
log = logging.getLogger("carillon.slow")


def now_asks(name: str) -> None:
    """Name whoever asks from here on, in this thread: a task, until the next one begins."""
    _asking.set(name)


class NameRequests:
    """Middleware: names each request by its method and the pattern of its address, in which there
    is no id and nothing that somebody typed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = _asking.set(f"{request.method}, before its view")
        try:
            return self._get_response(request)
        finally:
            _asking.reset(before)

    def process_view(self, request: HttpRequest, *view: Any) -> None:
        match = request.resolver_match
        if match is not None:
            _asking.set(f"{request.method} /{match.route}")


def watch(connection: Any, **kwargs: Any) -> None:
    """Look at the clock around each statement of a new connection."""
    if settings.SLOW_STATEMENT_MS and _timed not in connection.execute_wrappers:
        connection.execute_wrappers.append(_timed)


def watched(sql: str) -> AbstractContextManager[None]:
    """Look at the clock around what goes past Django's cursor, if that is asked for."""
    if settings.SLOW_STATEMENT_MS:
        return timed(sql)
    return _UNWATCHED


@contextmanager
def timed(sql: str) -> Iterator[None]:
    """Write into the log what took too long inside, and who asked. Values are left out: they are
    people's.
    """
    began = time.perf_counter()
    try:
        yield
    finally:
        took = (time.perf_counter() - began) * 1000
        if took >= settings.SLOW_STATEMENT_MS:
            log.warning("%d ms, asked by %s: %s", took, _who(), sql[:LONGEST])


def _timed(execute: Callable[..., Any], sql: Any, *rest: Any) -> Any:
    with timed(str(sql)):
        return execute(sql, *rest)


def _who() -> str:
    """Whoever was named, else the command of this process."""
    return _asking.get() or " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])

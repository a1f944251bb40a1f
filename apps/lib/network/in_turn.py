"""A WSGI application whose requests take turns (turns.py)."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from apps.lib.network.turns import Crowded, Ruling, Seat, Turns, Urgency
from apps.lib.network.utf8 import Application
from apps.lib.sql.lent_connection import lend, take_back

Environ = dict[str, Any]
Refusal = tuple[str, list[tuple[str, str]], bytes]  # status, headers, body


class Doorkeeper(Protocol):
    """Who knows what requests are about."""

    def may_be_refused(self, environ: Environ) -> bool: ...

    def urgency(self, environ: Environ) -> Urgency:
        """How urgent a request is that may be refused; asked only where it has to wait."""

    def answered(self, environ: Environ) -> bool:
        """Whether a request that would be refused has been answered before, and will be again.

        With a database connection.
        """

    def refusal(self, environ: Environ, ruling: Ruling) -> Refusal: ...


def in_turn(application: Application, *, turns: Turns, door: Doorkeeper) -> Application:
    """Wrap an application; what `door` says may be refused is, when too many wait."""

    def wrapped(environ: Environ, start_response: Any) -> Iterable[bytes]:
        refusable = door.may_be_refused(environ)
        place = turns.free_place()
        if place is None:
            try:
                place = turns.place_in_turn(_urgency(door, environ, refusable))
            except Crowded as error:
                if not _answered(door, environ, turns):
                    return _refused(door.refusal(environ, error.ruling), start_response)
                place = turns.place_in_turn(Urgency.UNREFUSED)
        return _work(application, environ, start_response, _Held(turns, place, counts=refusable))

    return wrapped


class _Held:
    """A place that a thread holds, with its database connection."""

    def __init__(self, turns: Turns, place: Seat, *, counts: bool) -> None:
        self._turns = turns
        self._place = place
        self._counts = counts
        lend(place.connection)

    def give_back(self) -> None:
        self._place.connection = take_back()
        self._turns.give_back(self._place, counts=self._counts)


class _Stream:
    """An answer that is made while it is sent: its place is free when it is closed."""

    def __init__(self, answer: Any, held: _Held) -> None:
        self._answer = answer
        self._held = held

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        try:
            self._answer.close()
        finally:
            self._held.give_back()


def _work(
    application: Application, environ: Environ, start_response: Any, held: _Held
) -> Iterable[bytes]:
    streams = False
    try:
        answer: Any = application(environ, start_response)
        streams = getattr(answer, "streaming", True)
        if streams:
            return _Stream(answer, held)
        try:
            return [b"".join(answer)]
        finally:
            answer.close()
    finally:
        if not streams:
            held.give_back()


def _urgency(door: Doorkeeper, environ: Environ, refusable: bool) -> Urgency:
    if refusable:
        return door.urgency(environ)
    return Urgency.UNREFUSED


def _answered(door: Doorkeeper, environ: Environ, turns: Turns) -> bool:
    with turns.aside_lock:
        lend(turns.aside.connection)
        try:
            return door.answered(environ)
        finally:
            turns.aside.connection = take_back()


def _refused(refusal: Refusal, start_response: Callable[..., Any]) -> Iterable[bytes]:
    status, headers, body = refusal
    start_response(status, headers)
    return [body]

"""A WSGI application takes requests in turn, and refuses what may be refused."""

import threading
from collections.abc import Iterable
from typing import Any

import pytest
from django.db import connection, connections
from django.http import HttpResponse, StreamingHttpResponse

from apps.lib.network.in_turn import in_turn
from apps.lib.network.turns import Ruling, Turns, Urgency
from tests.patience import FOREVER, PATIENCE, until


class Door:
    """Orders may be refused, pages not; an order that was answered before says so."""

    def may_be_refused(self, environ: dict[str, Any]) -> bool:
        return environ["PATH_INFO"] == "/order"

    def urgency(self, environ: dict[str, Any]) -> Urgency:
        return Urgency.USUAL

    def answered(self, environ: dict[str, Any]) -> bool:
        return bool(environ.get("answered"))

    def refusal(
        self, environ: dict[str, Any], ruling: Ruling
    ) -> tuple[str, list[tuple[str, str]], bytes]:
        return "429 Too Many Requests", [("Retry-After", str(ruling.retry_after))], b"later"


class Site:
    """An application that works on a request until the test says so."""

    def __init__(self, *, places: int = 1, room: int = 0) -> None:
        self.turns = Turns(places=places, room=room, longest=FOREVER)
        self.go_on = threading.Event()
        self.began: list[str] = []
        self.said: dict[str, tuple[str, bytes]] = {}
        self.threads: list[threading.Thread] = []
        self.application = in_turn(self._work, turns=self.turns, door=Door())

    def _work(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.began.append(environ["name"])
        assert self.go_on.wait(PATIENCE)
        start_response("200 OK", [])
        return HttpResponse(environ["name"])

    def ask(self, name: str, path: str, **more: Any) -> None:
        """Let a request come, in a thread of its own."""

        def call() -> None:
            statuses: list[str] = []
            answer = self.application(
                {"name": name, "PATH_INFO": path, **more},
                lambda status, headers: statuses.append(status),
            )
            self.said[name] = (statuses[0], b"".join(answer))

        self.threads.append(threading.Thread(target=call))
        self.threads[-1].start()

    def end(self) -> None:
        self.go_on.set()
        for thread in self.threads:
            thread.join(PATIENCE)


def test_an_order_that_finds_no_place_is_refused_at_once_and_a_page_waits() -> None:
    site = Site()
    site.ask("first", "/order")
    until(lambda: site.began == ["first"], "it is worked on")
    site.ask("second", "/order")
    until(lambda: "second" in site.said, "it is refused")
    site.ask("page", "/")
    until(lambda: site.turns.waiting == 1, "the page waits")
    site.end()
    assert site.said["second"] == ("429 Too Many Requests", b"later")
    assert site.said["first"] == ("200 OK", b"first")
    assert site.said["page"] == ("200 OK", b"page")


def test_an_order_that_was_answered_before_gets_its_answer_however_many_wait() -> None:
    site = Site()
    site.ask("first", "/order")
    until(lambda: site.began == ["first"], "it is worked on")
    site.ask("again", "/order", answered=True)
    until(lambda: site.turns.waiting == 1, "it waits for its answer")
    site.end()
    assert site.said["again"] == ("200 OK", b"again")


def test_a_request_that_fails_gives_its_place_back() -> None:
    turns = Turns(places=1, room=0)

    def failing(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raise LookupError

    application = in_turn(failing, turns=turns, door=Door())
    for _ in range(3):
        with pytest.raises(LookupError):
            application({"PATH_INFO": "/"}, None)
    assert turns.free_place() is not None


def test_a_place_is_taken_until_an_answer_that_streams_is_closed() -> None:
    turns = Turns(places=1, room=0)

    def streaming(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        return StreamingHttpResponse([b"a", b"b"])

    answer: Any = in_turn(streaming, turns=turns, door=Door())({"PATH_INFO": "/"}, None)
    assert list(answer) == [b"a", b"b"]
    assert turns.free_place() is None
    answer.close()
    assert turns.free_place() is not None


@pytest.mark.django_db(transaction=True)
def test_a_place_keeps_its_database_connection_whatever_thread_works_there() -> None:
    turns = Turns(places=1, room=0)
    used: list[Any] = []

    def asking(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        used.append(connection.connection)
        return HttpResponse()

    application = in_turn(asking, turns=turns, door=Door())
    left: list[Any] = []

    def call() -> None:
        application({"PATH_INFO": "/"}, None)
        left.extend(connections.all(initialized_only=True))

    for _ in range(3):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join(PATIENCE)
    assert len(used) == 3
    assert len(set(map(id, used))) == 1
    assert left == []
    place = turns.free_place()
    assert place is not None
    place.connection.close()

"""The Python client: what it asks again, what it reads to the end, and what it raises."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from carillon import CarillonError, NotificationService, NotReached, Refused
from carillon import site as carillon_site

ANNA = {
    "id": "1",
    "email": "anna@example.com",
    "name": "Anna",
    "tags": ["vip"],
    "subscribed": True,
    "subscribed_at": "2026-05-04T09:30:00Z",
    "unsubscribed_at": None,
    "created_at": "2026-05-04T09:30:00.123456+02:00",
    "of_a_newer_site": [1],
}


class Site(HTTPServer):
    """A site that answers what the test laid ready, in order, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.ready: list[tuple[int, dict[str, str], Any]] = []
        self.asked: list[Any] = []
        self.address = f"http://127.0.0.1:{self.server_port}"


class _Answer(BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, self.headers, body))
        status, headers, said = self.server.ready.pop(0)
        if not status:
            return  # the connection ends without an answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if not isinstance(said, str):
            said = json.dumps(said)
        self.wfile.write(said.encode())

    do_POST = do_GET

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever, args=(0.01,))
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.fixture
def service(site: Site) -> NotificationService:
    return NotificationService(f"{site.address}/", api_key="car_live_x")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(carillon_site.time, "sleep", found.append)
    return found


def test_a_follower_is_read_as_a_value_and_what_a_newer_site_adds_is_left_out(
    site: Site, service: NotificationService
) -> None:
    site.ready = [(201, {}, ANNA)]
    anna = service.add_follower("anna@example.com", tags=["vip"])
    assert (anna.tags, anna.unsubscribed_at) == (("vip",), None)
    assert anna.subscribed_at
    assert anna.subscribed_at.isoformat() == "2026-05-04T09:30:00+00:00"
    [(method, path, headers, body)] = site.asked
    assert (method, path) == ("POST", "/followers")
    assert headers["Authorization"] == "Bearer car_live_x"
    assert json.loads(body) == {"email": "anna@example.com", "name": "", "tags": ["vip"]}


def test_a_list_is_read_to_its_end(site: Site, service: NotificationService) -> None:
    more = f'<{site.address}/followers?tags=a%2Cb&after=1>; rel="next"'
    site.ready = [(200, {"Link": more}, [ANNA]), (200, {}, [ANNA | {"id": "2"}])]
    found = service.get_followers(tags=["a", "b"], subscribed=True)
    assert [each.id for each in found] == ["1", "2"]
    assert [path for _, path, _, _ in site.asked] == [
        "/followers?tags=a%2Cb&subscribed=true",
        "/followers?tags=a%2Cb&after=1",
    ]


@pytest.mark.parametrize(
    ("first", "waited"),
    [((503, {"Retry-After": "7"}, ""), 7), ((429, {}, ""), 1), ((0, {}, ""), 1)],
)
def test_a_write_without_an_answer_is_asked_again_under_the_same_key(
    site: Site, service: NotificationService, pauses: list[float], first: Any, waited: float
) -> None:
    site.ready = [first, (200, {}, ANNA)]
    assert service.unsubscribe("1").id == "1"
    one, two = (headers["Idempotency-Key"] for _, _, headers, _ in site.asked)
    assert one == two
    assert pauses == [waited]


def test_a_refusal_says_why_and_about_which_field(site: Site, service: NotificationService) -> None:
    problem = {
        "status": 400,
        "detail": "Send a tag.",
        "errors": [{"field": "tags", "detail": "Send a tag."}],
    }
    site.ready = [(400, {}, problem)]
    with pytest.raises(Refused, match="Send a tag") as refused:
        service.send_message("m", tags=["x"])
    assert (refused.value.status, refused.value.errors) == (400, {"tags": "Send a tag."})


@pytest.mark.parametrize("said", ["<html>", "[]", '{"errors": 1}'])
def test_a_refusal_by_somebody_else_than_the_site_is_one_too(
    site: Site, service: NotificationService, said: str
) -> None:
    site.ready = [(502, {}, said)]
    with pytest.raises(Refused, match="The site answered 502 Bad Gateway"):
        service.get_messages()


def test_a_site_that_does_not_answer_is_said_after_three_tries(
    site: Site, service: NotificationService, pauses: list[float]
) -> None:
    site.ready = [(0, {}, "")] * 3
    with pytest.raises(NotReached, match="does not answer"):
        service.get_deliveries("m")
    assert len(site.asked) == 3
    assert pauses == [1, 2]
    assert issubclass(NotReached, CarillonError)


def test_a_page_that_is_no_answer_of_a_site_is_said(
    site: Site, service: NotificationService
) -> None:
    site.ready = [(200, {}, "<html>")]
    with pytest.raises(NotReached, match="does not answer as a Carillon site does"):
        service.get_follower("1")


def test_an_id_is_one_part_of_the_address(site: Site, service: NotificationService) -> None:
    site.ready = [(404, {}, {"detail": "x"})]
    with pytest.raises(Refused):
        service.get_follower("../admin?x")
    assert site.asked[0][1] == "/followers/..%2Fadmin%3Fx"

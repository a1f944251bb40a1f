"""Requests to strangers' addresses reach the open internet only, and nobody can keep us waiting."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from apps.lib.network import outside_http
from apps.lib.network.outside_http import Forbidden, NoAnswer, Outside, as_called
from apps.lib.network.public_ip import is_public
from tests.certificate import certificate
from tests.patience import PATIENCE, shortly


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("64:ff9b::5db8:d70e", True),  # 93.184.215.14 behind a public gateway
        ("127.0.0.1", False),
        ("127.1.2.3", False),
        ("0.0.0.0", False),  # noqa: S104  (a value to refuse)
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # the clouds' metadata
        ("168.63.129.16", False),  # Azure's
        ("192.0.0.192", False),  # Oracle's
        ("100.64.0.1", False),  # carriers
        ("100.100.100.200", False),
        ("192.0.2.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("239.1.1.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("::127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),  # 169.254.169.254 behind a gateway
        ("64:ff9b:1::a00:1", False),
        ("2002:7f00:1::", False),
        ("2001:0:53aa:64c::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("fd00:ec2::254", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
    ],
)
def test_only_addresses_of_the_open_internet_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/hook",
        "ftp://example.com/",
        "https:///hook",
        "https://anna:secret@example.com/",
        "https://example.com:99999/",
        "https://example.com/a b",
        "https://example.com/\r\nX: y",
        "https://example.com/ü",
        "https://[::1",
        "//example.com",
        "",
    ],
)
def test_what_is_no_plain_https_address_is_refused_when_it_is_given(url: str) -> None:
    with pytest.raises(Forbidden):
        as_called(url)


def test_plain_addresses_are_taken(settings: Any) -> None:
    for url in (
        "https://example.com",
        "https://xn--bcher-kva.example:443/a?b=c",
        "https://bücher.example/",
        "https://[::1]/",
    ):
        as_called(url)
    settings.ALLOW_LOOPBACK = True
    as_called("http://127.0.0.1:8000/")
    with pytest.raises(Forbidden):
        as_called("http://example.com/")
    settings.ALLOW_LOOPBACK = False
    with pytest.raises(Forbidden):
        as_called("http://127.0.0.1:8000/")


@pytest.mark.reported
def test_a_webhook_names_a_port_of_the_web_and_no_other(settings: Any) -> None:
    for port in (22, 25, 80, 6379, 8443, 0):
        with pytest.raises(Forbidden) as refused:
            as_called(f"https://example.com:{port}/hook")
        assert str(refused.value) == (
            f"The address names the port {port}. Use 443: an operator may allow others."
        )
    settings.WEBHOOK_PORTS = [8443, 443]
    as_called("https://example.com:8443/hook")
    with pytest.raises(Forbidden, match="Use 443 or 8443: an operator"):
        as_called("https://example.com:22/")
    settings.ALLOW_LOOPBACK = False
    with pytest.raises(Forbidden, match="names the port 6379"):
        as_called("https://127.0.0.1:6379/")


def lookup(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """Names lead where the test says: one answer a look-up, the last one for ever."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def found(host: str, port: int, *more: Any, **named: Any) -> Any:
        if host[0].isdigit():  # an address, no name
            return really(host, port, *more, **named)
        asked.append(host)
        addresses = answers[min(len(asked), len(answers)) - 1]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses
        ]

    monkeypatch.setattr(outside_http.socket, "getaddrinfo", found)
    return asked


@pytest.mark.parametrize(
    "addresses", [["10.0.0.5"], ["93.184.215.14", "169.254.169.254"], ["::ffff:127.0.0.1"]]
)
def test_a_name_that_leads_into_a_private_network_is_not_called(
    monkeypatch: pytest.MonkeyPatch, settings: Any, addresses: list[str]
) -> None:
    settings.ALLOW_LOOPBACK = False
    lookup(monkeypatch, addresses)
    monkeypatch.setattr(outside_http.socket, "create_connection", pytest.fail)
    with pytest.raises(Forbidden, match="not in the open internet"):
        Outside().post("https://hooks.example/", b"", {})


def test_the_connection_goes_to_the_address_that_was_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second look-up could say something else (DNS rebinding)."""
    asked = lookup(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    called: list[Any] = []

    def refuse(address: Any, timeout: float) -> None:
        called.append(address)
        raise ConnectionRefusedError("no")

    monkeypatch.setattr(outside_http.socket, "create_connection", refuse)
    with pytest.raises(NoAnswer):
        Outside().post("https://hooks.example/", b"", {})
    assert (called, asked) == ([("93.184.215.14", 443)], ["hooks.example"])


class Server(ThreadingHTTPServer):
    """Answers as the test says and remembers what it was asked."""

    daemon_threads = True

    def __init__(self, answer: Callable[["Handler"], None]) -> None:
        self.answer = answer  # type: ignore[var-annotated]
        self.asked = []  # type: ignore[var-annotated]
        self.connections = 0  # type: ignore[var-annotated]
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Host"], body))
        self.server.answer(self)

    def say(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def serving(
    answer: Callable[[Handler], None], tls: ssl.SSLContext | None = None
) -> Iterator[Server]:
    server = Server(answer)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=[0.01], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def outside() -> Iterator[Outside]:
    outside = Outside(timeout=PATIENCE)
    yield outside
    outside.close()


def test_a_connection_is_kept_and_one_that_was_closed_meanwhile_costs_nothing(
    outside: Outside,
) -> None:
    with serving(lambda to: to.say(200, b"fine")) as server:
        url = f"http://127.0.0.1:{server.server_port}/hook?a=b"
        replies = [outside.post(url, b"{}", {"X": "y"}) for _ in range(3)]
        assert [(reply.status, reply.text) for reply in replies] == [(200, "fine")] * 3
        assert server.asked == [("/hook?a=b", f"127.0.0.1:{server.server_port}", b"{}")] * 3
        assert server.connections == 1
        server.answer = say_and_close
        assert [outside.post(url, b"{}", {}).status for _ in range(3)] == [204] * 3


def test_a_redirect_is_an_answer_and_not_followed(outside: Outside) -> None:
    with serving(lambda to: to.say(302, Location="http://127.0.0.1:1/inside")) as server:
        reply = outside.post(f"http://127.0.0.1:{server.server_port}/", b"", {})
    assert (reply.status, len(server.asked)) == (302, 1)


def test_of_a_long_answer_only_the_beginning_is_read(outside: Outside) -> None:
    with serving(lambda to: to.say(500, b"x" * 1_000_000)) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        assert [len(outside.post(url, b"", {}).text) for _ in range(2)] == [
            outside_http.LARGEST
        ] * 2
    assert server.connections == 2


def say_and_close(to: Handler) -> None:
    to.say(204)
    to.close_connection = True


def drip(to: Handler, head: bytes) -> None:
    to.wfile.write(head)
    with suppress(OSError):  # until the caller has left
        while True:
            to.wfile.write(b"a")
            time.sleep(0.05)


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n"]
)
def test_whoever_answers_a_letter_at_a_time_is_cut_off(head: bytes) -> None:
    outside = Outside(timeout=shortly())
    with serving(lambda to: drip(to, head)) as server, pytest.raises(NoAnswer, match="within"):
        outside.post(f"http://127.0.0.1:{server.server_port}/", b"", {})
    assert len(server.asked) == 1, "it was asked once"


def test_a_server_that_is_away_or_talks_nonsense_is_no_answer(outside: Outside) -> None:
    with serving(lambda to: to.wfile.write(b"nonsense\r\n\r\n")) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        with pytest.raises(NoAnswer):
            outside.post(url, b"", {})
    with pytest.raises(NoAnswer, match="refused"):
        outside.post(url, b"", {})


def test_tls_checks_the_name_though_the_connection_goes_to_an_address(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    lookup(monkeypatch, ["127.0.0.1"])
    ours = certificate(tmp_path, of=x509.DNSName("hooks.example"))
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with serving(lambda to: to.say(200), ours) as server:
        port = server.server_port
        settings.WEBHOOK_PORTS = [port]
        assert Outside(tls=trusting).post(f"https://hooks.example:{port}/", b"", {}).status == 200
        assert server.asked == [("/", f"hooks.example:{port}", b"")]
        with pytest.raises(NoAnswer, match="certificate"):
            Outside(tls=trusting).post(f"https://other.example:{port}/", b"", {})
        with pytest.raises(NoAnswer, match="certificate"):
            Outside().post(f"https://hooks.example:{port}/", b"", {})

"""Requests to addresses that strangers give us: never into a private network,
and never past a limit of time or size.

Whoever names an address could name the cloud's metadata service or our own database (server-side
request forgery). So the name is looked up here, every address it has must be public, and the
connection goes to the one that was judged: a second lookup may answer otherwise (DNS rebinding).
TLS still checks the name. Redirects are never followed.
"""

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from apps.lib.network.host_name import BadHost, ascii_host, ascii_url
from apps.lib.network.public_ip import is_public

TIMEOUT = 20.0  # seconds for the whole answer; Standard Webhooks asks for 15 to 30
CONNECT_SECONDS = 10.0
LARGEST = 65_536  # bytes of an answer: we read what was wrong, not pages
KEPT = 32  # connections
FRESH_SECONDS = 60.0  # so long a name's address is believed

_USUAL_PORTS = {True: 443, False: 80}  # by whether the address is secure


class Forbidden(ValueError):
    """We don't write to this address; the text says why."""


class NoSuchPlace(Forbidden):
    """The form is right: it names a host that can't be, or a port that is not called."""


class NoAnswer(OSError):
    """The server could not be reached, or did not answer in time."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of a stranger's server: `headers` in lower case, `text` is the beginning of the body,
    at most LARGEST bytes.
    """

    status: int
    headers: Mapping[str, str]
    text: str


class _Place(NamedTuple):
    secure: bool
    host: str
    port: int
    path: str


def as_called(url: str) -> str:
    """The address as it is called, its host in ASCII, judged by its form alone and without the
    network: https, a plain name, no password in it. Raises Forbidden, NoSuchPlace.
    """
    _place(url)
    return ascii_url(url)


def _place(url: str) -> _Place:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        # a port that is none, or a host: urlsplit says no more than a sentence
        raise NoSuchPlace(
            _("This is not an address of the web: {error}.").format(error=error)
        ) from error
    if (
        any(letter <= " " or letter == "\x7f" for letter in url)
        or not (parts.path + parts.query).isascii()
    ):
        raise Forbidden(_("The address holds blanks, or letters that must be written as %xx."))
    if parts.username is not None or parts.password is not None:
        raise Forbidden(_("The address holds a user name or a password. Leave them out."))
    if not parts.hostname:
        raise Forbidden(_("The address has no host. Write it as https://example.com/path."))
    try:
        host = ascii_host(parts.hostname)
    except BadHost as error:
        raise NoSuchPlace(
            _("The host “{host}” {fault}.").format(host=parts.hostname, fault=error)
        ) from error
    secure = parts.scheme == "https"
    if not secure and not (parts.scheme == "http" and _is_here(host)):
        raise Forbidden(_("The address must begin with https://."))
    if port is None:
        port = _USUAL_PORTS[secure]
    if port not in settings.WEBHOOK_PORTS and not _is_here(host):
        raise NoSuchPlace(_other_port(port))
    path = parts.path or "/"
    if parts.query:
        path = f"{path}?{parts.query}"
    return _Place(secure, host, port, path)


def _is_here(host: str) -> bool:
    """Whether the name is this machine's, and may be called: while things are tried out."""
    return settings.ALLOW_LOOPBACK and host in ("localhost", "127.0.0.1", "::1")


def _other_port(port: int) -> str:
    """The refusal of a port on which other things than the web may listen."""
    allowed = sorted(settings.WEBHOOK_PORTS)
    between = pgettext("between ports", "or")
    named = f" {between} ".join(map(str, allowed))
    return _(
        "The address names the port {port}. Use {allowed}: an operator may allow others."
    ).format(port=port, allowed=named)


def address_of(host: str, port: int) -> str:
    """IP address that the name leads to.

    Raises Forbidden where one of its addresses is private, NoAnswer where it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NoAnswer(f"The name {host} leads nowhere: {error}") from error
    addresses = [str(each[4][0]) for each in found]
    for address in addresses:
        allowed = (
            settings.ALLOW_LOOPBACK and ipaddress.ip_address(address.partition("%")[0]).is_loopback
        )
        if not allowed and not is_public(address):
            raise Forbidden(
                f"The name {host} leads to {address}, which is not in the open internet."
            )
    if not addresses:
        raise NoAnswer(f"The name {host} leads nowhere.")
    return addresses[0]


class _Connection(http.client.HTTPConnection):
    """Connection to one judged address, under the name it was judged for."""

    patience = TIMEOUT

    def __init__(self, place: _Place, address: str, tls: ssl.SSLContext | None) -> None:
        super().__init__(place.host, place.port)
        # is not named in the header Host
        if tls:
            self.default_port = 443
        else:
            self.default_port = 80
        self.judged_at = time.monotonic()
        self.used = False
        self._address = address
        self._tls = tls
        self._raw: socket.socket | None = None

    def connect(self) -> None:
        self._raw = sock = socket.create_connection(
            (self._address, self.port), min(CONNECT_SECONDS, self.patience)
        )
        sock.settimeout(self.patience)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._tls:
            self.sock = self._tls.wrap_socket(sock, server_hostname=self.host)
        else:
            self.sock = sock
        self._raw = self.sock

    def cut(self) -> None:
        """Cut the line, from another thread: whoever reads or writes here gets an end."""
        if self._raw:
            with suppress(OSError):
                socket.socket.shutdown(self._raw, socket.SHUT_RDWR)


class Outside:
    """Keeps a few connections open. Used by one thread; close it at the end."""

    def __init__(self, *, timeout: float = TIMEOUT, tls: ssl.SSLContext | None = None) -> None:
        """Take `timeout` in seconds for a whole answer, `tls` for other than usual authorities."""
        self._timeout = timeout
        self._tls = tls
        self._kept: OrderedDict[tuple[bool, str, int], _Connection] = OrderedDict()

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Raises Forbidden (this address never), NoAnswer (it may or may not have been taken)."""
        place = _place(url)
        connection = self._connection(place)
        try:
            try:
                return self._ask(connection, place, body, headers)
            except NoAnswer as error:
                if not connection.used or isinstance(error.__cause__, TimeoutError):
                    raise
            # the other side had closed the kept one: it did not read this
            connection = self._connection(place, fresh=True)
            return self._ask(connection, place, body, headers)
        except BaseException:
            self._forget(place)
            raise

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    def _connection(self, place: _Place, *, fresh: bool = False) -> _Connection:
        key = place[:3]
        kept = self._kept.get(key)
        if kept and (fresh or time.monotonic() - kept.judged_at > FRESH_SECONDS):
            self._forget(place)
            kept = None
        if kept is None:
            if place.secure and self._tls is None:
                self._tls = ssl.create_default_context()
            address = address_of(place.host, place.port)
            tls = None
            if place.secure:
                tls = self._tls
            kept = self._kept[key] = _Connection(place, address, tls)
            kept.patience = self._timeout
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)[1].close()
        return kept

    def _forget(self, place: _Place) -> None:
        if connection := self._kept.pop(place[:3], None):
            connection.close()

    def _ask(
        self, connection: _Connection, place: _Place, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        # a time-out of a socket is for each read: who sends a byte a second would keep us for ever
        late = threading.Event()

        def cut() -> None:
            late.set()
            connection.cut()

        deadline = threading.Timer(self._timeout, cut)
        deadline.daemon = True
        deadline.start()
        try:
            connection.request("POST", place.path, body=body, headers=dict(headers))
            with connection.getresponse() as response:
                text = _beginning(response).decode("utf-8", "replace")
                whole = response.isclosed() or response.length == 0
                reply = Reply(
                    response.status,
                    {name.lower(): value for name, value in response.getheaders()},
                    text,
                )
            if not whole:
                connection.close()
        except (
            OSError,
            ValueError,
            http.client.HTTPException,
        ) as error:  # ValueError: a chunk of less than no bytes
            connection.close()
            if late.is_set() or isinstance(error, TimeoutError):
                raise NoAnswer(
                    f"{place.host} did not answer within {self._timeout:g} s."
                ) from TimeoutError()
            raise NoAnswer(
                f"{place.host} gave no answer: {type(error).__name__}: {error}"
            ) from error
        finally:
            deadline.cancel()
        if late.is_set():  # cut off in the middle, which looks like an end
            raise NoAnswer(
                f"{place.host} did not answer within {self._timeout:g} s."
            ) from TimeoutError()
        connection.used = True
        return reply


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """Read at most LARGEST bytes.

    Not by read(): of a chunk that says it has -1 bytes that reads all there ever comes.
    """
    parts: list[bytes] = []
    left = LARGEST
    while left and (part := response.read1(left)):
        parts.append(part[:left])
        left -= len(parts[-1])
    return b"".join(parts)

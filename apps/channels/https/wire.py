"""Whether a request had left as a whole when its call broke:
what tells "in doubt" from "not accepted".
"""

import io
import socket
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.connection import create_connection

from apps.lib.network.outside_http import address_of


class Body(io.BytesIO):
    """The body of a request, which notes how much of it the connection took.

    HTTP clients ask for the next block when the kernel has taken the one before, so the empty block
    at the end is asked for only after the last byte has left. No server can accept a request of
    which the last byte is missing.
    """

    begun = left = False

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self.begun = True
        self.left = self.left or not block
        return block


class Wire(requests.Session):
    """A kept connection to one provider.

    Doesn't follow redirects: those would show our key to somebody else.
    """

    def __init__(self, *, outside: bool = False) -> None:
        """Make a wire, with `outside` to addresses of strangers, and so into the open internet
        only; a call may then raise Forbidden.

        Through a proxy of the environment it is the proxy that looks names up,
        and that has to judge them.
        """
        super().__init__()
        self.body = Body()
        if outside:
            self.mount("https://", _Outside())
            self.mount("http://", _Outside())
        # or requests would look for a password in ~/.netrc and put it in place of our key
        self.auth = _as_it_is

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        content: Any = request.body or b""  # text or bytes: we give no files
        if isinstance(content, str):
            content = content.encode()
        self.body = Body(bytes(content))
        request.body = self.body
        return super().send(request, **options | {"allow_redirects": False})


class _Judged(HTTPConnection):
    """Connection to the address that was judged: a second look-up may answer otherwise
    (apps.lib.network.outside_http).
    """

    def _new_conn(self) -> socket.socket:
        port = self.port or self.default_port
        place = (address_of(self.host, port), port)
        return create_connection(place, self.timeout, socket_options=self.socket_options)


class _JudgedTls(_Judged, HTTPSConnection):
    """TLS still checks the name."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Judged


class _PoolTls(HTTPSConnectionPool):
    ConnectionCls = _JudgedTls


class _Outside(HTTPAdapter):
    def init_poolmanager(self, *sizes: Any, **options: Any) -> None:
        super().init_poolmanager(*sizes, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _PoolTls}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def root_of(error: BaseException) -> str:
    """What went wrong at the bottom of a chain of exceptions, as a person would say it."""
    while deeper := error.__cause__ or error.__context__:
        error = deeper
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"

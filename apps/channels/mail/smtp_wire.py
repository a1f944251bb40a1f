"""One connection to an SMTP server: reaching it, TLS, logging in,
bytes out and answers in (RFC 5321).

A blocking socket: it gives the interpreter away while it waits, so that connections in threads are
all it takes. In the clear the kernel looks to the time-out of each call; Python would ask it before
each whether the socket is ready. Through TLS Python has to, which else would begin again and again.
What an answer means for a message is decided in smtp.py.
"""

import re
import socket
import ssl
import struct
import time
from base64 import b64encode
from functools import lru_cache

from apps.lib.network.host_name import BadHost, ascii_host

LONGEST_ANSWER = (
    64 * 1024
)  # bytes; RFC 5321 4.5.3.1.5 asks for 512 a line, some servers tell stories
LONGEST_RECORD = 16 * 1024  # RFC 8446 5.1: what TLS seals and sends in one piece
NO_ANSWER = 0  # the code of what is no answer: three digits are missing, or it never ends
GOODBYE_SECONDS = 5.0  # nothing depends on the answer to QUIT
# How long the kernel waits in a read before we look to the time. It is as long as a message whose
# envelope went along waits for the answer before it (smtp.py): so no read sets another time.
ONE_WAIT = 5.0

Answer = tuple[int, bytes]
_HOST_NAME = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")


class Unwilling(Exception):
    """The server can't be worked with; the text says why, to be read after its name."""


class CutShort(OSError):
    """The connection took only the first `taken` bytes of a write."""

    def __init__(self, taken: int, why: OSError) -> None:
        super().__init__(*why.args)
        self.taken = taken


def said(answer: Answer) -> str:
    """An answer in one line of at most 500 characters."""
    code, text = answer
    words = " ".join(text.decode("utf-8", "replace").split())
    if code:
        line = f"{code} {words}"
    else:
        line = f"no answer but “{words}”"
    return line[:500]


@lru_cache(maxsize=1)
def _own_name() -> str:
    """Full name of this machine, looked up once: a lookup may take seconds."""
    try:
        name = ascii_host(socket.getfqdn())
    except BadHost:
        return ""
    if _HOST_NAME.fullmatch(name):
        return name
    return ""


class Wire:
    """Connection to a server; `offers` are the extensions of the server's EHLO, by upper-case name,
    with their parameters.
    """

    def __init__(
        self, host: str, port: int, *, timeout: float, tls: ssl.SSLContext | None = None
    ) -> None:
        """Connect to `host`, a name in ASCII, through TLS from the start if `tls`.

        Raises OSError.
        """
        self._host = host
        self._timeout = timeout
        self._socket = socket.create_connection((host, port), timeout)
        self._wait = timeout  # how long one read waits at most
        self._patience = timeout  # how long it waits now
        self._unread = b""
        # a command must not wait in the kernel until the last one is acknowledged (40 ms with
        # delayed ACKs)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sealed = tls is not None
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        else:
            self._leave_time_to_the_kernel()
        self.offers: dict[str, str] = {}
        self.pipelining = False
        self.largest: int | None = (
            None  # bytes; 0 where the server counts but has no limit, None where it does not
        )

    def _leave_time_to_the_kernel(self) -> None:
        self._socket.settimeout(None)
        wait = _interval(self._timeout)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, wait)
        self._wait = min(self._timeout, ONE_WAIT)
        self._wait_at_most(self._wait)

    # ---- before the first message
    def greet(self) -> None:
        """Hear the greeting and introduce ourselves. Raises Unwilling, OSError."""
        answer = self.answer()
        if answer[0] != 220:
            raise Unwilling(f"refused us: {said(answer)}")
        self._introduce()

    def _introduce(self) -> None:
        name = _own_name() or _literal(self._socket.getsockname()[0])
        code, text = answer = self.ask(f"EHLO {name}")
        self.offers = {}
        if code == 250:
            for line in text.decode("ascii", "replace").split("\n")[1:]:
                keyword, _, parameters = line.replace("AUTH=", "AUTH ").strip().partition(" ")
                self.offers[keyword.upper()] = (
                    f"{self.offers.get(keyword.upper(), '')} {parameters}".strip()
                )
        elif 500 <= code <= 599:  # older than 1995, or a proxy that knows no better: no extensions
            answer = self.ask(f"HELO {name}")
        if answer[0] != 250:
            raise Unwilling(f"refused us: {said(answer)}")
        self.pipelining = "PIPELINING" in self.offers
        size = self.offers.get("SIZE")
        if size is None:
            self.largest = None
        elif size.isdecimal():
            self.largest = int(size)
        else:
            self.largest = 0

    def start_tls(self, tls: ssl.SSLContext) -> None:
        """Go on encrypted (RFC 3207). Raises Unwilling, OSError."""
        if "STARTTLS" not in self.offers:
            raise Unwilling("does not offer STARTTLS. Check the encryption.")
        answer = self.ask("STARTTLS")
        if answer[0] != 220:
            raise Unwilling(f"refused us: {said(answer)}")
        # Whatever came in the clear after its yes may be put in by somebody on the way: it must not
        # be taken for an answer that came encrypted. What was offered before is forgotten for the
        # same reason (RFC 3207 4.2).
        self._unread = b""
        self._sealed = True
        self._wait = self._timeout
        self._wait_at_most(self._wait)
        self._socket = tls.wrap_socket(self._socket, server_hostname=self._host)
        self._introduce()

    def log_in(self, username: str, password: str) -> None:
        """AUTH with what the server offers (RFC 4954). Raises Unwilling, OSError."""
        ways = self.offers.get("AUTH", "").upper().split()
        if "PLAIN" in ways:
            answer = self.ask(f"AUTH PLAIN {_base64(f'{chr(0)}{username}{chr(0)}{password}')}")
        elif "LOGIN" in ways:
            answer = self.ask("AUTH LOGIN")
            for word in (username, password):
                if answer[0] == 334:
                    answer = self.ask(_base64(word))
        else:
            raise Unwilling(
                "offers neither AUTH PLAIN nor AUTH LOGIN. Check the encryption and the user name."
            )
        if answer[0] != 235:
            raise Unwilling(f"refused user name and password: {said(answer)}")

    # ---- bytes out, answers in
    def ask(self, command: str) -> Answer:
        self.write(f"{command}\r\n".encode())
        return self.answer()

    def write(self, data: bytes) -> None:
        """Raises CutShort, which knows how much is on its way."""
        taken = 0
        try:
            if self._sealed and self._patience != self._timeout:
                self._wait_at_most(self._timeout)  # Python's is for both directions
            if not self._sealed:
                taken = self._socket.send(data)
            rest = memoryview(data)
            while taken < len(data):
                # One record at a time: the other side can read either all of a record or nothing,
                # so when this raises, what it was raised for has not been read.
                taken += self._socket.send(rest[taken : taken + LONGEST_RECORD])
        except BlockingIOError as error:
            raise CutShort(taken, TimeoutError("timed out")) from error
        except OSError as error:
            raise CutShort(taken, error) from error

    @property
    def spoke_unasked(self) -> bool:
        """More was said than was asked for, as far as it has been read.

        Look where no answer is owed.
        """
        return bool(self._unread)

    def speaks_within(self, seconds: float) -> bool:
        """Whether something of an answer is there by then, or the end of the connection."""
        if self._unread:
            return True
        try:
            self._unread = self._receive(time.monotonic() + seconds)
        except TimeoutError:
            return False
        except OSError:
            return True  # who reads the answer meets it again
        return True

    def answer(self, patience: float | None = None) -> Answer:
        """The next answer within `patience` seconds (or the usual ones): its last line's code (in a
        good one all are the same) and all its text. Raises OSError where the connection is gone or
        silent.
        """
        line, ended, rest = self._unread.partition(b"\n")
        if ended and 3 <= len(line) <= 1000 and line[:3].isdigit() and line[3:4] != b"-":
            self._unread = rest  # as nearly always: one line, and there already
            return int(line[:3]), line[4:]
        until = time.monotonic() + (patience or self._timeout)
        texts: list[bytes] = []
        size = 0
        while True:
            end = self._unread.find(b"\n")
            if end < 0:
                if size + len(self._unread) > LONGEST_ANSWER:
                    return NO_ANSWER, b"an answer longer than 64 kB"
                self._unread += self._receive(until)
                continue
            line = self._unread[:end]
            self._unread = self._unread[end + 1 :]
            size += end + 1
            if size > LONGEST_ANSWER:
                return NO_ANSWER, b"an answer longer than 64 kB"
            if not (len(line) >= 3 and line[:3].isdigit()):
                return NO_ANSWER, line
            texts.append(line[4:])
            if line[3:4] != b"-":
                return int(line[:3]), b"\n".join(texts)

    def _receive(self, until: float) -> bytes:
        """Some bytes, by that moment of the monotonic clock. Longer patience than the usual is
        several waits: to set another time for each answer would cost as much as to hear it.
        """
        while (left := until - time.monotonic()) > 0:
            wait = self._wait
            if left < 0.9 * wait:  # only an answer in pieces, or the end of a long patience
                wait = left
            if self._patience != wait:
                self._wait_at_most(wait)
            try:
                data = self._socket.recv(4096)
            except (TimeoutError, BlockingIOError):  # Python's word for it, and the kernel's
                continue
            if not data:
                raise ConnectionError("it closed the connection")
            return data
        raise TimeoutError("timed out")

    def _wait_at_most(self, seconds: float) -> None:
        if self._sealed:
            self._socket.settimeout(seconds)
        else:
            wait = _interval(seconds)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, wait)
        self._patience = seconds

    # ---- the end
    def quit(self, first: bytes = b"") -> None:
        """Say good-bye, after `first`, and close. Never raises."""
        try:
            self.write(first + b"QUIT\r\n")
            for _ in range(first.count(b"\n") + 1):
                self.answer(GOODBYE_SECONDS)
        except OSError:
            pass
        self.close()

    def close(self) -> None:
        self._socket.close()


def _interval(seconds: float) -> bytes:
    """A struct timeval. None at all would be no limit."""
    return struct.pack("@ll", int(seconds), max(1, int(seconds % 1 * 1_000_000)))


def _literal(address: str) -> str:
    """An IP address where a name belongs (RFC 5321 4.1.3)."""
    if ":" in address:
        return f"[IPv6:{address}]"
    return f"[{address}]"


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()

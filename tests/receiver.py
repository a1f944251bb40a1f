"""A strict SMTP receiver that writes each mail into a log before it answers 250:
the only truth about what arrived.

In a test: `with Receiver() as receiver: …`. As a program: `python -m tests.receiver PORT LOG`.
Faults are scripted: `receiver.answers["RCPT"] = lambda address: "450 4.2.0 later"`, or `DROP` to
close the connection there.
"""

import json
import os
import socket
import socketserver
import ssl
import sys
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any, NoReturn

from tests.patience import PATIENCE

DROP = "drop"
Answer = str | Callable[[str], str | None] | None


@dataclass
class Arrived:
    """One accepted mail. `at` is the time of day in seconds, before the 250 was sent."""

    at: float
    sender: str
    recipient: str
    message_id: str
    size: int
    raw: str

    @property
    def mail(self) -> Any:
        return message_from_bytes(self.raw.encode("utf-8", "surrogateescape"), policy=default)


class _Conversation(socketserver.StreamRequestHandler):
    server: "_Server"
    timeout = 2 * PATIENCE
    disable_nagle_algorithm = True

    def handle(self) -> None:
        receiver = self.server.receiver
        receiver.connections += 1
        self.unsaid = b""
        try:
            if receiver.tls and receiver.tls_from_the_start:
                self._encrypt(receiver.tls)
            self._converse(receiver)
        except (ConnectionError, TimeoutError, ssl.SSLError):
            return
        finally:
            if isinstance(self.request, ssl.SSLSocket):
                self.request.close()

    def _encrypt(self, context: ssl.SSLContext) -> None:
        self.request = context.wrap_socket(self.request, server_side=True)
        self.setup()

    # Answers are kept until the client waits for them, as real servers do;
    # `chunks` says in what pieces they go then.
    def _say(self, text: str) -> None:
        self.unsaid += text.encode("utf-8", "surrogateescape") + b"\r\n"

    def _flush(self) -> None:
        chunks = self.server.receiver.chunks
        self.server.receiver.turns += 1
        while self.unsaid:
            if chunks:
                size = next(chunks, len(self.unsaid))
            else:
                size = len(self.unsaid)
            piece = self.unsaid[:size]
            self.unsaid = self.unsaid[size:]
            self.wfile.write(piece)

    def _said_more(self) -> bytes:
        """What the client has said already beyond what was read."""
        self.connection.settimeout(0)
        try:
            return bytes(self.rfile.peek(1))  # type: ignore[attr-defined]
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        finally:
            self.connection.settimeout(self.timeout)

    def _line(self, longest: int) -> bytes:
        if self.unsaid and b"\n" not in self._said_more():
            self._flush()
        return bytes(self.rfile.readline(longest))

    def _answer(self, stage: str, argument: str, good: str) -> bool:
        """True if the good answer was given; raises ConnectionError to drop."""
        scripted = self.server.receiver.answers.get(stage)
        text = scripted
        if callable(scripted):
            text = scripted(argument)
        if text == DROP:
            self._hang_up()
        self._say(text or good)
        if text and text.startswith("421"):
            self._hang_up()
        return not text or text[0] == good[0]

    def _hang_up(self) -> NoReturn:
        self._flush()
        raise ConnectionError

    def _converse(self, receiver: "Receiver") -> None:
        if not self._answer("CONNECT", "", "220 receiver.test ESMTP"):
            self._flush()
            return
        sender = recipient = None
        while line := self._line(4096):
            if not line.endswith(b"\r\n"):
                self._say("500 5.5.2 Lines end with CRLF")
                continue
            verb, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            receiver.heard.append(f"{verb} {rest}".strip())
            may_be_followed = "PIPELINING" in receiver.extensions and verb in (
                "MAIL",
                "RCPT",
                "RSET",
            )
            if not may_be_followed and self._said_more():
                receiver.hasty.append(verb)
            match verb.upper():
                case "EHLO":
                    extensions = ["receiver.test", *receiver.extensions]
                    if receiver.largest:
                        extensions.insert(1, f"SIZE {receiver.largest}")
                    if receiver.tls and not isinstance(self.request, ssl.SSLSocket):
                        extensions.append("STARTTLS")
                    self._answer(
                        "EHLO", rest, "\r\n".join([*(f"250-{x}" for x in extensions), "250 HELP"])
                    )
                case "HELO" | "RSET" | "NOOP":
                    sender = recipient = None
                    self._answer(verb, rest, "250 OK")
                case "STARTTLS" if receiver.tls:
                    self._answer("STARTTLS", rest, "220 Go ahead")
                    self._flush()
                    self._encrypt(receiver.tls)
                case "AUTH":
                    self._log_in(receiver, rest)
                case "MAIL" if sender is None:
                    if self._answer("MAIL", rest, "250 2.1.0 OK"):
                        sender = _path(rest)
                case "RCPT" if sender is not None:
                    if self._answer("RCPT", _path(rest), "250 2.1.5 OK"):
                        recipient = _path(rest)
                case "DATA" if recipient is not None or (
                    sender is not None and receiver.takes_data_for_nobody
                ):
                    if not self._answer("DATA", recipient or "", "354 Go ahead"):
                        continue
                    self._data(receiver, str(sender), recipient)
                    sender = recipient = None
                case "QUIT":
                    self._say("221 Bye")
                    self._flush()
                    return
                case _:
                    self._say("503 5.5.1 Bad sequence of commands")

    def _log_in(self, receiver: "Receiver", rest: str) -> None:
        way, _, first = rest.partition(" ")
        if way == "PLAIN":
            _, name, password = b64decode(first).decode().split("\0")
        else:
            words = []
            for question in ("Username:", "Password:"):
                self._say(f"334 {b64encode(question.encode()).decode()}")
                words.append(b64decode(self._line(4096)).decode())
            name, password = words
        receiver.logins.append((way, name, password))
        self._answer("AUTH", rest, "235 2.7.0 OK")

    def _data(self, receiver: "Receiver", sender: str, recipient: str | None) -> None:
        lines = []
        while (line := self._line(200_000)) != b".\r\n":
            if not line:
                raise ConnectionError
            if len(line) > 1000 or not line.endswith(b"\r\n"):
                self._say("554 5.6.0 A line is longer than 998 octets or ends without CRLF")
                return
            lines.append(line[1:] if line.startswith(b"..") else line)
            if receiver.answers.get("BODY") == DROP:
                raise ConnectionError
        content = b"".join(lines)
        if recipient is None:  # RFC 2920 3.2
            if content:
                receiver.hasty.append("content for nobody")
            self._say("554 5.5.1 No valid recipients")
            return
        text = receiver.answers.get("DOT")
        if callable(text):
            text = text(recipient)
        if text and text != DROP and not text.startswith("accept"):
            self._say(text)
            if text.startswith("421"):
                self._hang_up()
            return
        receiver.keep(sender, recipient, content)
        if text:  # taken, and the answer is lost
            raise ConnectionError
        if receiver.slowness:
            time.sleep(receiver.slowness)
        self._say("250 2.0.0 Ok: queued as " + os.urandom(5).hex())


def _path(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    receiver: "Receiver"


class Receiver:
    """`arrived` in order; `answers` by stage: CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT,
    DATA, BODY, DOT, RSET.

    At DOT, "accept" takes the mail and drops the connection. An answer of 421 closes it.
    """

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        self.arrived: list[Arrived] = []
        self.heard: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.extensions = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        self.largest = 20_000_000  # bytes of a mail, offered as SIZE; 0: not offered
        self.takes_data_for_nobody = (
            False  # answers 354 though the recipient was refused, as RFC 2920 3.1 allows
        )
        self.tls: ssl.SSLContext | None = None
        self.tls_from_the_start = False
        self.chunks: Iterator[int] | None = None  # the sizes of the pieces in which answers go out
        self.hasty: list[str] = []  # commands after which more came before it might
        self.turns = 0  # how often a client had to wait for answers
        self.logins: list[tuple[str, str, str]] = []  # way, name, password
        self.connections = 0
        self.slowness = 0.0
        self._log = open(log, "a", buffering=1) if log else None  # noqa: SIM115
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Conversation)
        self._server.receiver = self
        self.host, self.port = self._server.server_address[:2]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    def keep(self, sender: str, recipient: str, content: bytes) -> None:
        message_id = ""
        for line in content.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
            if line.lower().startswith(b"message-id:"):
                message_id = line.partition(b":")[2].decode().strip()
        arrived = Arrived(
            time.time(),
            sender,
            recipient,
            message_id,
            len(content),
            content.decode("utf-8", "surrogateescape"),
        )
        with self._lock:
            if self._log:
                self._log.write(json.dumps({**asdict(arrived), "raw": ""}) + "\n")
            else:
                self.arrived.append(arrived)

    @property
    def recipients(self) -> list[str]:
        return [each.recipient for each in self.arrived]

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings of an SMTP account that leads here."""
        return {
            "host": self.host,
            "port": self.port,
            "security": "none",
            "from_name": "Carillon",
            "from_address": "hello@carillon.example",
            "timeout": PATIENCE,
        } | more

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    with Receiver(int(sys.argv[1]), Path(sys.argv[2])) as program:
        print(f"receiving on {program.port}", flush=True)
        threading.Event().wait()

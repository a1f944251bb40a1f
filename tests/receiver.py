"""A strict SMTP receiver that writes each mail into a log before it answers 250: the only truth about what arrived.

In a test: `with Receiver() as receiver: …`. As a program: `python -m tests.receiver PORT LOG`. Faults are scripted:
`receiver.answers["RCPT"] = lambda address: "450 4.2.0 later"`, or `DROP` to close the connection there.
"""

import json
import os
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

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
    timeout = 120

    def handle(self) -> None:
        receiver = self.server.receiver
        receiver.connections += 1
        try:
            self._converse(receiver)
        except (ConnectionError, TimeoutError, BrokenPipeError):
            return

    def _say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def _answer(self, stage: str, argument: str, good: str) -> bool:
        """True if the good answer was given; raises ConnectionError to drop."""
        scripted = self.server.receiver.answers.get(stage)
        text = scripted(argument) if callable(scripted) else scripted
        if text == DROP:
            raise ConnectionError
        self._say(text or good)
        return not text

    def _converse(self, receiver: "Receiver") -> None:
        if not self._answer("CONNECT", "", "220 receiver.test ESMTP"):
            return
        sender = recipient = None
        while line := self.rfile.readline(4096):
            if not line.endswith(b"\r\n"):
                self._say("500 5.5.2 Lines end with CRLF")
                continue
            verb, _, rest = line.decode("utf-8", "surrogateescape").strip().partition(" ")
            receiver.heard.append(f"{verb} {rest}".strip())
            match verb.upper():
                case "EHLO":
                    extensions = ["receiver.test", "SIZE 20000000", *receiver.extensions]
                    for name in extensions[:-1]:
                        self._say(f"250-{name}")
                    self._say(f"250 {extensions[-1]}")
                case "HELO" | "RSET" | "NOOP":
                    sender = recipient = None
                    self._say("250 OK")
                case "AUTH":
                    self._answer("AUTH", rest, "235 2.7.0 OK")
                case "MAIL":
                    if self._answer("MAIL", rest, "250 2.1.0 OK"):
                        sender = _path(rest)
                case "RCPT" if sender is not None:
                    if self._answer("RCPT", _path(rest), "250 2.1.5 OK"):
                        recipient = _path(rest)
                case "DATA" if recipient is not None:
                    if not self._answer("DATA", recipient, "354 Go ahead"):
                        continue
                    self._data(receiver, str(sender), recipient)
                    sender = recipient = None
                case "QUIT":
                    self._say("221 Bye")
                    return
                case _:
                    self._say("503 5.5.1 Bad sequence of commands")

    def _data(self, receiver: "Receiver", sender: str, recipient: str) -> None:
        lines = []
        while (line := self.rfile.readline(200_000)) != b".\r\n":
            if not line:
                raise ConnectionError
            if len(line) > 1000 or not line.endswith(b"\r\n"):
                self._say("554 5.6.0 A line is longer than 998 octets or ends without CRLF")
                return
            lines.append(line[1:] if line.startswith(b"..") else line)
            if receiver.answers.get("BODY") == DROP:
                raise ConnectionError
        content = b"".join(lines)
        text = receiver.answers.get("DOT")
        text = text(recipient) if callable(text) else text
        if text and text != DROP and not text.startswith("accept"):
            self._say(text)
            return
        receiver.keep(sender, recipient, content)
        if text:  # taken, and the answer is lost
            raise ConnectionError
        time.sleep(receiver.slowness)
        self._say("250 2.0.0 Ok: queued as " + os.urandom(5).hex())


def _path(argument: str) -> str:
    return argument.partition("<")[2].partition(">")[0]


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    receiver: "Receiver"


class Receiver:
    """`arrived` in order; `answers` by stage: CONNECT, AUTH, MAIL, RCPT, DATA, BODY, DOT ("accept": take and drop)."""

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        self.arrived: list[Arrived] = []
        self.heard: list[str] = []
        self.answers: dict[str, Answer] = {}
        self.extensions = ["8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"]
        self.connections = 0
        self.slowness = 0.0
        self._log = open(log, "a", buffering=1) if log else None  # noqa: SIM115
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Conversation)
        self._server.receiver = self
        self.host, self.port = self._server.server_address[:2]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def keep(self, sender: str, recipient: str, content: bytes) -> None:
        message_id = ""
        for line in content.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
            if line.lower().startswith(b"message-id:"):
                message_id = line.partition(b":")[2].decode().strip()
        arrived = Arrived(
            time.time(), sender, recipient, message_id, len(content), content.decode("utf-8", "surrogateescape")
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
            "sender": "Carillon <hello@carillon.example>",
            "timeout": 5,
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

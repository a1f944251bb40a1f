"""A local server that speaks like Apple's push service: HTTP/2 over TLS (`h2`),
provider tokens, reasons.

`with FakeApns(folder) as fake: Apns.open(fake.settings())`; set SSL_CERT_FILE to `fake.authority`
before. `fake.faults` are used up one a request: an Answer, LOST (the connection ends), SILENT,
GOAWAY (the connection ends before anything on it was looked at), FAREWELL (it ends right after the
answer).
"""

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import h2.config
import h2.connection
import h2.events
import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.certificate import certificate
from tests.fake_esp import LOST, SILENT, Answer
from tests.fake_push import Shown, pem
from tests.patience import PATIENCE

TEAM = "TEAM123456"
KEY_ID = "KEY1234567"
TOPIC = "com.example.app"
GOAWAY = "end the connection before looking at anything"
FAREWELL = "answer and end the connection"


@cache
def apple_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def says(status: int, reason: str, **more: Any) -> Answer:
    return Answer(status, {"reason": reason, **more})


@dataclass
class _Request:
    headers: dict[str, str]
    body: bytes = b""


@dataclass
class FakeApns:
    folder: Path
    arrived: list[Shown] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)  # of each request
    faults: list[Answer | str | None] = field(default_factory=list)
    bad: dict[str, Answer] = field(default_factory=dict)  # device token -> refusal
    complaints: list[str] = field(default_factory=list)
    refused_tokens: set[str] = field(default_factory=set)  # provider tokens that are too old
    connections: int = 0

    def __enter__(self) -> "FakeApns":
        self._tls = certificate(self.folder, of=x509.IPAddress(ip_address("127.0.0.1")))
        self._tls.set_alpn_protocols(["h2"])
        self.authority = str(self.folder / "ca.pem")
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._socket.getsockname()[1]}"
        self._over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._socket.close()
        assert self.complaints == []

    def settings(self, **more: Any) -> dict[str, Any]:
        own = {"team_id": TEAM, "key_id": KEY_ID, "private_key": pem(apple_key()), "topic": TOPIC}
        return {**own, "api_url": self.url, "sandbox_url": self.url, "timeout": PATIENCE, **more}

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._tls.wrap_socket(plain, server_side=True) as wire:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            state = h2.connection.H2Connection(
                h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
            )
            state.initiate_connection()
            wire.sendall(state.data_to_send())
            requests: dict[int, _Request] = {}
            while data := wire.recv(65_536):
                for event in state.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        requests[event.stream_id] = _Request(
                            {str(k): str(v) for k, v in event.headers}
                        )
                    elif isinstance(event, h2.events.DataReceived):
                        requests[event.stream_id].body += event.data
                        state.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                    elif isinstance(event, h2.events.StreamEnded):
                        request = requests.pop(event.stream_id)
                        if not self._answered(state, wire, event.stream_id, request):
                            return
                wire.sendall(state.data_to_send())

    def _answered(self, state: Any, wire: Any, stream: int, request: _Request) -> bool:
        """Whether the connection goes on."""
        fault = None
        if self.faults:
            fault = self.faults.pop(0)
        if fault == GOAWAY:
            state.close_connection(
                last_stream_id=0, additional_data=json.dumps({"reason": "Shutdown"}).encode()
            )
            wire.sendall(state.data_to_send())
            return False
        if isinstance(fault, Answer):
            answer = fault
        else:
            answer = self._taken(request)
        if fault == LOST:
            return False
        if fault == SILENT:
            self._over.wait(2 * PATIENCE)
            return False
        headers = {
            ":status": str(answer.status),
            "apns-id": request.headers["apns-id"],
            **answer.headers,
        }
        if answer.body is None:
            body = b""
        else:
            body = json.dumps(answer.body).encode()
        state.send_headers(
            stream, [(name.lower(), value) for name, value in headers.items()], end_stream=not body
        )
        if body:
            state.send_data(stream, body, end_stream=True)
        wire.sendall(state.data_to_send())
        if fault == FAREWELL:
            state.close_connection()
            wire.sendall(state.data_to_send())
            return False
        return True

    def _taken(self, request: _Request) -> Answer:
        headers = request.headers
        token = headers["authorization"].removeprefix("bearer ")
        self.tokens.append(token)
        try:
            claims = jwt.decode(token, apple_key().public_key(), ["ES256"])
            assert jwt.get_unverified_header(token)["kid"] == KEY_ID
            assert claims["iss"] == TEAM
        except (jwt.InvalidTokenError, AssertionError):
            return says(403, "InvalidProviderToken")
        if token in self.refused_tokens or time.time() - claims["iat"] > 3600:
            return says(403, "ExpiredProviderToken")
        try:
            return self._shown(request)
        except (AssertionError, LookupError, ValueError) as error:
            self.complaints.append(repr(error))
            return says(400, "BadPath")

    def _shown(self, request: _Request) -> Answer:
        headers = request.headers
        assert headers[":method"] == "POST"
        assert headers["apns-push-type"] == "alert"
        assert headers["apns-priority"] in ("5", "10")
        assert len(headers.get("apns-collapse-id", "").encode()) <= 64
        assert int(headers["apns-expiration"]) > time.time() - 60
        assert UUID(headers["apns-id"])
        assert int(headers["content-length"]) == len(request.body) <= 4096
        device = headers[":path"].removeprefix("/3/device/")
        if device in self.bad:
            return self.bad[device]
        said = json.loads(request.body)
        alert = said["aps"]["alert"]
        own = [said.get(name, "") for name in ("link", "image", "delivery")]
        self.arrived.append(
            Shown(device, alert.get("title", ""), alert.get("body", ""), *own, headers, said)
        )
        return Answer(200)

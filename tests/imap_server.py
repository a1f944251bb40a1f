"""A small IMAP server (RFC 3501) on this machine, as far as a reader of a mailbox asks it."""

import re
import socketserver
import threading
from typing import Any

USER = "bounces"
PASSWORD = "open sesame"


class ImapServer:
    """Holds one folder. `mails`: number -> (bytes, whether it was seen)."""

    def __init__(self) -> None:
        self.mails: dict[int, tuple[bytes, bool]] = {}
        self.validity = 7
        self.logins = 0
        self.dies_at: int | None = None  # a mail at whose fetching the connection breaks
        self.deaf = False  # refuses to log in
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.imap = self
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self._server.server_address[1],
            "security": "none",
            "username": USER,
            "password": PASSWORD,
            "folder": "INBOX",
        }

    def put(self, raw: bytes) -> int:
        number = max(self.mails, default=0) + 1
        self.mails[number] = (raw.replace(b"\n", b"\r\n"), False)
        return number

    def seen(self) -> list[int]:
        return [number for number, (_, seen) in self.mails.items() if seen]

    def __enter__(self) -> "ImapServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    imap: ImapServer


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self._say(b"* OK ready")
        while line := self.rfile.readline():
            tag, _, rest = line.strip().partition(b" ")
            command, _, said = rest.partition(b" ")
            if command.upper() == b"UID":
                command, _, said = said.partition(b" ")
            name = command.decode().upper()
            if not self._answer(name, said, tag):
                return

    def _answer(self, name: str, said: bytes, tag: bytes) -> bool:
        imap = self.server.imap
        done = b"OK"
        match name:
            case "CAPABILITY":
                self._say(b"* CAPABILITY IMAP4rev1")
            case "LOGIN":
                imap.logins += 1
                wanted = f'{USER} "{PASSWORD}"'.encode()
                if imap.deaf or said.replace(b'"' + USER.encode() + b'"', USER.encode()) != wanted:
                    done = b"NO [AUTHENTICATIONFAILED]"
            case "SELECT":
                self._say(b"* %d EXISTS" % len(imap.mails))
                self._say(b"* OK [UIDVALIDITY %d] valid" % imap.validity)
                self._say(b"* OK [UIDNEXT %d] next" % (max(imap.mails, default=0) + 1))
            case "SEARCH":
                self._say(b"* SEARCH " + b" ".join(b"%d" % each for each in self._after(said)))
            case "FETCH":
                number = int(said.split()[0])
                if number == imap.dies_at:
                    imap.dies_at = None
                    return False
                raw, _ = imap.mails[number]
                self._say(b"* 1 FETCH (UID %d BODY[]<0> {%d}" % (number, len(raw)), raw, b")")
            case "STORE":
                number = int(said.split()[0])
                imap.mails[number] = (imap.mails[number][0], True)
            case "LOGOUT":
                self._say(b"* BYE")
        self._say(tag + b" " + done + b" done")
        return name != "LOGOUT"

    def _after(self, said: bytes) -> list[int]:
        """As servers do: of `9:*` always the last one, too."""
        found = re.fullmatch(rb"UID (\d+):(\d+|\*)", said)
        assert found
        first = int(found.group(1))
        numbers = sorted(self.server.imap.mails)
        if found.group(2) == b"*":
            return [each for each in numbers if each >= first or each == numbers[-1]]
        last = int(found.group(2))
        return [each for each in numbers if first <= each <= last]

    def _say(self, line: bytes, *rest: bytes) -> None:
        self.wfile.write(line + b"\r\n" + b"".join(rest) + (b"\r\n" if rest else b""))

"""`python -m bench.receiver PORT FILE [DOMAIN]`: takes every mail, and writes down when those to
addresses in the domain (all, without one) were whole, and which connections ended without a QUIT.

As little SMTP as it takes to be quick: what is measured is how long a code waits,
not what is said. (The suite's strict receiver checks that.)
"""

import asyncio
import os
import sys
import time

from bench.processes import HERE

_EHLO = b"250-bench\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 50000000\r\n"
_END = b"\r\n.\r\n"
CUT_OFF = "cut-off"  # in place of an address


class Conversation(asyncio.Protocol):
    def __init__(self, file: int, domain: bytes) -> None:
        self.file = file
        self.domain = domain
        self.buffer = b""
        self.in_body = False
        self.said_bye = False
        self.noted = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"220 bench ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        answers = []
        while True:
            if self.in_body:
                end = self.buffer.find(_END)
                if end < 0:
                    break
                self.buffer = self.buffer[end + len(_END) :]
                self.in_body = False
                if self.noted:
                    os.write(self.file, b"%s %.6f\n" % (self.noted, time.time()))
                answers.append(b"250 2.0.0 taken\r\n")
                continue
            line, found, rest = self.buffer.partition(b"\r\n")
            if not found:
                break
            self.buffer = rest
            answers.append(self.answer(line))
        if answers:
            self.transport.write(b"".join(answers))

    def answer(self, line: bytes) -> bytes:
        match line[:4].upper():
            case b"EHLO":
                return _EHLO
            case b"RCPT":
                address = line.partition(b"<")[2].partition(b">")[0]
                self.noted = b""
                if address.endswith(self.domain):
                    self.noted = address
                return b"250 2.1.5 ok\r\n"
            case b"DATA":
                # so that an empty body ends, too
                self.in_body = True
                self.buffer = b"\r\n" + self.buffer
                return b"354 go on\r\n"
            case b"QUIT":
                self.said_bye = True
                return b"221 bye\r\n"
        return b"250 2.0.0 ok\r\n"

    def connection_lost(self, error: Exception | None) -> None:
        if not self.said_bye:
            os.write(self.file, b"%s %.6f\n" % (CUT_OFF.encode(), time.time()))


async def main(port: int, path: str, domain: str = "") -> None:
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    server = await asyncio.get_running_loop().create_server(
        lambda: Conversation(file, domain.encode()), HERE, port, backlog=1000
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))

"""`python -m bench.slow_line PORT TO SECONDS`:
what comes in on PORT goes out to TO that many seconds later, and back.

A pipe, not a queue at a counter: any amount may be on its way at once,
so that only round trips cost time.
"""

import asyncio
import socket
import sys
from collections.abc import Callable

from bench.processes import HERE


class End(asyncio.Protocol):
    """One end of a connection; what it receives is written to the other end after the delay."""

    def __init__(self, delay: float, other: "End | None" = None) -> None:
        self.delay = delay
        self.other = other
        self.transport: asyncio.Transport | None = None
        self.early: list[bytes] = []  # what came before this end was connected

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport = transport
        for data in self.early:
            transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._later(lambda end: end.write(data))

    def connection_lost(self, error: Exception | None) -> None:
        self._later(lambda end: end.transport.close() if end.transport else None)

    def write(self, data: bytes) -> None:
        if self.transport:
            self.transport.write(data)
        else:
            self.early.append(data)

    def _later(self, act: Callable[["End"], object]) -> None:
        assert self.other
        asyncio.get_running_loop().call_later(self.delay, act, self.other)


async def main(port: int, to: int, delay: float) -> None:
    loop = asyncio.get_running_loop()
    tasks = set()

    def accepted() -> End:
        near = End(delay)
        near.other = far = End(delay, near)
        task = loop.create_task(loop.create_connection(lambda: far, HERE, to))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return near

    server = await loop.create_server(accepted, HERE, port, backlog=1000)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))

"""The SMTP side of the development mailbox."""

import asyncio
import datetime as dt
import logging
import signal
import socket
from pathlib import Path
from typing import cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from apps.ops.mailbox import store

log = logging.getLogger("carillon.mailbox")

LARGEST = 32 * 1024 * 1024
PRUNE_EVERY = 100


class Keeper:
    """Handler for aiosmtpd: a mail is on disk before the sender hears 250."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.since_pruning = PRUNE_EVERY  # the first mail finds out whether there are too many

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        letter = store.keep(
            self.folder,
            sender=envelope.mail_from or "",
            recipients=envelope.rcpt_tos,
            content=cast(bytes, envelope.content),  # see decode_data
            now=dt.datetime.now(dt.UTC),
        )
        self.since_pruning += 1
        if self.since_pruning >= PRUNE_EVERY:
            self.since_pruning = 0
            store.prune(self.folder)
        return f"250 2.0.0 Kept as {letter.id}"


async def serve(folder: Path, listener: socket.socket) -> None:
    """Accept mail on a socket that listens, until SIGTERM or SIGINT."""
    keeper = Keeper(folder)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def session() -> SMTP:
        return SMTP(
            keeper,
            hostname="mailbox",
            enable_SMTPUTF8=True,
            decode_data=False,
            data_size_limit=LARGEST,
        )

    server = await loop.create_server(session, sock=listener)
    log.info("The development mailbox listens on 127.0.0.1:%d.", listener.getsockname()[1])
    async with server:
        await stop.wait()

"""Command `manage.py mailbox`."""

import asyncio
import socket
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.ops.mailbox.server import serve


class Command(BaseCommand):
    requires_system_checks = []  # it takes mails into a folder; what they look at it never loads
    help = (
        "The development mailbox: an SMTP server on 127.0.0.1 whose mails are read under /mailbox/."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.MAILBOX_PORT)
        parser.add_argument(
            "--fd",
            type=int,
            metavar="NUMBER",
            help="a socket that listens, inherited from whoever starts this; instead of --port",
        )

    def handle(self, *args: Any, port: int, fd: int | None, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "The mailbox keeps everybody's mail readable; it does not run in production mode."
            )
        with _listener(port, fd) as listener:
            asyncio.run(serve(Path(settings.VAR_DIR) / "mailbox", listener))


def _listener(port: int, fd: int | None) -> socket.socket:
    try:
        if fd is not None:
            return socket.socket(fileno=fd)
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise CommandError(
            f"Port {port} can't be used: {error}. Choose another with --port, and send to that one"
            " (EMAIL_PORT, or the port of the email account)."
        ) from error

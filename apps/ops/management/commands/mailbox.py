"""Command `manage.py mailbox`."""

import asyncio
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from apps.ops.mailbox.server import serve


class Command(BaseCommand):
    help = (
        "The development mailbox: an SMTP server on 127.0.0.1 whose mails are read under /mailbox/."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.MAILBOX_PORT)

    def handle(self, *args: Any, port: int, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError(
                "The mailbox keeps everybody's mail readable; it does not run in production mode."
            )
        try:
            asyncio.run(serve(Path(settings.VAR_DIR) / "mailbox", port))
        except OSError as error:
            raise CommandError(
                f"Port {port} can't be used: {error.strerror or error}. Choose another --port."
            ) from error

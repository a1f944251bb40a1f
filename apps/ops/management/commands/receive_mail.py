"""Command `manage.py receive_mail`: a mail server gives us what came back, one mail each time."""

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from apps.channels.returned.mail_parts import MOST_BYTES
from apps.notifications.sending.heard.provider_reports import TooEarly
from apps.notifications.sending.heard.returned_mail import ForgedReturn, receive


class Command(BaseCommand):
    help = (
        "Books one mail from standard input: a bounce or a complaint, on the message that it is"
        " about. For the pipe transport of a mail server, which comes again after exit code 75."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--to",
            default="",
            help="the address it was delivered to: of Postfix, ${original_recipient}",
        )

    def handle(self, *args: Any, to: str, **options: Any) -> None:
        raw = sys.stdin.buffer.read(MOST_BYTES)
        while sys.stdin.buffer.read(MOST_BYTES):
            pass  # a server that can't write all of it calls that a failure
        try:
            found = receive(raw=raw, to=to, now=timezone.now())
        except ForgedReturn as error:
            raise CommandError(str(error), returncode=os.EX_NOUSER) from error
        except TooEarly as error:
            said = "The message is being sent at this moment. Come again."
            raise CommandError(said, returncode=os.EX_TEMPFAIL) from error
        except DatabaseError as error:
            said = f"The database can't be used now: {error}"
            raise CommandError(said, returncode=os.EX_TEMPFAIL) from error
        about = ""
        if found.delivery:
            about = f" about message {found.delivery}"
        done = "nothing to book"
        if found.changed:
            done = "booked"
        self.stdout.write(f"{found.says}{about}: {done}.")

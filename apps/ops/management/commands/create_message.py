"""Command `manage.py create-message --title "News" --content "<p>Hello</p>" --tags vip,beta`."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.campaigns.simple_message import create_message
from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.ops.messages import add_tags, introduce, kind_of, slugs_of


class Command(BaseCommand):
    help = "Write a message by email: a draft, to everyone or to those with one of the tags."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--subject", "--title", required=True, help="both say the same")
        content = parser.add_mutually_exclusive_group(required=True)
        content.add_argument(
            "--content", help="HTML or plain text; {{ follower.name }} and the like are filled in"
        )
        content.add_argument(
            "--file", metavar="PATH", help="a file with the content; - reads it from the input"
        )
        add_tags(parser, "one is enough")
        parser.add_argument(
            "--type", default="", metavar="KEY", help="message type; else the first commercial one"
        )

    def handle(self, **options: Any) -> None:
        content = options["content"]
        if options["file"] is not None:
            content = _read(options["file"])
        try:
            message = create_message(
                subject=options["subject"],
                content=content,
                notification_type=kind_of(options["type"]),
                tags=slugs_of(options["tags"]),
                by=command("create_message"),
                now=timezone.now(),
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        introduce(message, options)


def _read(name: str) -> str:
    try:
        if name == "-":
            return sys.stdin.read()
        return Path(name).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{name} can't be read as UTF-8 text: {error}.") from error

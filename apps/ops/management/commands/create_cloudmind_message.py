"""Command `manage.py create-cloudmind-message --language ru`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.campaigns.simple_message import INTRODUCTION, create_from_template
from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.ops.messages import add_tags, introduce, kind_of, slugs_of


class Command(BaseCommand):
    help = (
        "Make the CloudMind AI introduction from its stock template: a draft, to everyone or by"
        " tags."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--language",
            choices=["ru", "en"],
            default="en",
            help="of the words, whoever reads them",
        )
        add_tags(parser, "one is enough")
        parser.add_argument(
            "--type", default="", metavar="KEY", help="message type; else the first commercial one"
        )

    def handle(self, **options: Any) -> None:
        try:
            message = create_from_template(
                key=INTRODUCTION,
                language=options["language"],
                notification_type=kind_of(options["type"]),
                tags=slugs_of(options["tags"]),
                by=command("create_cloudmind_message"),
                now=timezone.now(),
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        introduce(message, options)

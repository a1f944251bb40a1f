"""Command `manage.py create_cloudmind_message --language ru`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.campaigns import compose
from apps.campaigns.simple_message import usual_type
from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.models import Channel
from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.ops.messages import introduce, kind_of, slugs_of

KEY = "cloudmind_introduction"


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
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            metavar="NAME",
            help="may be repeated: one is enough",
        )
        parser.add_argument(
            "--type", default="", metavar="KEY", help="message type; else the first commercial one"
        )

    def handle(self, **options: Any) -> None:
        template = Template.objects.filter(key=KEY).first()
        version = None
        if template:
            version = published_version(template)
        if version is None:
            raise CommandError(
                "The stock templates are not installed yet. Run manage.py setup_site first."
            )
        words = version.translations.get(language=options["language"])
        tags = slugs_of(options["tag"])
        audience: dict[str, Any] = {"everyone": True}
        if tags:
            audience = {"tags": tags}
        subject = words.parts["email"]["subject"]
        try:
            values = compose.CampaignValues(
                name=subject[:120],
                notification_type=kind_of(options["type"]) or usual_type(),
                channels=[Channel.EMAIL.value],
                translations={words.language: words.parts},
                default_language=words.language,
                variables=version.variables,
                layout=version.layout,
                audience=audience,
            )
            by = command("create_cloudmind_message")
            message = compose.create_campaign(values=values, by=by, now=timezone.now())
        except Refused as error:
            raise CommandError(str(error)) from error
        introduce(message, options)

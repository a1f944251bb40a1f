"""Command `manage.py add_follower anna@example.com --name Anna --tag vip`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.followers.consent.record import Proof
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.lib import strict_json
from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.ops.terminal import console, plain


class Command(BaseCommand):
    help = (
        "Add a follower. Give an email, a phone, or only a name (such a follower is reached"
        " in-app)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", nargs="?", default="", help="email address")
        parser.add_argument("--phone", default="", help="with + and the country code")
        parser.add_argument("--name", default="")
        parser.add_argument("--external-id", default=None, help="the id in your own system")
        parser.add_argument("--language", default="", help="such as en, ru or pt-BR")
        parser.add_argument("--time-zone", default="", help="such as Europe/Berlin")
        parser.add_argument(
            "--tag", action="append", default=[], metavar="NAME", help="may be repeated"
        )
        parser.add_argument(
            "--metadata", default="{}", metavar="JSON", help='such as \'{"plan": "pro"}\''
        )
        parser.add_argument(
            "--unsubscribed", action="store_true", help="keep the person, send nothing commercial"
        )

    def handle(self, **options: Any) -> None:
        if not any(options[name] for name in ("email", "phone", "name", "external_id")):
            raise CommandError("Nobody to add: give an email, --phone, --name or --external-id.")
        try:
            metadata = strict_json.read(options["metadata"])
        except strict_json.BadJson as error:
            raise CommandError(f"--metadata {error}.") from error
        values = Profile(
            email=options["email"],
            phone=options["phone"],
            name=options["name"],
            external_id=options["external_id"],
            language=options["language"],
            time_zone=options["time_zone"],
            tags=options["tag"],
            metadata=metadata,
        )
        proof = Proof(source="command", by=command("add_follower"), now=timezone.now())
        subscribed = not options["unsubscribed"]
        try:
            follower = contacts.add_follower(values=values, subscribed=subscribed, proof=proof)
        except Refused as error:
            raise CommandError(str(error)) from error
        out = console(options)
        word = "unsubscribed"
        if follower.subscribed:
            word = "subscribed"
        out.print(
            plain("Added ", "green"),
            plain(follower.label, "bold"),
            plain(f" ({word}), id {follower.uid}."),
            sep="",
        )

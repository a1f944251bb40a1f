"""Command `manage.py add-follower --email anna@example.com --name Anna --tags vip,beta`."""

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
from apps.ops.messages import add_tags
from apps.ops.terminal import console, plain


class Command(BaseCommand):
    help = (
        "Add a follower. Give an email, a phone, or only a name (such a follower is reached"
        " in-app)."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("address", nargs="?", default="", help="the email, without --email")
        parser.add_argument("--email", default="")
        parser.add_argument("--phone", default="", help="with + and the country code")
        parser.add_argument("--name", default="")
        parser.add_argument("--first-name", default="", help="how messages greet this person")
        parser.add_argument("--last-name", default="")
        parser.add_argument("--external-id", default=None, help="the id in your own system")
        parser.add_argument("--language", default="", help="such as en, ru or pt-BR")
        parser.add_argument("--time-zone", default="", help="such as Europe/Berlin")
        add_tags(parser, "all are put on")
        parser.add_argument(
            "--metadata", default="{}", metavar="JSON", help='such as \'{"plan": "pro"}\''
        )
        parser.add_argument(
            "--unsubscribed", action="store_true", help="keep the person, send nothing commercial"
        )

    def handle(self, **options: Any) -> None:
        if options["email"] and options["address"]:
            raise CommandError("Give one email, with --email or without.")
        email = options["email"] or options["address"]
        if not (
            email or any(options[name] for name in ("phone", "name", "first_name", "external_id"))
        ):
            raise CommandError("Nobody to add: give --email, --phone, --name or --external-id.")
        try:
            metadata = strict_json.read(options["metadata"])
        except strict_json.BadJson as error:
            raise CommandError(f"--metadata {error}.") from error
        values = Profile(
            email=email,
            phone=options["phone"],
            name=options["name"],
            first_name=options["first_name"],
            last_name=options["last_name"],
            external_id=options["external_id"],
            language=options["language"],
            time_zone=options["time_zone"],
            tags=options["tags"],
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

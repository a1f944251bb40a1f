"""Command `manage.py list-followers --tags vip,beta --search weber`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich import box
from rich.table import Table

from apps.campaigns.audience.questions import tagged
from apps.followers.people import search
from apps.lib.sql import keyset
from apps.ops.messages import parted, slugs_of
from apps.ops.terminal import console, plain

_YES_OR_NO = {True: plain("yes", "green"), False: plain("no", "yellow")}


class Command(BaseCommand):
    help = "List followers, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        state = parser.add_mutually_exclusive_group()
        state.add_argument(
            "--subscribed", dest="subscribed", action="store_const", const=True, default=None
        )
        state.add_argument("--unsubscribed", dest="subscribed", action="store_const", const=False)
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            metavar="NAME",
            help="may be repeated: all are needed",
        )
        parser.add_argument(
            "--tags",
            type=parted,
            default=[],
            metavar="NAME,NAME",
            help="whoever has one of them, as send-message --tags sends to",
        )
        parser.add_argument("--language", default="", help="such as pt (takes pt-BR with it)")
        parser.add_argument(
            "--search", default="", metavar="TEXT", help="in name, email, phone and external id"
        )
        parser.add_argument("--limit", type=int, default=50)

    def handle(self, **options: Any) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.")
        found = search.followers(
            subscribed=options["subscribed"],
            tags=slugs_of(options["tag"]),
            language=options["language"],
            search=options["search"],
        )
        if options["tags"]:
            found = found.filter(tagged(slugs_of(options["tags"])))
        rows = keyset.page(found, size=options["limit"]).rows
        out = console(options)
        if not rows:
            if options["search"] or options["tag"] or options["tags"]:
                out.print("No followers match.")
            else:
                out.print("No followers yet: add-follower makes one.")
            return
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        table.add_column("Name", overflow="fold")
        # the widest; all of it fits into 80 columns
        table.add_column("Contact", overflow="fold", ratio=1)
        for heading in ("Tags", "Lang", "Subscribed"):
            table.add_column(heading, overflow="fold")
        for follower in rows:
            places = filter(None, (follower.email, follower.phone))
            tags_of = ", ".join(tag.name for tag in follower.tags.all())
            table.add_row(
                plain(follower.name),
                plain("\n".join(places)),
                plain(tags_of),
                plain(follower.language),
                _YES_OR_NO[follower.subscribed],
            )
        out.print(table)
        out.print(f"{len(rows):,} of {keyset.count(found)}")

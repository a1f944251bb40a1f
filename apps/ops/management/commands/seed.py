"""Command `manage.py seed --followers 1000000 --deliveries 10000000`."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.ops.demo.world import PASSWORD
from apps.ops.seed.site import SeedRefused, Size, seed_site
from apps.ops.terminal import console, plain


class Command(BaseCommand):
    help = (
        "Fill an empty database with made-up people and years of messages to them, to try how a big"
        " site feels. Nothing is sent. All or nothing: after an interruption the database is as it"
        " was."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--followers", type=int, default=10_000, help="how many (10,000)")
        parser.add_argument(
            "--deliveries", type=int, default=None, help="messages (ten for each follower)"
        )
        parser.add_argument(
            "--seed", type=int, default=1, help="another number makes other people (1)"
        )
        parser.add_argument(
            "--beside",
            action="store_true",
            help="in a database that is in use: beside what is there, which takes longer",
        )

    def handle(self, **options: Any) -> None:
        out = console(options)
        began = time.monotonic()

        def say(what: str) -> None:
            out.print(plain(f"{time.monotonic() - began:6.0f} s  {what}"))

        followers = options["followers"]
        deliveries = options["deliveries"]
        if deliveries is None:
            deliveries = 10 * followers
        size = Size(followers, deliveries)
        try:
            made = seed_site(
                size=size,
                seed=options["seed"],
                beside=options["beside"],
                say=say,
                now=timezone.now(),
            )
        except SeedRefused as error:
            raise CommandError(str(error)) from error
        say(
            f"Made {made.followers:,} followers and {made.deliveries:,} messages in"
            f" {made.campaigns:,} campaigns and between them."
        )
        if made.staff:
            out.print(plain(f"Log in as {', '.join(made.staff)} with the password {PASSWORD}"))

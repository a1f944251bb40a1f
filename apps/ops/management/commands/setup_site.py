"""Command `manage.py setup_site --admin ada --email ada@example.com`."""

import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from apps.accounts.models import Role, User
from apps.accounts.staff import BadStaff, StaffValues, create_staff
from apps.followers.people.trigrams import ensure_trigrams
from apps.lib.actor import command
from apps.ops.site_setup import set_up_site
from apps.ops.terminal import console, plain


class Command(BaseCommand):
    help = (
        "Add the message types, stock templates and sending accounts that are missing. "
        "Run it after the first migrate and after every upgrade; it never changes what is there."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--admin",
            default="",
            metavar="NAME",
            help="also make an administrator of this user name",
        )
        parser.add_argument("--email", default="", help="the administrator's address")

    def handle(self, **options: Any) -> None:
        by = command("setup_site")
        now = timezone.now()
        out = console(options)
        made = set_up_site(by=by, now=now)
        for what, keys in (("message types", made.types), ("templates", made.templates)):
            said = f"All {what} are there."
            if keys:
                said = f"Added {len(keys)} {what}: {', '.join(keys)}."
            out.print(plain(said))
        if connection.vendor == "postgresql" and not ensure_trigrams():
            out.print(
                plain(
                    "Searches read all followers: the extension pg_trgm may not be added. Let a"
                    " superuser say CREATE EXTENSION pg_trgm, then run this again."
                )
            )
        if not options["admin"]:
            return
        if User.objects.filter(username=options["admin"]).exists():
            out.print(
                plain(
                    f"There is already an account named {options['admin']}; it was left as it is."
                )
            )
            return
        password = secrets.token_urlsafe(15)
        try:
            create_staff(
                username=options["admin"],
                values=StaffValues(email=options["email"], password=password, role=Role.ADMIN),
                by=by,
                now=now,
            )
        except BadStaff as error:
            raise CommandError(str(error)) from error
        out.print(
            plain(f"Administrator {options['admin']}, password {password}"),
            plain("(shown once)", "dim"),
        )

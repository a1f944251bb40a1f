"""Command `manage.py demo`."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.ops.demo.world import PASSWORD, STAFF, DemoRefused, is_empty, make_demo_world
from apps.ops.terminal import console, plain


class Command(BaseCommand):
    help = (
        "Fill an empty database with the demo world. A database in use is left as it is; never in"
        " production mode."
    )

    def handle(self, **options: Any) -> None:
        out = console(options)
        if not settings.PRODUCTION and not is_empty():
            out.print(plain("The database is in use; no demo world was made."))
            return
        try:
            world = make_demo_world(now=timezone.now())
        except DemoRefused as error:
            raise CommandError(str(error)) from error
        out.print(
            plain(
                f"Made {world.followers} followers, {world.segments} segments, {world.templates}"
                f" templates and {world.campaigns} campaigns; the first one goes out as soon as the"
                " workers run."
            )
        )
        out.print(plain(f"Log in as {', '.join(STAFF)} with the password {PASSWORD}"))

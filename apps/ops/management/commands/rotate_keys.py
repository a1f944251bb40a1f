"""Command `manage.py rotate_keys --dry-run`."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.lib.actor import SYSTEM
from apps.ops.rotation import rotate_keys

SHOWN = 20  # rows named one by one


class Command(BaseCommand):
    help = (
        "Encrypt everything anew with the first of FIELD_KEYS, so that the others can be removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only count; write nothing")

    def handle(self, **options: Any) -> None:
        dry_run = options["dry_run"]
        found = rotate_keys(by=SYSTEM, now=timezone.now(), dry_run=dry_run)
        for each in found:
            verb = "rewritten"
            if dry_run:
                verb = "to rewrite"
            self.stdout.write(
                f"{each.place}: {each.rewritten:,} {verb}, {each.fresh:,} with the first key"
                " already"
            )
        if closed := [f"{each.place}: {pk}" for each in found for pk in each.closed]:
            more = ""
            if len(closed) > SHOWN:
                more = f" and {len(closed) - SHOWN:,} more"
            raise CommandError(
                f"None of FIELD_KEYS opens {len(closed):,} of them; they were left as they are:"
                f" {', '.join(closed[:SHOWN])}{more}. Put the key they were written with last in"
                " FIELD_KEYS and run this again; or enter those secrets anew. Until then remove no"
                " key."
            )
        if dry_run and any(each.rewritten for each in found):
            self.stdout.write("Nothing was written. Run it without --dry-run.")
        elif len(settings.FIELD_KEYS) == 1:
            self.stdout.write(
                "All is written with the only key. To change it, put the new one in front of it, "
                "restart all programs, and run this again."
            )
        elif any(each.rewritten for each in found):
            self.stdout.write(
                "Run it once more, in case a program still wrote with the old key. It says then"
                " what to do."
            )
        else:
            self.stdout.write(
                "All is written with the first key. Remove the others from FIELD_KEYS and restart "
                "all programs."
            )

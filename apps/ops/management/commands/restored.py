"""Command `manage.py restored`, after a backup was put back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.notifications.safety import restored
from apps.notifications.safety.restored import Answer


class Command(BaseCommand):
    help = (
        "Says whether sends are held because the database was restored from a backup, and with"
        " --resume, --cancel or --keep how to go on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        how = parser.add_mutually_exclusive_group()
        words = {
            Answer.RESUME: "send what waits; some of it perhaps a second time",
            Answer.CANCEL: "cancel all that waits",
            Answer.KEEP: "leave each send paused, to be looked at one by one",
        }
        for answer, said in words.items():
            how.add_argument(
                f"--{answer}", dest="how", action="store_const", const=answer, help=said
            )

    def handle(self, *args: Any, how: Answer | None, **options: Any) -> None:
        now = timezone.now()
        restored.look(now=now)
        found = restored.held()
        if found is None:
            self.stdout.write("Nothing is held: this database is no older than what was sent.")
            return
        if how is None:
            raise CommandError(
                f"The database was restored. Up to {found.may_repeat} messages would be sent again."
                " Say --resume, --cancel or --keep."
            )
        try:
            count = restored.go_on(how=how, by=command("restored"), now=now)
        except Refused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Done: {count} sends.")

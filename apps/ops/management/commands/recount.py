"""Command `manage.py recount <notification or campaign id>`."""

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.notifications.books import pointers, slices, tallies
from apps.notifications.models import Notification


class Command(BaseCommand):
    help = (
        "Counts a notification's deliveries anew and sets its numbers right, and lets none of them"
        " point to a follower or an address that is gone. Nothing should ever need it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "id",
            type=UUID,
            nargs="*",
            help="id of a notification, or of a campaign for all its runs",
        )
        parser.add_argument("--all", action="store_true", help="every notification")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = Notification.objects.order_by("pk")
        if not options["all"]:
            if not options["id"]:
                raise CommandError("Name the id of a notification or a campaign, or say --all.")
            asked = asked.filter(uid__in=options["id"]) | asked.filter(
                run__campaign__uid__in=options["id"]
            )
        found = list(asked.distinct().values_list("pk", "uid"))
        if not found:
            raise CommandError("There is no such notification or campaign. Its page shows its id.")
        wrong = 0
        lost = 0
        for pk, uid in found:
            if gone := pointers.clear(pk):
                lost += gone
                self.stdout.write(f"{uid}  {gone} pointed to a follower or an address that is gone")
            if alone := slices.let_out(pk):
                self.stdout.write(f"{uid}  {alone} waited where nobody claimed them, and go on now")
            for place, delta in sorted(tallies.rebuild(pk).items()):
                wrong += 1
                self.stdout.write(
                    f"{uid}  {place.channel}  {place.status}  {place.reason or '-'}  {delta:+}"
                )
            tallies.finish_if_done(pk, now=timezone.now())
        self.stdout.write(f"{len(found)} counted, {wrong} numbers were wrong and are right now.")
        if lost:
            self.stdout.write(f"{lost} deliveries pointed to nothing and say so now.")

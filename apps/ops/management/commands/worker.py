"""Command `manage.py worker`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.ops.groups import Hurry
from apps.ops.start.faults import faults
from apps.ops.supervision import Supervisor, Timings


class Command(BaseCommand):
    help = (
        "Does all background work: one cluster for each lane, and the tick; replaces what hangs."
        " Stops on SIGTERM."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        default = Timings()
        parser.add_argument(
            "--canary-every", type=float, default=default.canary_every, metavar="SECONDS"
        )
        parser.add_argument(
            "--stall-after", type=float, default=default.stall_after, metavar="SECONDS"
        )
        parser.add_argument(
            "--start-within", type=float, default=default.start_within, metavar="SECONDS"
        )
        parser.add_argument(
            "--stop-within", type=float, default=default.stop_within, metavar="SECONDS"
        )

    def handle(
        self,
        *args: Any,
        canary_every: float,
        stall_after: float,
        start_within: float,
        stop_within: float,
        **options: Any,
    ) -> None:
        timings = Timings(
            canary_every=canary_every,
            stall_after=stall_after,
            start_within=start_within,
            stop_within=stop_within,
        )
        for fault in faults():
            if fault.stops:
                raise CommandError(fault.sentence)
            self.stderr.write(fault.sentence)
        Supervisor(timings, Hurry()).run()

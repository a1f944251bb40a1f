"""Command `manage.py lane <name>`, started by `manage.py worker`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from apps.lib.queue.cluster import run
from apps.lib.queue.lanes import Lane
from apps.ops.forks import load


class Command(BaseCommand):
    requires_system_checks = []  # the supervisor has made them
    help = (
        "Works through one lane until SIGTERM. `manage.py worker` starts one for each lane; use"
        " that."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("lane", choices=[lane.value for lane in Lane])

    def handle(self, *args: Any, lane: str, **options: Any) -> None:
        load()
        run(Lane(lane))

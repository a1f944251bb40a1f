"""Command `manage.py lane <name>`, started by `manage.py worker`."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.urls import get_resolver

from apps.channels.registry import providers
from apps.lib.queue.cluster import WrongLane, run
from apps.lib.queue.lanes import Lane
from apps.notifications.sending import sender  # noqa: F401  # loaded before the forks, as below


class Command(BaseCommand):
    requires_system_checks = []  # the supervisor has made them
    help = (
        "Works through one lane until SIGTERM. `manage.py worker` starts one for each lane; use"
        " that."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("lane", choices=[lane.value for lane in Lane])

    def handle(self, *args: Any, lane: str, **options: Any) -> None:
        # Loaded once, before the processes that do the work are forked. A mail's links need the
        # addresses of all pages, and those 320 modules: each sender took 0.7 s to load them while
        # its first mail waited.
        providers()
        get_resolver().reverse_dict  # noqa: B018  # asked for what it loads
        try:
            sys.exit(run(Lane(lane)))
        except WrongLane as error:
            raise CommandError(str(error)) from error

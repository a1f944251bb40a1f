"""Command `manage.py tick`, started by `manage.py worker`."""

import datetime as dt
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from apps.lib.processes.ticking import Job, loop
from apps.ops import heartbeat
from apps.ops.groups import Hurry


def still_alive(*, now: dt.datetime) -> None:
    heartbeat.beat()


class Command(BaseCommand):
    requires_system_checks = []  # the supervisor has made them
    help = (
        "Looks for due work in our tables and wakes the lanes (settings.SCHEDULES). Safe when"
        " several run."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = [
            Job(name, import_string(path), seconds)
            for name, (path, seconds) in settings.SCHEDULES.items()
        ]
        loop([*jobs, Job("sign of life", still_alive, 1)], stopped=Hurry().stopping)

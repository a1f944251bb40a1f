"""Command `manage.py accept_secret_key`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.lib.actor import command
from apps.ops.start.faults import accept_secret_key


class Command(BaseCommand):
    help = "Take a new SECRET_KEY without the old one: links in mails that were sent stay dead."

    def handle(self, **options: Any) -> None:
        accept_secret_key(by=command("accept_secret_key"), now=timezone.now())
        self.stdout.write("SECRET_KEY is taken as it is from now on.")

"""Command `manage.py send-message --message-id … --tags vip,beta --wait`."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from apps.campaigns.models import Run
from apps.campaigns.simple_message import send_message as send
from apps.lib.actor import command
from apps.lib.refusals import Refused
from apps.notifications.models import NotificationState
from apps.notifications.reports.balance import Balance, balance, explain
from apps.ops.messages import add_tags, message_of, slugs_of
from apps.ops.terminal import console, plain

LOOK_EVERY = 0.5  # seconds
OVER = (NotificationState.DONE, NotificationState.CANCELLED)


class Command(BaseCommand):
    help = (
        "Send a message now. The workers do it; --wait shows how far they are and, at the end, the"
        " balance."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument(
            "message", nargs="?", help="the id, or the end of it, as list-messages shows it"
        )
        which.add_argument("--message-id", metavar="ID", help="the same")
        add_tags(parser, "one is enough; without any it goes to whom it was written for")
        parser.add_argument(
            "--wait", action="store_true", help="show the progress until all is done"
        )

    def handle(self, **options: Any) -> None:
        message = message_of(options["message_id"] or options["message"] or "")
        out = console(options)
        try:
            run = send(
                message=message,
                tags=slugs_of(options["tags"]),
                by=command("send_message"),
                now=timezone.now(),
            )
        except Refused as error:
            raise CommandError(str(error)) from error
        out.print(plain("Sending ", "green"), plain(message.name, "bold"), plain("."), sep="")
        if options["wait"]:
            try:
                _watch(run, out)
            except KeyboardInterrupt:
                out.print("Not waiting any longer; it goes on in the background.")
            _show(balance(run.notification), out)


def _watch(run: Run, out: Console) -> None:
    notification = run.notification
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task("Choosing recipients", total=None)
        while True:
            notification.refresh_from_db()
            sheet = balance(notification)
            planned = notification.planned_at is not None
            description = "Choosing recipients"
            total = None
            if planned:
                description = notification.get_state_display()
                total = sheet.total
            progress.update(
                bar,
                description=description,
                total=total,
                completed=sheet.total - sheet.waiting,
            )
            if notification.state in OVER:
                return
            time.sleep(LOOK_EVERY)


def _show(sheet: Balance, out: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("What became of them")
    table.add_column("Messages", justify="right")
    table.add_row(plain("sent", "green"), f"{sheet.sent:,}")
    for word, colour, reasons in (
        ("failed", "red", sheet.failed),
        ("skipped", "yellow", sheet.skipped),
    ):
        for reason, count in reasons.items():
            table.add_row(plain(f"{word}: {explain(reason)}", colour), f"{count:,}")
    for word, count in (
        ("delivery unknown", sheet.in_doubt),
        ("cancelled", sheet.cancelled),
        ("waiting", sheet.waiting),
    ):
        if count:
            table.add_row(plain(word, "yellow"), f"{count:,}")
    table.add_row(plain("all", "bold"), f"{sheet.total:,}")
    out.print(table)

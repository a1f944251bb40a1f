"""Command `manage.py list-messages --status sent`."""

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Sum
from rich import box
from rich.table import Table

from apps.campaigns.models import Campaign, CampaignState
from apps.lib.sql import keyset
from apps.notifications.models import DeliveryStatus, Tally
from apps.ops.terminal import console, moment, plain

_COLOURS = {
    "sent": "green",
    "sending": "cyan",
    "scheduled": "cyan",
    "paused": "yellow",
    "cancelled": "red",
}
_GONE = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)


class Command(BaseCommand):
    help = "List messages and campaigns, newest first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--status", choices=CampaignState.values)
        parser.add_argument("--limit", type=int, default=50)

    def handle(self, **options: Any) -> None:
        if options["limit"] < 1:
            raise CommandError("--limit must be 1 or more.")
        found = Campaign.objects.all()
        if options["status"]:
            found = found.filter(state=options["status"])
        rows = keyset.page(found, size=options["limit"]).rows
        out = console(options)
        if not rows:
            if options["status"]:
                out.print("No messages match.")
            else:
                out.print("No messages yet: create-message makes one.")
            return
        sent, all_ = _numbers(rows)
        table = Table(box=box.SIMPLE_HEAD, header_style="bold")
        table.add_column("Id", no_wrap=True)  # send_message takes it
        for heading in ("Name", "Status", "To"):
            table.add_column(heading, overflow="fold")
        table.add_column("Goes out", no_wrap=True)
        table.add_column("Sent", justify="right", no_wrap=True)
        for message in rows:
            how_far = ""
            if message.pk in all_:
                how_far = f"{sent[message.pk]:,} of {all_[message.pk]:,}"
            colour = _COLOURS.get(message.state, "")
            end_of_id = message.uid.hex[-8:]
            table.add_row(
                plain(f"…{end_of_id}"),
                plain(message.name),
                plain(message.get_state_display(), colour),
                plain(_whom(message.audience)),
                plain(moment(message.send_at)),
                how_far,
            )
        out.print(table)
        out.print(f"{len(rows):,} of {keyset.count(found)}")


def _whom(audience: dict[str, Any]) -> str:
    parts = [f"#{slug}" for slug in audience.get("tags", [])]
    for noun in ("segments", "followers"):
        if number := len(audience.get(noun, [])):
            if number == 1:
                noun = noun[:-1]
            parts.append(f"{number} {noun}")
    if audience.get("everyone"):
        return "everyone"
    return ", ".join(parts) or "nobody yet"


def _numbers(messages: list[Campaign]) -> tuple[Counter[int], Counter[int]]:
    """Messages by campaign as (sent, all), from the tallies; campaigns that never started are
    missing from `all`.
    """
    sent: Counter[int] = Counter()
    all_: Counter[int] = Counter()
    tallies = Tally.objects.filter(notification__run__campaign__in=messages)
    for campaign, status, count in tallies.values_list(
        "notification__run__campaign", "status"
    ).annotate(Sum("count")):
        all_[campaign] += count
        if status in _GONE:
            sent[campaign] += count
        else:
            sent[campaign] += 0
    return sent, all_

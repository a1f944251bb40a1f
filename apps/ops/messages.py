"""What the message commands share: finding what was named, and saying what was made."""

import uuid
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import CommandError

from apps.campaigns.models import Campaign
from apps.followers.models import NotificationType
from apps.followers.people import tagging
from apps.ops.terminal import console, plain


def kind_of(key: str) -> NotificationType | None:
    """The notification type with this key; None for "". Raises CommandError with the known ones."""
    if not key:
        return None
    kind = NotificationType.objects.filter(key=key).first()
    if kind is None:
        known = ", ".join(NotificationType.objects.values_list("key", flat=True)) or "none yet"
        raise CommandError(f"There is no message type {key!r}. Known: {known}.")
    return kind


def add_tags(parser: ArgumentParser, what_many_mean: str) -> None:
    """Let a command take tags as `--tags a,b` and as `--tag a --tag b`, into one list."""
    parser.add_argument(
        "--tag",
        action="append",
        default=[],
        dest="tags",
        metavar="NAME",
        help=f"may be repeated: {what_many_mean}",
    )
    parser.add_argument(
        "--tags",
        action="extend",
        type=parted,
        default=[],
        metavar="NAME,NAME",
        help="the same, with commas between them",
    )


def parted(text: str) -> list[str]:
    """Read what stands between commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def slugs_of(names: Iterable[str]) -> list[str]:
    """The slugs of tags by name. Raises CommandError for one that is not there."""
    names = list(names)
    found = tagging.tags_by_name(names)
    if missing := [name for name in names if name.strip().casefold() not in found]:
        raise CommandError(f"There is no tag {missing[0]!r}.")
    return [tag.slug for tag in found.values()]


def message_of(text: str) -> Campaign:
    """The message with this id, or whose id ends with the text, as list_messages shows it.

    Raises CommandError.
    """
    ends = text.strip().lower().lstrip("…").replace("-", "")
    try:
        rows = Campaign.objects.filter(uid=uuid.UUID(ends))
    except ValueError:
        # ids are time-ordered: their ends differ, their beginnings don't
        newest = Campaign.objects.order_by("-pk").values_list("pk", "uid")[:10_000]
        rows = Campaign.objects.filter(
            pk__in=[pk for pk, uid in newest if len(ends) >= 4 and uid.hex.endswith(ends)]
        )
    found = list(rows.select_related("notification_type")[:2])
    if not found:
        raise CommandError(f"There is no message {text!r}; list-messages shows their ids.")
    if len(found) > 1:
        raise CommandError(f"More than one message ends with {text!r}. Give more of the id.")
    return found[0]


def introduce(message: Campaign, options: dict[str, Any]) -> None:
    """Say what was made and what to do next."""
    out = console(options)
    out.print(
        plain("Created ", "green"),
        plain(message.name, "bold"),
        plain(f", id {message.uid}."),
        sep="",
    )
    out.print(plain(f"Send it with: manage.py send-message {message.uid}", "dim"))

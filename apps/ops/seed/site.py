"""All of a big site, in one transaction: after a fault there is nothing."""

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model

from apps.accounts.models import User
from apps.campaigns.models import Campaign, Segment
from apps.followers.models import Follower, NotificationType, Rhythm
from apps.lib.actor import command
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.models import Delivery
from apps.ops.demo.world import STAFF, make_segments, make_staff
from apps.ops.seed import bulk, crowd, sendings
from apps.ops.seed.words import Dialect
from apps.ops.site_setup import set_up_site

PER_FOLLOWER = 100  # messages to one follower at most, on average

Say = Callable[[str], None]  # what is told of the progress


class SeedRefused(Refused):
    """There is no room for made-up people here; the text says why."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class Size:
    """How many of what."""

    followers: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class Seeded:
    """What was made; `staff` are names of log-ins, none where there were some."""

    followers: int
    deliveries: int
    campaigns: int
    staff: list[str]


def in_use() -> bool:
    """Somebody is followed, or something was written or sent."""
    rows = (Follower, Campaign, Delivery)
    return any(model._default_manager.exists() for model in rows)


def seed_site(*, size: Size, seed: int, beside: bool = False, say: Say, now: dt.datetime) -> Seeded:
    """Make up people, and what was sent to them, as a site that is years old has them.

    `beside`: what is in the database already stays, and more is made beside it. Without it, a
    database in use is refused, and the tables are empty ones, whose indexes can be built at the
    end. Raises SeedRefused.
    """
    _check(size, beside)
    by = command("seed")
    with transaction.atomic():
        say("Message types, templates, staff")
        set_up_site(by=by, now=now)
        staff = _make_staff(now)
        first = bulk.highest(Follower) + 1
        words = Dialect(connection.vendor == "postgresql", seed)
        until = int(now.timestamp())
        people = crowd.Crowd(words, first, first + size.followers - 1, until)
        empty = not in_use()
        _make_crowd(people, empty, say, now)
        if not Segment.objects.exists():
            make_segments(by=by, now=now)
        made, campaigns = _send(people, empty, size.deliveries, say)
    _count_anew(say)
    return Seeded(size.followers, made, campaigns, staff)


def _check(size: Size, beside: bool) -> None:
    if size.followers < 1 or size.deliveries < 0:
        raise SeedRefused("Name how many followers to make: at least one.")
    if size.deliveries > PER_FOLLOWER * size.followers:
        said = "At most {most} messages to a follower: name more followers."
        raise SeedRefused(said.format(most=PER_FOLLOWER))
    if in_use() and not beside:
        raise SeedRefused(
            "This database is in use: made-up people would stand among real ones. "
            "Use an empty one, or say --beside."
        )


def _make_staff(now: dt.datetime) -> list[str]:
    """The demo world's log-ins, on a development machine where nobody has one."""
    if settings.PRODUCTION or User.objects.exists():
        return []
    for name in STAFF:
        make_staff(name, by=command("seed"), now=now)
    return list(STAFF)


def _make_crowd(people: crowd.Crowd, empty: bool, say: Say, now: dt.datetime) -> None:
    kinds = NotificationType.objects.filter(commercial=True).order_by("pk")
    crowd.make_pool(people.words)
    with _fresh_tables([*crowd.TABLES, Rhythm], empty):
        say(f"{crowd.make_followers(people):,} followers")
        say(f"{crowd.make_addresses(people):,} addresses")
        say(f"{crowd.make_tags(people, by=command('seed'), now=now):,} tags on them")
        say(f"{crowd.make_consent(people, kinds):,} words of theirs about consent")
        say(f"{crowd.make_suppressions(people):,} addresses on the suppression list")
        say(f"{crowd.make_history(people):,} lines of history; their indexes")
    crowd.forget_pool()
    _analyze()


def _fresh_tables(tables: Sequence[type[Model]], empty: bool) -> AbstractContextManager[None]:
    """Build the indexes at the end where the tables are empty ones: nobody else is at them."""
    if empty:
        return bulk.indexed_afterwards(tables)
    return bulk.indexed_afterwards(())


def _send(people: crowd.Crowd, empty: bool, most: int, say: Say) -> tuple[int, int]:
    """Returns how many messages and how many campaigns."""
    made = 0
    campaigns = 0
    with _fresh_tables(sendings.TABLES, empty):
        for name, messages in sendings.send(people, most=most, by=command("seed")):
            made += messages
            campaigns += 1
            say(f"{made:,} of {most:,} messages, with the campaign “{name}”")
        say("Their indexes")
    return made, campaigns


def _analyze() -> None:
    """Let the database know how much there is, for the statements that follow."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _count_anew(say: Say) -> None:
    """Have the tables as they are after a night: counted, and marked as read by all."""
    say("Statistics of the tables")
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        _analyze()
        return
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")

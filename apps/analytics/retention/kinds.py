"""The kinds of data that are kept for a time, and who lets go of each."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from django.conf import settings
from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.campaigns.events import store as events
from apps.followers.imports import problems_file
from apps.followers.sign_up import forget
from apps.inbox import let_go as inbox
from apps.lib.erasing.letting_go import Reached, Walked
from apps.notifications.accounts import domain_reports
from apps.notifications.books import let_go as messages
from apps.notifications.limits import soft_bounces


class Walk(Protocol):
    """Let go of the next rows from before a moment, in the caller's transaction."""

    def __call__(self, *, before: dt.datetime, reached: Reached, now: dt.datetime) -> Walked: ...


class Due(Protocol):
    """Find what would go, of a large table the next COUNTED rows."""

    def __call__(self, *, before: dt.datetime, reached: Reached) -> QuerySet[Any]: ...


class Old(Protocol):
    """Find what would go by an index."""

    def __call__(self, *, before: dt.datetime) -> QuerySet[Any]: ...


class Forget(Protocol):
    """Let go of the oldest rows, found by an index, and say how many that were."""

    def __call__(self, *, before: dt.datetime) -> int: ...


def _for_ever() -> int:
    return 0


def _as_long_as_events() -> int:
    return settings.EVENT_DAYS


def _bounces_read_for() -> int:
    return soft_bounces.rule().within_days


@dataclass(frozen=True, slots=True)
class KindOfData:
    """One kind; `least` is the shortest time that can be chosen, in days."""

    key: str
    label: str | Promise
    goes: str | Promise  # what goes, and what stays
    due: Due
    walk: Walk
    least: int
    default: Callable[[], int] = _for_ever
    read_for: Callable[[], int] = _for_ever  # days for which something else needs it


def _all(old: Old) -> Due:
    def due(*, before: dt.datetime, reached: Reached) -> QuerySet[Any]:
        return old(before=before)

    return due


def _oldest(forget_old: Forget) -> Walk:
    """Make a walk of what finds its oldest rows by an index, and so begins at the front."""

    def walk(*, before: dt.datetime, reached: Reached, now: dt.datetime) -> Walked:
        rows = forget_old(before=before)
        return Walked(Reached(), rows, more=bool(rows))

    return walk


KINDS = (
    KindOfData(
        "engagement",
        _("Open and click tracking"),
        _(
            "The first open and the first click of each link stay, for figures, names and segments;"
            " each repetition goes, and the programs with which people read."
        ),
        messages.with_looks,
        messages.looks,
        least=30,
    ),
    KindOfData(
        "messages",
        _("Words and data of messages"),
        _(
            "Counted from the end of a send. The data that programs gave, what servers answered and"
            " the details of each step go. That the message was sent, when and with which result"
            " stays. The words of campaigns stay, too; other messages can't be shown or sent again."
        ),
        messages.with_words,
        messages.words,
        least=30,
        read_for=_bounces_read_for,
    ),
    KindOfData(
        "inbox",
        _("In-app messages"),
        _("They leave the inboxes, read or not."),
        inbox.old,
        inbox.items,
        least=7,
    ),
    KindOfData(
        "events",
        _("Events of programs"),
        _(
            "Counted from when they came. What was not worked off yet stays, and so do the"
            " notifications. An event that is sent a second time after that counts as new."
        ),
        _all(events.old),
        _oldest(events.forget_old),
        least=1,
        default=_as_long_as_events,
    ),
    KindOfData(
        "sign_ups",
        _("Sign-ups that nobody confirmed"),
        _("Who is known by nothing else goes with the last of them."),
        _all(forget.unconfirmed),
        _oldest(forget.forget_unconfirmed),
        least=7,
        default=lambda: 90,
    ),
    KindOfData(
        "import_problems",
        _("Refused rows of imports"),
        _("Counted from the end of an import. Its figures stay."),
        _all(problems_file.old_problems),
        _oldest(problems_file.forget_old),
        least=1,
    ),
    KindOfData(
        "domain_reports",
        _("Reports about domains"),
        _("Reports of DMARC and TLS that receivers sent."),
        _all(domain_reports.old),
        _oldest(domain_reports.forget_old),
        least=30,
        default=lambda: 180,
    ),
)
BY_KEY = {kind.key: kind for kind in KINDS}

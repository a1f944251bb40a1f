"""What is wrong with a site that starts, each in one sentence that says what to do.

Without it a missing migration was a traceback for every task, and keys that had changed were
found out one link and one account at a time.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor

from apps.lib import crypto, tokens
from apps.lib.actor import Actor
from apps.lib.facts import Kind, Subject, tell
from apps.ops.models import SignedMark

log = logging.getLogger("carillon.start")
_MARK = "SECRET_KEY"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong. It `stops` workers where nothing can be sent like this."""

    sentence: str
    stops: bool


def faults() -> list[Fault]:
    """Look for what is wrong. A database that does not answer is told by others."""
    try:
        lacking = _migrations()
        if lacking:
            return [lacking]
        return [*_secret_key(), *_field_keys()]
    except DatabaseError:
        return []


def say_faults() -> None:
    """Say in the log of a web process what is wrong; its connection is for this alone."""
    for fault in faults():
        log.error(fault.sentence)
    connection.close()


def accept_secret_key(*, by: Actor, now: dt.datetime) -> None:
    """Take SECRET_KEY as it is from now on, though links that another one signed are dead."""
    with transaction.atomic():
        _sign()
        tell(Kind.SECRET_KEY_ACCEPTED, by=by, now=now, about=Subject("site", "", _MARK))


def _migrations() -> Fault | None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return None
    first, _ = plan[0]
    return Fault(
        f"The database lacks {len(plan)} migrations, of which {first} is the first. "
        "Run “manage.py migrate”, and start web and worker again.",
        stops=True,
    )


def _secret_key() -> Iterator[Fault]:
    mark = SignedMark.objects.filter(name=_MARK).first()
    if mark is None:
        _sign()
        return
    try:
        tokens.read(_MARK, mark.value)
    except tokens.BadToken:
        yield Fault(
            "SECRET_KEY is not the one of before: links in mails that were sent don't work, and "
            "everybody is logged out. Put the old key into SECRET_KEY_FALLBACKS; or, where it must "
            "not be used any more, run “manage.py accept_secret_key”.",
            stops=False,
        )
    else:
        if settings.SECRET_KEY_FALLBACKS:  # which will go one day
            _sign()


def _sign() -> None:
    SignedMark.objects.update_or_create(
        name=_MARK, defaults={"value": tokens.make(_MARK, settings.SITE_URL)}
    )


def _field_keys() -> Iterator[Fault]:
    closed = [place for place, where in settings.ENCRYPTED.items() if not _opens(*where)]
    if closed:
        yield Fault(
            f"None of FIELD_KEYS opens what is stored of: {', '.join(closed)}. Put the key that it "
            "was written with back into FIELD_KEYS, behind the new one.",
            stops=True,
        )


def _opens(model: str, column: str, names: tuple[str, ...]) -> bool:
    """Whether the newest value of a place can be read."""
    rows = apps.get_model(model)._default_manager.order_by("-pk")
    if names:
        rows = rows.filter(**{f"{column}__has_key": names[0]})
    else:
        rows = rows.exclude(**{column: ""})
    value = rows.values_list(column, flat=True).first() or ""
    if isinstance(value, dict):
        value = value[names[0]]
    try:
        crypto.decrypt(value)
    except crypto.Undecryptable:
        return False
    return True

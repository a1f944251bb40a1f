"""The mailbox to which bounces come: set up by staff, read by a task.

A mail is booked before its number is noted: a reader that dies reads it again, and booking it twice
changes nothing. None is deleted; those that were booked are marked as read.
"""

import datetime as dt
import logging
import re
import time
from collections.abc import Mapping
from email import message_from_bytes
from typing import Any

from django.db import DatabaseError, DataError, transaction
from django.db.models import F, Q, QuerySet

from apps.channels.contract import storable
from apps.channels.returned import imap
from apps.channels.returned.imap import CannotRead
from apps.channels.returned.reading import Says
from apps.lib import crypto, steady_clock
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import BounceMailbox
from apps.notifications.sending.heard.provider_reports import TooEarly
from apps.notifications.sending.heard.returned_mail import ForgedReturn, receive

TASK = "apps.notifications.sending.heard.mailbox.read_mailbox"
EVERY = dt.timedelta(minutes=1)
LONGEST_WAIT = dt.timedelta(minutes=30)  # between two tries of one that can't be read
LEASE = dt.timedelta(minutes=3)  # renewed with each mail
WORK_SECONDS = 20.0  # then another call goes on, so that its lane can do something else
# where servers write to whom they gave a mail; the last is what its sender wrote
_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "X-Envelope-To", "To")
_NAMED = re.compile(r"[^\s<>,;:\"]{1,64}\+[0-9a-f]{48}@[^\s<>,;:\"]{1,255}", re.IGNORECASE)
log = logging.getLogger("carillon.answers")


def set_mailbox(
    *, settings: Mapping[str, Any], enabled: bool, by: Actor, now: dt.datetime
) -> BounceMailbox:
    """Set the mailbox up, or change it; a setting that is absent or an empty secret keeps its
    value. Another server, user or folder is read from its beginning. Raises BadSettings.
    """
    with transaction.atomic():
        row = BounceMailbox.objects.select_for_update().first()
        before: dict[str, Any] = {}
        if row is not None:
            before = crypto.decrypt(row.settings)
        values = {each.name: each.default for each in imap.SETTINGS} | before
        for each in imap.SETTINGS:
            given = settings.get(each.name)
            if given not in (None, "") or (each.name in settings and each.kind != "secret"):
                values[each.name] = given
        imap.check(values)
        if row is None:
            row = BounceMailbox()
        if any(values[name] != before.get(name) for name in ("host", "username", "folder")):
            row.validity = None
            row.last_number = 0
        row.settings = crypto.encrypt(values)
        row.enabled = enabled
        row.due_at = now
        row.failures = 0
        row.error = ""
        row.save()
        names = sorted(name for name in values if values[name] != before.get(name))
        data = {"settings": names, "enabled": enabled}  # names only: values may be secrets
        tell(Kind.BOUNCE_MAILBOX_CHANGED, by=by, now=now, about=row, data=data)
    return row


def settings_of() -> dict[str, Any]:
    """The mailbox's settings without their secrets; those of a new one where there is none."""
    values = {each.name: each.default for each in imap.SETTINGS}
    if row := BounceMailbox.objects.first():
        values |= crypto.decrypt(row.settings)
    return {each.name: values[each.name] for each in imap.SETTINGS if each.kind != "secret"}


def hurry(*, now: dt.datetime) -> None:
    """Let the mailbox be read at the next look, though its turn is later."""
    BounceMailbox.objects.filter(due_at__gt=now).update(due_at=now)


def due(now: dt.datetime) -> QuerySet[BounceMailbox]:
    """Find the mailbox if it is to be read now, and nobody reads it."""
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return BounceMailbox.objects.filter(free, enabled=True, due_at__lte=now)


@only_with(due)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: let the mailbox be read, each minute."""
    if due(now).exists():
        announce(TASK, lane=Lane.BULK)


def read_mailbox(**_nothing: object) -> None:
    """Task: read what is new. A second one at the same time finds nothing to do."""
    now = steady_clock.now()
    if not due(now).update(lease_until=now + LEASE):
        return
    row = BounceMailbox.objects.get()
    try:
        with imap.opened(crypto.decrypt(row.settings)) as box:
            done = _read(row, box)
    except (CannotRead, crypto.Undecryptable) as error:
        _put_off(row, str(error))
        log.warning("The bounce mailbox can't be read: %s", error)
        return
    except Exception as error:
        _put_off(row, f"{type(error).__name__}: {error}")
        raise
    now = steady_clock.now()
    soon = now
    if done:
        soon = now + EVERY
    _mine(row).update(error="", failures=0, read_at=now, due_at=soon, lease_until=None)


def _put_off(row: BounceMailbox, error: str) -> None:
    wait = min(LONGEST_WAIT, EVERY * 2 ** min(row.failures, 10))
    _mine(row).update(
        error=storable(error)[:300],
        failures=F("failures") + 1,
        due_at=steady_clock.now() + wait,
        lease_until=None,
    )


def _mine(row: BounceMailbox) -> QuerySet[BounceMailbox]:
    return BounceMailbox.objects.filter(pk=row.pk)


def _read(row: BounceMailbox, box: imap.Box) -> bool:
    """Book the mails that are new; False where some are left for the next call."""
    if row.validity != box.validity:  # the numbers began anew
        _mine(row).update(validity=box.validity, last_number=0)
        row.last_number = 0
    stop_at = time.monotonic() + WORK_SECONDS
    waits = False
    for number in box.after(row.last_number):
        if time.monotonic() > stop_at:
            return False
        raw = box.mail(number)
        booked = False
        if raw is not None:
            try:
                booked = _book(raw)
            except TooEarly:  # it and those behind it are read again: that changes nothing
                waits = True
                continue
        changes: dict[str, Any] = {"lease_until": steady_clock.now() + LEASE}
        if not waits:  # each mail counts once: when nobody will read it again
            changes["last_number"] = number
            changes["mails"] = F("mails") + 1
            changes["booked"] = F("booked") + int(booked)
        _mine(row).update(**changes)
        if booked:
            box.mark(number)
    return True


def _book(raw: bytes) -> bool:
    """Book one mail; whether it tells of our messages or domains. Raises TooEarly."""
    try:
        found = receive(raw=raw, to=address_in(raw), now=steady_clock.now())
    except ForgedReturn as error:
        log.warning("A mail in the bounce mailbox was not booked: %s", error)
        return False
    except TooEarly:
        raise
    except Exception as error:
        if isinstance(error, DatabaseError) and not isinstance(error, DataError):
            raise  # the database is away; it did not refuse this mail
        # it stays in the mailbox, unread: those behind it must not wait for it
        log.exception("A mail in the bounce mailbox could not be booked.")
        return False
    return found.changed or (found.delivery is not None and found.says is not Says.NOTHING)


def address_in(raw: bytes) -> str:
    """The address of ours to which a mail came, as its headers tell; "" for none."""
    head = message_from_bytes(raw[:65_536])
    for name in _HEADERS:
        for value in head.get_all(name, []):
            if match := _NAMED.search(str(value)[:2000]):
                return match.group()
    return ""

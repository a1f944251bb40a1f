"""Marks of people who were erased: a keyed hash of each address and external id, by which an
import or a call that brings them is refused, and of which nobody can read who they were.
"""

import datetime as dt
import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable, Mapping

from django.utils.translation import gettext

from apps.followers.models import (
    GUESSED,
    Erasure,
    Follower,
    Suppression,
    Tombstone,
    TombstoneKey,
)
from apps.lib.crypto import decrypt, encrypt
from apps.lib.refusals import RefusalKind, Refused

EXTERNAL_ID = "external_id"
Named = tuple[str, str]  # (channel or "external_id", key)


class Erased(Refused):
    """Somebody was erased, and only their own sign-up brings them back."""

    kind = RefusalKind.STATE


def told() -> str:
    """Say why somebody can't be added, and what can be done."""
    return gettext(
        "This person was erased and is not added again. They come back by signing up themselves."
    )


def put(*, erasure: Erasure, follower: Follower, now: dt.datetime) -> None:
    """Mark all by which the follower is known. A suppressed address keeps that word."""
    named = [(row.channel, row.key) for row in follower.addresses.all()]
    if follower.external_id:
        named.append((EXTERNAL_ID, follower.external_id))
    for merged in follower.merged.exclude(external_id=""):
        named.append((EXTERNAL_ID, merged.external_id))
    marks = _hashes(named)
    words: dict[Named, str] = {}
    for channel, key in named:
        rows = Suppression.objects.filter(channel=channel, key=key)
        # an address that bounced is a network's guess, and no word of the person's
        found = rows.exclude(reason__in=GUESSED).first()
        words[channel, key] = ""
        if found:
            words[channel, key] = found.reason
    for each in named:
        Tombstone.objects.update_or_create(
            hashed=marks[each],
            defaults={"erasure": erasure, "suppressed": words[each], "created_at": now},
        )


def among(named: Iterable[Named]) -> set[Named]:
    """Tell which of these belong to somebody who was erased."""
    asked = _hashes(named)
    if not asked:
        return set()
    found = Tombstone.objects.filter(hashed__in=list(asked.values()), lifted_at=None)
    marked = set(found.values_list("hashed", flat=True))
    return {each for each, mark in asked.items() if mark in marked}


def refuse(named: Iterable[Named]) -> None:
    """Raise Erased where one of these belongs to somebody who was erased."""
    for kind, _ in sorted(among(named)):
        field = {"email": "email", "sms": "phone", EXTERNAL_ID: EXTERNAL_ID}.get(kind, kind)
        raise Erased(told(), field=field)


def is_leaving(follower: Follower) -> bool:
    """Whether somebody is being erased whose row is there still."""
    return Erasure.objects.filter(follower=follower.uid).exists()


def refuse_leaving(follower: Follower) -> None:
    """Raise Erased where somebody is being erased: what they are given now, nobody would stop.
    The follower's row is locked.
    """
    if is_leaving(follower):
        raise Erased(told())


def is_suppressed(channel: str, key: str) -> bool:
    """Whether somebody who was erased had stopped messages to this address before."""
    marks = list(_hashes([(channel, key)]).values())
    return Tombstone.objects.filter(hashed__in=marks).exclude(suppressed="").exists()


def words_of(channel: str, keys: Iterable[str]) -> dict[str, str]:
    """Tell why messages were stopped to addresses of people who were erased, by key; addresses
    of which nothing was said are missing.
    """
    marks = {mark: key for (_, key), mark in _hashes((channel, key) for key in keys).items()}
    if not marks:
        return {}
    rows = Tombstone.objects.filter(hashed__in=list(marks)).exclude(suppressed="")
    return {marks[mark]: word for mark, word in rows.values_list("hashed", "suppressed")}


def taken_over(channel: str, keys: Collection[str]) -> list[str]:
    """Forget the marks of these addresses whose people came back; the caller writes their words
    down where everybody sees them. Gives the keys of those.
    """
    if not keys:
        return []
    marks = {mark: key for (_, key), mark in _hashes((channel, key) for key in keys).items()}
    rows = Tombstone.objects.filter(hashed__in=list(marks)).exclude(lifted_at=None)
    found = list(rows.values_list("hashed", flat=True))
    rows.delete()
    return [marks[mark] for mark in found]


def lift(channel: str, key: str, *, now: dt.datetime) -> None:
    """Let all marks of whoever has this address refuse them no more: they came back by their own
    word. A STOP or a complaint on another address is no less theirs, and stays.
    """
    marks = list(_hashes([(channel, key)]).values())
    mine = Tombstone.objects.filter(hashed__in=marks)
    all_marks = Tombstone.objects.filter(erasure__in=list(mine.values_list("erasure", flat=True)))
    all_marks.filter(suppressed="").delete()
    all_marks.filter(lifted_at=None).update(lifted_at=now)


def take_back(channel: str, key: str, word: str) -> None:
    """Forget this word on an address: whoever has it says so."""
    marks = list(_hashes([(channel, key)]).values())
    rows = Tombstone.objects.filter(hashed__in=marks, suppressed=word)
    rows.exclude(lifted_at=None).delete()
    rows.update(suppressed="")


def _hashes(named: Iterable[Named]) -> dict[Named, str]:
    """Hash each; {} as long as nobody was erased."""
    secret = _key()
    if secret is None:
        return {}
    return {
        (kind, key): hmac.new(secret, f"{kind}\n{key}".encode(), hashlib.sha256).hexdigest()
        for kind, key in named
    }


def make_key() -> None:
    """Make the key of the site's tombstones, unless there is one."""
    TombstoneKey.objects.get_or_create(pk=1, defaults={"key": encrypt(secrets.token_hex(32))})


_opened: Mapping[str, bytes] = {}


def _key() -> bytes | None:
    """Open the key; None as long as nobody was erased. Raises Undecryptable."""
    global _opened  # one key, opened once
    stored = TombstoneKey.objects.values_list("key", flat=True).first()
    if stored is None:
        return None
    if stored not in _opened:
        _opened = {stored: bytes.fromhex(decrypt(stored))}
    return _opened[stored]

"""Save the choices of the preference page, and take them back. Each is one transaction."""

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from apps.followers.consent import acts, matrix, rhythm
from apps.followers.consent.acts import Words
from apps.followers.consent.matrix import Key
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes
from apps.followers.fields.fitting import KnownFields, fitted
from apps.followers.models import ConsentRecord, Follower
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.followers.profile_fields import BadFollower
from apps.lib import tokens

# An undo is for a slip noticed at once. Later it would bring back choices nobody remembers.
UNDO_SECONDS = 24 * 3600
_UNDO = "preferences-undo"
_OWN_PAGES = ("one_click", "preference_center")


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving gave; `undo` is the signed way back, "" when nothing changed, and `own_kept`
    False where the custom fields did not fit and all else was stored.
    """

    undo: str
    own_kept: bool = True


def save(
    *,
    follower: Follower,
    words: Words,
    fields: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    wishes: Wishes | None = None,
    reason: str = "",
    proof: Proof,
) -> Saved:
    """Store words, `fields` (language, time_zone, measured), `own` (values of public custom fields
    by key) and `wishes` (consent/rhythm.py), together or not at all; all but `own` where a follower
    can't have these, for that must not stop an opt-out.

    Raises what consent.set_preferences, contacts.change_follower and rhythm.set_rhythm raise.
    """
    with transaction.atomic():
        change = acts.set_preferences(
            follower=follower,
            cells=words.cells,
            mutes=words.mutes,
            subscribed=words.subscribed,
            reason=reason,
            proof=proof,
        )
        were = {}
        new = {}
        for name, value in fields.items():
            old = getattr(follower, name)
            if old != value:
                were[name] = old
                new[name] = value
        if new:
            change_follower(follower=follower, values=Profile(**new), by=proof.by, now=proof.now)
        own_kept = not own or _keep(own, follower, proof)
        if not own_kept:
            own = None
        own_were = {key: follower.metadata.get(key) for key in own or {}}
        wished: dict[str, Any] = {}
        if wishes:
            turn = rhythm.set_rhythm(follower=follower, values=wishes, proof=proof)
            wished = rhythm.as_json(turn.before)
    if not (change or were or wished or own):
        return Saved("", own_kept)
    before = {
        "words": change.before.as_json(),
        "fields": were,
        "own": own_were,
        "wishes": wished,
    }
    return Saved(tokens.make(_UNDO, {"f": str(follower.uid), **before}), own_kept)


def _keep(own: Mapping[str, Any], follower: Follower, proof: Proof) -> bool:
    values = Profile(metadata_changes=own)
    try:
        change_follower(follower=follower, values=values, by=proof.by, now=proof.now)
    except BadFollower:
        return False
    return True


def way_back(follower: Follower, *, now: dt.datetime) -> str:
    """Make the way back from an opt-out that was the last word of the follower, and of today.

    "" when there is none: a mail program that was told to unsubscribe shows no button of ours.
    """
    last = ConsentRecord.objects.filter(follower=follower).first()
    if last is None or last.source not in _OWN_PAGES:
        return ""
    if last.at < now - dt.timedelta(seconds=UNDO_SECONDS):
        return ""
    words = Words(subscribed=True)
    if last.act == "preferences_changed":
        cells = last.scope.get("cells", [])
        words = Words({(cell["type"], cell["channel"]): cell["before"] for cell in cells})
    elif last.act != "unsubscribed":
        return ""
    before = {"words": words.as_json(), "fields": {}, "wishes": {}}
    return tokens.make(_UNDO, {"f": str(follower.uid), **before})


@dataclass(frozen=True, slots=True)
class WayBack:
    """What an undo would bring back, as `save` takes it."""

    words: Words
    fields: dict[str, Any]
    own: dict[str, Any]
    wishes: Wishes


def readable_undo(follower: Follower, token: str) -> WayBack | None:
    """Read what the token would bring back; None: too old, changed, or another person's."""
    try:
        payload = tokens.read(_UNDO, token, max_age=UNDO_SECONDS)
    except tokens.BadToken:
        return None
    if payload["f"] != str(follower.uid):
        return None
    return WayBack(
        Words.from_json(payload["words"]),
        payload["fields"],
        payload.get("own", {}),
        rhythm.from_json(payload.get("wishes", {})),
    )


def undo(*, follower: Follower, token: str, proof: Proof) -> bool:
    """Put everything back as it was before that save. False when the token is no longer good.

    Cells that were taken away or locked in the meantime stay as they are.
    """
    found = readable_undo(follower, token)
    if found is None:
        return False
    words = found.words
    wishes = found.wishes
    pause = wishes.paused_until
    if isinstance(pause, dt.datetime) and pause <= proof.now:
        wishes = replace(wishes, paused_until=None)  # it would be over by now
    editable = set()
    for row in matrix.matrix(follower):
        editable |= {(row.key, cell.channel) for cell in row.cells if cell.editable}
    cells: dict[Key, bool | None] = {
        key: said for key, said in words.cells.items() if key in editable
    }
    save(
        follower=follower,
        words=Words(cells, words.mutes, words.subscribed),
        fields=found.fields,
        own=_still_fitting(found.own),
        wishes=wishes,
        proof=proof,
    )
    return True


def _still_fitting(own: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what its field would refuse by now."""
    fields = KnownFields()
    kept: dict[str, Any] = {}
    for key, value in own.items():
        with suppress(BadFollower):
            kept |= fitted({key: value}, before={}, fields=fields)
    return kept

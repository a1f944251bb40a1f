"""The page of the subscription center: what a follower said, what each switch does and why,
what else can be said.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation

from apps.followers.consent.matrix import Cell, MatrixRow, matrix, muted_channels
from apps.followers.consent.rhythm import rhythm_of, zone_of
from apps.followers.consent.verdict import Reason
from apps.followers.devices import phone_codes
from apps.followers.models import (
    Address,
    AddressState,
    Category,
    Channel,
    Follower,
    Rhythm,
    channel_of_address,
)
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.decide.quiet_hours import habits_of, quiet_until
from apps.subscriptions.center import choices, forms, intent
from apps.subscriptions.center.rhythm_form import RhythmForm
from apps.subscriptions.public import show
from apps.subscriptions.wording import (
    CHANNELS,
    NO_ADDRESS,
    NOTES,
    PAUSED,
    QUIET,
    REASONS,
    masked,
    moment,
)

SOURCE = "preference_center"


def back(
    token: str, done: str, undo: str = "", kept: list[str] | None = None, *, part: str = ""
) -> HttpResponse:
    """To the page, which then says what happened; reloading it repeats nothing."""
    query: dict[str, Any] = {"done": done}
    if undo:
        query["undo"] = undo
    if kept:
        query["kept"] = kept
    response = redirect("subscriptions:preferences", token)
    response["Location"] += f"?{urlencode(query, doseq=True)}" + (f"#{part}" if part else "")
    response.status_code = 303  # the browser fetches the page with GET, whatever it sent (RFC 9110)
    return response


@dataclass(frozen=True, slots=True)
class _Note:
    """One reason, for all the cells of a row that share it, or for whole columns."""

    id: str
    channels: list[str]
    text: str

    @property
    def labels(self) -> list[str]:
        return [str(CHANNELS[Channel(channel)]) for channel in self.channels]


def page(
    request: HttpRequest,
    token: str,
    follower: Follower,
    *,
    fields: forms.Fields | None = None,
    hours: RhythmForm | None = None,
    problem: tuple[str, Any] = ("", ""),
    status: int = 200,
) -> HttpResponse:
    """The whole page. `problem`: the part that refused something, and what it says."""
    now = timezone.now()
    addresses = list(follower.addresses.exclude(state=AddressState.GONE))
    rows = matrix(follower, translation.get_language())
    if all(address.channel != Channel.WEBHOOK for address in addresses):
        # nobody can add one here, and hardly anybody knows what it is: programs have them
        rows = [
            replace(row, cells=[cell for cell in row.cells if cell.channel != Channel.WEBHOOK])
            for row in rows
        ]
    nowhere = {
        cell.channel: cell
        for row in rows
        for cell in row.cells
        if cell.offered and _is_nowhere(cell)
    }
    ways = _notes("no-way", nowhere.values())
    columns = []
    if rows:
        columns = [(cell.channel, CHANNELS[Channel(cell.channel)]) for cell in rows[0].cells]
    muted = muted_channels(follower)
    rhythm = rhythm_of(follower)
    places = {
        address.channel: masked(address.value)
        for address in addresses
        if address.primary and address.channel in (Channel.EMAIL, Channel.SMS)
    }
    offered = {name for name, _label in columns}
    undo_token = request.GET.get("undo", "")
    kept = set(request.GET.getlist("kept"))
    context = {
        "token": token,
        "follower": follower,
        "place": ", ".join(places.values()),
        "columns": columns,
        "rows": [_row(row, ways) for row in rows],
        "ways": ways,
        "switches": [
            {
                "name": name,
                "label": label,
                "on": name not in muted,
                "place": places.get(channel_of_address(name), ""),
            }
            for name, label in columns
        ],
        "fields": fields or forms.Fields(follower=follower),
        "hours": hours or RhythmForm(rhythm=rhythm),
        "zone": zone_of(follower).key,
        "silence": _silence(follower, rhythm, now),
        "pause_until": rhythm.snoozed_until
        if rhythm.snoozed_until and rhythm.snoozed_until > now
        else None,
        "phone": _phone(follower, places, now) if offered & {Channel.SMS, Channel.VOICE} else None,
        "browsers": _browsers(addresses) if Channel.WEB_PUSH in offered else None,
        "problem": {"part": problem[0], "text": problem[1]},
        "reasons": REASONS.items(),
        "done": request.GET.get("done", ""),
        "undo": undo_token if choices.readable_undo(follower, undo_token) else "",
        "kept": [
            f"{row.name} ({CHANNELS[Channel(cell.channel)]})"
            for row in rows
            for cell in row.cells
            if intent.name_of((row.key, cell.channel)) in kept
        ],
    }
    return show(request, "preferences", context, status=status)


def _silence(follower: Follower, rhythm: Rhythm, now: dt.datetime) -> str:
    """What keeps us quiet just now and until when, in words; "" when nothing does."""
    zone = zone_of(follower)
    quiet = quiet_until(habits_of(rhythm, person=follower, uid=follower.uid), now)
    if rhythm.snoozed_until and rhythm.snoozed_until > now:
        words = PAUSED
        until = rhythm.snoozed_until
    elif quiet:
        words = QUIET
        until = quiet
    else:
        return ""
    when = moment(until.astimezone(zone), now=now.astimezone(zone))
    return words % {"when": when, "zone": zone.key}


def _phone(follower: Follower, places: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    """The number in use, and the one that waits for its code."""
    asked = phone_codes.pending(follower, now=now)
    used = places.get(Channel.SMS, "")
    waiting = masked(asked.value) if asked else ""
    return {"used": used, "asked": waiting, "failed": bool(asked and asked.failed_at)}


def _browsers(addresses: Iterable[Address]) -> dict[str, Any]:
    """Those that are connected, each with the digest of its endpoint by which a browser knows
    itself.
    """
    rows = sorted(
        (row for row in addresses if row.channel == Channel.WEB_PUSH), key=lambda row: -row.pk
    )
    known = [
        {
            "uid": row.uid,
            "label": (row.details or {}).get("label", ""),
            "seen_at": row.seen_at,
            "key": row.key,
        }
        for row in rows
    ]
    return {"known": known, "server_key": vapid_public_key() or ""}


def _is_nowhere(cell: Cell) -> bool:
    return cell.reason is Reason.NO_ADDRESS


def _row(row: MatrixRow, ways: Iterable[_Note]) -> dict[str, Any]:
    """`ways`: what is said once, of whole columns: that there is no address to write to."""
    notes = _notes(f"note-{row.key}", (cell for cell in row.cells if not _is_nowhere(cell)))
    note_of = {channel: note.id for note in [*ways, *notes] for channel in note.channels}
    return {
        "key": row.key,
        "name": row.name,
        "description": row.description,
        "necessary": row.category == Category.CRITICAL,
        "cells": [
            {
                "name": intent.name_of((row.key, cell.channel)),
                "label": CHANNELS[Channel(cell.channel)],
                "offered": cell.offered,
                "editable": cell.editable,
                "wanted": cell.wanted,
                "idle": cell.wanted and not cell.on,  # on, but something else keeps it quiet
                "nowhere": _is_nowhere(cell),
                "note": note_of.get(cell.channel, ""),
            }
            for cell in row.cells
        ],
        "notes": notes,
    }


def _notes(prefix: str, cells: Iterable[Cell]) -> list[_Note]:
    def words(cell: Cell) -> str:
        if _is_nowhere(cell):
            return str(NO_ADDRESS.get(Channel(cell.channel), NOTES[cell.reason]))
        return str(NOTES[cell.reason])

    unusual = sorted((cell for cell in cells if cell.offered and cell.reason in NOTES), key=words)
    return [
        _Note(f"{prefix}-{number}", [cell.channel for cell in same], text)
        for number, (text, same) in enumerate(groupby(unusual, key=words))
    ]

"""The page of the subscription center: what a follower said, what each switch does and why, and
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
from apps.followers.people import address_claims
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.decide.quiet_hours import habits_of, quiet_until
from apps.subscriptions.center import choices, forms, intent
from apps.subscriptions.center.rhythm_form import RhythmForm
from apps.subscriptions.public import is_fresh, read_link, show, was_asked_for
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
    """Send the browser to the page, which then says what happened; reloading it repeats nothing."""
    query: dict[str, Any] = {"done": done}
    if undo:
        query["undo"] = undo
    if kept:
        query["kept"] = kept
    response = redirect("subscriptions:preferences", token)
    response["Location"] += f"?{urlencode(query, doseq=True)}"
    if part:
        response["Location"] += f"#{part}"
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
    own: forms.OwnFields | None = None,
    problem: tuple[str, Any] = ("", ""),
    status: int = 200,
) -> HttpResponse:
    """Show the whole page. `problem`: the part that refused something, and what it says."""
    now = timezone.now()
    link = read_link("preferences", token)
    fields = fields or forms.Fields(follower=follower)
    addresses = list(follower.addresses.exclude(state=AddressState.GONE))
    rows = _rows_to_show(follower, addresses)
    columns = []
    if rows:
        columns = [(cell.channel, CHANNELS[Channel(cell.channel)]) for cell in rows[0].cells]
    first, more = _short(rows)
    offered = {name for name, _label in columns}
    ways = _notes("no-way", _unreachable(rows))
    places = {}
    for address in addresses:
        if address.primary and address.channel in (Channel.EMAIL, Channel.SMS):
            places[address.channel] = masked(address.value)
    rhythm = rhythm_of(follower)
    pause_until = None
    if rhythm.paused_until and rhythm.paused_until > now:
        pause_until = rhythm.paused_until
    email = None
    if Channel.EMAIL in offered:
        email = _email(follower, addresses, now)
        email["fresh"] = was_asked_for(link, follower)
    phone = None
    if offered & {Channel.SMS, Channel.VOICE}:
        phone = _phone(follower, places, now)
    browsers = None
    if Channel.WEB_PUSH in offered:
        browsers = _browsers(addresses)
    undo = request.GET.get("undo", "")
    if not choices.readable_undo(follower, undo):
        undo = ""
    context = {
        "token": token,
        "fresh": is_fresh(link, follower),
        "language_field": fields["language"],
        "follower": follower,
        "place": ", ".join(places.values()),
        "columns": columns,
        "rows": [_row(row, ways) for row in first],
        "more": [_row(row, ways) for row in more],
        "foreign": forms.foreign_to_these_pages(follower.language),
        "ways": ways,
        "switches": _switches(follower, columns, places),
        "fields": fields,
        "own": own or forms.OwnFields(follower=follower),  # shown by a fresh link only
        "hours": hours or RhythmForm(rhythm=rhythm),
        "zone": zone_of(follower).key,
        "silence": _silence(follower, rhythm, now),
        "pause_until": pause_until,
        "email": email,
        "phone": phone,
        "browsers": browsers,
        "problem": {"part": problem[0], "text": problem[1]},
        "reasons": REASONS.items(),
        "done": request.GET.get("done", ""),
        "undo": undo,
        "kept": _kept(rows, set(request.GET.getlist("kept"))),
    }
    return show(request, "preferences", context, status=status)


def _rows_to_show(follower: Follower, addresses: Iterable[Address]) -> list[MatrixRow]:
    """Give the matrix in the page's language, what can be chosen first; webhooks are a column only
    for who has one.

    Nobody can add a webhook here, and hardly anybody knows what it is: programs have them.
    """
    rows = [row for row in matrix(follower, translation.get_language()) if row.listed]
    rows.sort(key=_is_fixed)
    if any(address.channel == Channel.WEBHOOK for address in addresses):
        return rows
    shown = []
    for row in rows:
        cells = [cell for cell in row.cells if cell.channel != Channel.WEBHOOK]
        shown.append(replace(row, cells=cells))
    return shown


def _short(rows: list[MatrixRow]) -> tuple[list[MatrixRow], list[MatrixRow]]:
    """Part what can be chosen and reaches the reader from what is shown when it is asked for."""
    concerning = [row for row in rows if _concerns(row)]
    if not concerning:
        return rows, []
    return concerning, [row for row in rows if not _concerns(row)]


def _concerns(row: MatrixRow) -> bool:
    if _is_fixed(row):
        return False
    return any(cell.offered and not _is_nowhere(cell) for cell in row.cells)


def _is_fixed(row: MatrixRow) -> bool:
    return not any(cell.editable for cell in row.cells)


def _unreachable(rows: Iterable[MatrixRow]) -> list[Cell]:
    """Give one cell for each channel on which the follower has no address."""
    found = {}
    for row in rows:
        for cell in row.cells:
            if cell.offered and _is_nowhere(cell):
                found[cell.channel] = cell
    return list(found.values())


def _switches(
    follower: Follower, columns: Iterable[tuple[str, Any]], places: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Give the switch of each channel, with the address that it is about."""
    muted = muted_channels(follower)
    switches = []
    for name, label in columns:
        place = places.get(channel_of_address(name), "")
        switches.append({"name": name, "label": label, "on": name not in muted, "place": place})
    return switches


def _kept(rows: Iterable[MatrixRow], names: set[str]) -> list[str]:
    """Say which cells stay on although the person wanted them off."""
    kept = []
    for row in rows:
        for cell in row.cells:
            if intent.name_of((row.key, cell.channel)) in names:
                kept.append(f"{row.name} ({CHANNELS[Channel(cell.channel)]})")
    return kept


def _silence(follower: Follower, rhythm: Rhythm, now: dt.datetime) -> str:
    """Say what keeps us quiet just now and until when; "" when nothing does."""
    zone = zone_of(follower)
    quiet = quiet_until(habits_of(rhythm, person=follower, uid=follower.uid), now)
    if rhythm.paused_until and rhythm.paused_until > now:
        words = PAUSED
        until = rhythm.paused_until
    elif quiet:
        words = QUIET
        until = quiet
    else:
        return ""
    when = moment(until.astimezone(zone), now=now.astimezone(zone))
    return words % {"when": when, "zone": zone.key}


def _email(follower: Follower, addresses: Iterable[Address], now: dt.datetime) -> dict[str, Any]:
    """Give the address in use, the others, and those whose mailbox was asked."""
    used = ""
    others = []
    for address in addresses:
        if address.channel != Channel.EMAIL:
            continue
        place = masked(address.value)
        if address.primary:
            used = place
        else:
            ready = address.state == AddressState.ACTIVE
            kept = address_claims.can_be_taken_back(address, now=now)
            others.append({"uid": address.uid, "place": place, "ready": ready, "kept": kept})
    asked = [
        {"uid": claim.uid, "place": masked(claim.value), "failed_at": claim.failed_at}
        for claim in address_claims.waiting(follower, now=now)
    ]
    return {"used": used, "others": others, "asked": asked}


def _phone(follower: Follower, places: Mapping[str, str], now: dt.datetime) -> dict[str, Any]:
    """Give the number in use, and the one that waits for its code."""
    used = places.get(Channel.SMS, "")
    waiting = ""
    failed = False
    asked = phone_codes.pending(follower, now=now)
    if asked:
        waiting = masked(asked.value)
        failed = bool(asked.failed_at)
    return {"used": used, "asked": waiting, "failed": failed}


def _browsers(addresses: Iterable[Address]) -> dict[str, Any]:
    """List the connected browsers, the newest first.

    Each comes with the digest of its endpoint, by which a browser knows itself.
    """
    rows = [row for row in addresses if row.channel == Channel.WEB_PUSH]
    known = []
    for row in sorted(rows, key=lambda row: -row.pk):
        label = (row.details or {}).get("label", "")
        known.append({"uid": row.uid, "label": label, "seen_at": row.seen_at, "key": row.key})
    return {"known": known, "server_key": vapid_public_key() or ""}


def _is_nowhere(cell: Cell) -> bool:
    return cell.reason is Reason.NO_ADDRESS


def _row(row: MatrixRow, ways: Iterable[_Note]) -> dict[str, Any]:
    """Prepare one row for the page.

    `ways` is what is said once, of whole columns: that there is no address to write to.
    """
    notes = _notes(f"note-{row.key}", [cell for cell in row.cells if not _is_nowhere(cell)])
    note_of = {channel: note.id for note in [*ways, *notes] for channel in note.channels}
    return {
        "key": row.key,
        "name": row.name,
        "description": row.description,
        "necessary": row.category == Category.CRITICAL,
        "cells": [_cell(row.key, cell, note_of.get(cell.channel, "")) for cell in row.cells],
        "notes": notes,
    }


def _cell(key: str, cell: Cell, note: str) -> dict[str, Any]:
    return {
        "name": intent.name_of((key, cell.channel)),
        "label": CHANNELS[Channel(cell.channel)],
        "offered": cell.offered,
        "editable": cell.editable,
        "wanted": cell.wanted,
        "idle": cell.wanted and not cell.on,  # on, but something else keeps it quiet
        "nowhere": _is_nowhere(cell),
        "note": note,
    }


def _notes(prefix: str, cells: Iterable[Cell]) -> list[_Note]:
    """Gather the cells that share a reason worth a note; one note for each reason."""
    unusual = [cell for cell in cells if cell.offered and cell.reason in NOTES]
    unusual.sort(key=_reason_in_words)
    notes = []
    for number, (text, same) in enumerate(groupby(unusual, key=_reason_in_words)):
        notes.append(_Note(f"{prefix}-{number}", [cell.channel for cell in same], text))
    return notes


def _reason_in_words(cell: Cell) -> str:
    text = NOTES[cell.reason]
    if _is_nowhere(cell):
        text = NO_ADDRESS.get(Channel(cell.channel), text)
    return str(text)

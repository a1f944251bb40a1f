"""The subscription center: everything one person may say about being written to, behind a signed link."""

from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.views.decorators.http import require_http_methods, require_POST

from apps.followers.consent import Cell, Row, Words, matrix, muted_channels
from apps.followers.models import Category, Channel, Follower
from apps.subscriptions import acts, forms, intent
from apps.subscriptions.public import follower_of, proof, public_page, read_link, show
from apps.subscriptions.wording import CHANNELS, NOTES, REASONS, masked

_SOURCE = "preference_center"


@public_page
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest, token: str) -> HttpResponse:
    """The page, and saving what was moved on it."""
    follower = follower_of(read_link("preferences", token))
    if request.method != "POST":
        return _page(request, token, follower, forms.Fields(follower=follower))
    fields = forms.Fields(request.POST, follower=follower)
    if not fields.is_valid():
        return _page(request, token, follower, fields, status=400)
    meant = intent.read(request.POST, matrix(follower))
    saved = acts.save(
        follower=follower,
        words=Words(meant.cells, meant.mutes),
        fields=fields.moved(),
        proof=proof(request, follower, _SOURCE),
    )
    return _back(token, "saved", saved.undo, kept=[intent.name_of(key) for key in meant.kept])


@public_page
@require_POST
def unsubscribe_all(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    saved = acts.save(
        follower=follower,
        words=Words(subscribed=False),
        fields={},
        reason=forms.Reason(request.POST).text(),
        proof=proof(request, follower, _SOURCE),
    )
    return _back(token, "out", saved.undo)


@public_page
@require_POST
def resubscribe(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    saved = acts.save(
        follower=follower, words=Words(subscribed=True), fields={}, proof=proof(request, follower, _SOURCE)
    )
    return _back(token, "in", saved.undo)


@public_page
@require_POST
def undo(request: HttpRequest, token: str) -> HttpResponse:
    follower = follower_of(read_link("preferences", token))
    undone = acts.undo(follower=follower, token=request.POST.get("undo", ""), proof=proof(request, follower, _SOURCE))
    return _back(token, "undone" if undone else "too_late")


def _back(token: str, done: str, undo: str = "", kept: list[str] | None = None) -> HttpResponse:
    """To the page, which then says what happened; reloading it repeats nothing."""
    query: dict[str, Any] = {"done": done}
    if undo:
        query["undo"] = undo
    if kept:
        query["kept"] = kept
    response = redirect("subscriptions:preferences", token)
    response["Location"] += f"?{urlencode(query, doseq=True)}"
    response.status_code = 303  # the browser fetches the page with GET, whatever it sent (RFC 9110)
    return response


@dataclass(frozen=True, slots=True)
class _Note:
    """One reason, for all the cells of a row that share it."""

    id: str
    channels: list[str]
    text: str


def _page(
    request: HttpRequest, token: str, follower: Follower, fields: forms.Fields, *, status: int = 200
) -> HttpResponse:
    rows = matrix(follower, translation.get_language())
    columns = [(cell.channel, CHANNELS[Channel(cell.channel)]) for cell in rows[0].cells] if rows else []
    muted = muted_channels(follower)
    places = {
        address.channel: masked(address.value)
        for address in follower.addresses.filter(primary=True, channel__in=(Channel.EMAIL, Channel.SMS))
    }
    undo_token = request.GET.get("undo", "")
    kept = set(request.GET.getlist("kept"))
    context = {
        "token": token,
        "follower": follower,
        "place": ", ".join(places.values()),
        "columns": columns,
        "rows": [_row(row) for row in rows],
        "switches": [
            {"name": name, "label": label, "on": name not in muted, "place": places.get(name, "")}
            for name, label in columns
        ],
        "fields": fields,
        "reasons": REASONS.items(),
        "done": request.GET.get("done", ""),
        "undo": undo_token if acts.readable_undo(follower, undo_token) else "",
        "kept": [
            f"{row.name} ({CHANNELS[Channel(cell.channel)]})"
            for row in rows
            for cell in row.cells
            if intent.name_of((row.key, cell.channel)) in kept
        ],
    }
    return show(request, "preferences", context, status=status)


def _row(row: Row) -> dict[str, Any]:
    notes = _notes(row)
    note_of = {channel: note.id for note, channels in notes for channel in channels}
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
                "note": note_of.get(cell.channel, ""),
            }
            for cell in row.cells
        ],
        "notes": [note for note, _channels in notes],
    }


def _notes(row: Row) -> list[tuple[_Note, list[str]]]:
    def reason(cell: Cell) -> str:
        return cell.reason.value

    unusual = sorted((cell for cell in row.cells if cell.offered and cell.reason in NOTES), key=reason)
    notes = []
    for number, (_reason, cells) in enumerate(groupby(unusual, key=reason)):
        same = list(cells)
        labels = [str(CHANNELS[Channel(cell.channel)]) for cell in same]
        note = _Note(f"note-{row.key}-{number}", labels, str(NOTES[same[0].reason]))
        notes.append((note, [cell.channel for cell in same]))
    return notes

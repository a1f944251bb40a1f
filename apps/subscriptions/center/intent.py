"""What a person meant with the form: the switches that were moved, compared with how the page
showed them.

Only the difference counts. A page that was open for a week takes back nothing that was said
elsewhere meanwhile, a new type on the site is not switched off by an old page, and the same form
sent twice means the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

from apps.followers.consent.matrix import Key, MatrixRow


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was moved; `kept` are cells the person wanted off that have to stay on."""

    cells: dict[Key, bool]
    mutes: dict[str, bool]
    kept: list[Key]


def read(data: QueryDict, rows: list[MatrixRow]) -> Submitted:
    """Read the fields `cell` and `channel` (what is on) and `cell_was` and `channel_was` (what was
    on when shown).

    A cell is named "type key:channel". Names that mean nothing today are left out.
    """
    offered = {(row.key, cell.channel): cell for row in rows for cell in row.cells if cell.offered}
    cells: dict[Key, bool] = {}
    kept: list[Key] = []
    for name, on in _moved(data.getlist("cell_was"), data.getlist("cell")).items():
        key = _key(name)
        if key not in offered:
            continue
        if offered[key].editable:
            cells[key] = on
        elif not on:
            kept.append(key)
    channels = {channel for _, channel in offered}
    mutes: dict[str, bool] = {}
    for channel, on in _moved(data.getlist("channel_was"), data.getlist("channel")).items():
        if channel in channels:
            mutes[channel] = not on
    return Submitted(cells, mutes, kept)


def name_of(key: Key) -> str:
    return ":".join(key)


def _key(name: str) -> Key:
    kind, _, channel = name.partition(":")
    return kind, channel


def _moved(was: Iterable[str], now: Iterable[str]) -> dict[str, bool]:
    before = set(was)
    after = set(now)
    return {name: name in after for name in sorted(before ^ after)}

"""What a run found, on the terminal and in docs/performance.md."""

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.processes import ROOT

PAGE = ROOT / "docs" / "performance.md"
# What the last full form of each measurement found: one may be run alone,
# and the page still has them all.
KEPT = ROOT / "var" / "bench.json"
BEGIN = "<!-- written by make bench: begin -->"
END = "<!-- written by make bench: end -->"


@dataclass(frozen=True, slots=True)
class Line:
    """One number with its bar; `met` is None where there is no bar."""

    measure: str
    got: str
    bar: str = ""
    met: bool | None = None


@dataclass(slots=True)
class Row:
    """What one measurement found. `notes` are sentences, `table` has its heading first."""

    lines: list[Line]
    notes: list[str] = field(default_factory=list)
    table: list[list[str]] = field(default_factory=list)
    at: str = ""  # when, and of which commit


def at_least(measure: str, got: float, bar: float, *, shown: str = "", unit: str = "×") -> Line:
    return Line(measure, shown or f"{got:.1f}{unit}", f"≥ {bar:g}{unit}", got >= bar)


def at_most(measure: str, got: float, bar: float, *, unit: str, shown: str = "") -> Line:
    return Line(measure, shown or f"{got:.1f}{unit}", f"≤ {bar:g}{unit}", got <= bar)


def told(row: Row) -> str:
    """The row for the terminal."""
    said = {True: "ok", False: "MISSED", None: ""}
    lines = [
        f"  {line.measure:<62} {line.got:<28} {line.bar:<10} {said[line.met]}".rstrip()
        for line in row.lines
    ]
    lines += [f"    {note}" for note in row.notes]
    lines += ["    " + " | ".join(cells) for cells in row.table]
    return "\n".join(lines)


def keep(name: str, row: Row) -> None:
    kept = _kept()
    kept[name] = asdict(row)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    KEPT.write_text(json.dumps(kept, ensure_ascii=False, indent=1))


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if KEPT.exists():
        kept = json.loads(KEPT.read_text())
    return kept


def write_page(order: Sequence[str], machine: Sequence[str]) -> Path:
    """The part of the page between the marks; what people wrote around it stays."""
    kept = _kept()
    rows = {name: _row(kept[name]) for name in order if name in kept}
    parts = ["| measure | found | bar | |", "|---|---|---|---|"]
    said = {True: "met", False: "**missed**", None: ""}
    for row in rows.values():
        parts += [
            f"| {line.measure} | {line.got} | {line.bar} | {said[line.met]} |" for line in row.lines
        ]
    parts += ["", "The machine:", "", *(f"- {fact}" for fact in machine)]
    for name, row in rows.items():
        parts += [
            "",
            f"### {name.replace('_', ' ')}",
            "",
            f"Measured {row.at}.",
            *(f"\n{note}" for note in row.notes),
        ]
        if row.table:
            head, *body = row.table
            parts += ["", _cells(head), _cells(["---"] * len(head)), *map(_cells, body)]
    block = "\n".join([BEGIN, "", *parts, "", END])
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(f"{BEGIN}.*{END}", lambda _: block, page, flags=re.DOTALL), encoding="utf-8"
    )
    return PAGE


def _row(kept: dict[str, Any]) -> Row:
    return Row(**{**kept, "lines": [Line(**line) for line in kept["lines"]]})


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

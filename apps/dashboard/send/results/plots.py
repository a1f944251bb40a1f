"""Plots as SVG: places in units of the drawing, so that a template only writes them down."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from apps.analytics.results.counts import FIRST_DAY, MINUTE, Counts
from apps.analytics.results.sends import DayResults
from apps.dashboard.send.results.steps import Cell, Step, names_of
from apps.notifications.reports.became import Did

WIDTH = 720
HEIGHT = 160
WHATS = ("sent", Did.OPENED.value, Did.CLICKED.value)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a funnel, `width` of 100."""

    step: Step
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """The points of one curve: how many until then, as part of all of it."""

    what: str
    points: str


@dataclass(frozen=True, slots=True)
class Row:
    """An hour of the first day, or a later day; a cell for each of WHATS."""

    begin: dt.datetime
    is_day: bool
    cells: list[Cell]


def funnel(steps: Sequence[Step]) -> list[Bar]:
    highest = max((step.number for step in steps), default=0) or 1
    drawn = []
    for step in steps:
        width = round(step.number * 100 / highest, 2)
        if step.number:
            width = max(width, 0.5)  # a few among thousands still show
        drawn.append(Bar(step, width))
    return drawn


def curves(counts: Counts) -> list[Line]:
    """What had happened by each minute of the first day; each curve ends at its own sum, so that
    few clicks can be seen beside many messages.
    """
    lines = []
    for what in WHATS:
        minutes = counts.minutes.get(what, {})
        total = sum(minutes.values())
        if not total:
            continue
        places = [0, *sorted(minutes)]
        reached = accumulate(minutes.get(place, 0) for place in places[1:])
        heights = [0, *reached]
        points = []
        before = float(HEIGHT)
        for place, height in zip(places, heights, strict=True):
            x = round(place * WIDTH / FIRST_DAY, 1)
            y = round(HEIGHT - height * HEIGHT / total, 1)
            points += [f"{x},{before}", f"{x},{y}"]
            before = y
        points.append(f"{WIDTH},{before}")
        lines.append(Line(what, " ".join(points)))
    return lines


@dataclass(frozen=True, slots=True)
class Column:
    """A day among others: parts from the ground up as (what, y, height)."""

    day: DayResults
    x: float
    width: float
    parts: list[tuple[str, float, float]]


def columns(days: Sequence[DayResults]) -> list[Column]:
    """A day each, opened and clicked in front of what was sent."""
    highest = max((max(day.sent, day.opened) for day in days), default=0) or 1
    room = WIDTH / max(len(days), 1)
    width = round(min(room * 0.7, 40.0), 2)
    drawn = []
    for place, day in enumerate(days):
        parts = []
        for what, number in zip(WHATS, (day.sent, day.opened, day.clicked), strict=True):
            height = round(number * HEIGHT / highest, 2)
            if number:
                height = max(height, 1.5)
            parts.append((what, round(HEIGHT - height, 2), height))
        drawn.append(Column(day, round(place * room + (room - width) / 2, 2), width, parts))
    return drawn


def time_rows(counts: Counts, base: Mapping[str, str]) -> list[Row]:
    """The table beside the curves: hours of the first day, then days; without empty ones."""
    began = dt.datetime.fromisoformat(counts.began)
    rows = []
    for hour in range(FIRST_DAY // 60):
        numbers = [_between(counts.minutes.get(what, {}), hour * 60, 60) for what in WHATS]
        begin = began + hour * 60 * MINUTE
        rows += _row(numbers, begin, 60 * MINUTE, base, is_day=False, first=hour == 0)
    days = sorted({day for what in WHATS for day in counts.days.get(what, {})})
    for day in days:
        numbers = [counts.days.get(what, {}).get(day, 0) for what in WHATS]
        begin = began + day * FIRST_DAY * MINUTE
        rows += _row(numbers, begin, FIRST_DAY * MINUTE, base, is_day=True, first=False)
    return rows


def _between(minutes: Mapping[int, int], begin: int, length: int) -> int:
    return sum(minutes.get(minute, 0) for minute in range(begin, begin + length))


def _row(
    numbers: list[int],
    begin: dt.datetime,
    length: dt.timedelta,
    base: Mapping[str, str],
    *,
    is_day: bool,
    first: bool,
) -> list[Row]:
    if not any(numbers):
        return []
    within = {"end": (begin + length).isoformat()}
    if not first:  # the first one has what was booked before it began, too
        within["begin"] = begin.isoformat()
    asked = ({"status": "sent"}, {"did": Did.OPENED.value}, {"did": Did.CLICKED.value})
    cells = []
    for number, more in zip(numbers, asked, strict=True):
        cells.append(Cell(number, names_of(base, **within, **more)))
    return [Row(begin, is_day, cells)]

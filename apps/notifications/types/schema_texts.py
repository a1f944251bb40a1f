"""What a schema may ask of a text: a pattern it matches, a format it has.

jsonschema-rs calls these classes for the keywords `pattern` and `format`. Patterns run in an engine
that reads a text once, whatever the pattern. Its worst case still grows with the size of the
pattern, so a large pattern is asked about short texts only, and no text after the time is over.
"""

import datetime as dt
import ipaddress
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from django.utils.translation import gettext
from jsonschema_rs import Draft202012Validator, RegexOptions
from jsonschema_rs import ValidationError as Fault

# Bytes of a compiled pattern, and the longest text it is asked about: some seconds at the worst.
_SIZES = ((4_000, 2_500_000), (64_000, 150_000), (10_000_000, 1_000))
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_UUID_HYPHENS = (8, 13, 18, 23)


class BadPattern(ValueError):
    """A pattern that can't be matched here; the text names it."""


class TooSlow(Exception):
    """A check that was given up, because it would take too long."""


@dataclass
class Clock:
    """How long a check may take. `until`: by time.monotonic. `late`: something was left out."""

    until: float
    late: bool = False

    def is_over(self) -> bool:
        """Return whether the time is over, and note it."""
        self.late = self.late or time.monotonic() > self.until
        return self.late


_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


@contextmanager
def timed(seconds: float) -> Iterator[Clock]:
    """Give the checks inside this many seconds, or what is left of those around them. Raises
    TooSlow if nothing is left, and at the end if one was left out.
    """
    clock = Clock(time.monotonic() + seconds)
    around = _clock.get()
    if around:
        clock.until = min(clock.until, around.until)
        if clock.is_over():
            raise TooSlow
    mark = _clock.set(clock)
    try:
        yield clock
    finally:
        _clock.reset(mark)
    if clock.late:
        raise TooSlow


@dataclass(frozen=True)
class Matcher:
    """One pattern. `reach`: characters of the longest text that it is asked about."""

    engine: Draft202012Validator
    reach: int


@lru_cache(maxsize=1024)
def matcher_of(pattern: str) -> Matcher:
    """Return the compiled pattern. Raises BadPattern."""
    for size, reach in _SIZES:
        options = RegexOptions(size_limit=size)
        try:
            engine = Draft202012Validator({"pattern": pattern}, pattern_options=options)
        except Fault:
            continue
        return Matcher(engine, reach)
    said = gettext("{pattern} can't be used as a pattern: it looks around or back, or is too large")
    raise BadPattern(said.format(pattern=repr(pattern)))


class Pattern:
    """The keyword `pattern` of one schema."""

    def __init__(self, schema: Any, wanted: str, path: list[str | int]) -> None:
        self._matcher = matcher_of(wanted)

    def validate(self, value: Any) -> None:
        """Raise ValueError if the text does not match; note it if it can't be asked in time."""
        if not isinstance(value, str):
            return
        clock = _clock.get()
        if clock is not None and (clock.is_over() or len(value) > self._matcher.reach):
            clock.late = True
        elif not self._matcher.engine.is_valid(value):
            raise ValueError


class Format:
    """The keyword `format` of one schema. Formats that are not in FORMATS are for people only."""

    def __init__(self, schema: Any, wanted: str, path: list[str | int]) -> None:
        self._has_it = FORMATS.get(wanted)

    def validate(self, value: Any) -> None:
        """Raise ValueError if the text does not have the format."""
        if self._has_it is not None and isinstance(value, str) and not self._has_it(value):
            raise ValueError


class FormatOfSchema(Format):
    """The keyword `format` of the schema of schemas, which asks one thing more: good patterns."""

    def __init__(self, schema: Any, wanted: str, path: list[str | int]) -> None:
        super().__init__(schema, wanted, path)
        if wanted == "regex":
            self._has_it = _is_regex


_regex = Draft202012Validator({"format": "regex"}, validate_formats=True)


def _is_regex(value: str) -> bool:
    return _regex.is_valid(value)


def _is_date(value: str) -> bool:
    return bool(_DATE.fullmatch(value) and dt.date.fromisoformat(value))


def _is_moment(value: str) -> bool:
    return "T" in value.upper() and dt.datetime.fromisoformat(value).tzinfo is not None


def _has_at(value: str) -> bool:
    return "@" in value


def _is_ipv4(value: str) -> bool:
    return bool(ipaddress.IPv4Address(value))


def _is_ipv6(value: str) -> bool:
    return ipaddress.IPv6Address(value).scope_id is None


def _is_uuid(value: str) -> bool:
    uuid.UUID(value)
    return all(value[place] == "-" for place in _UUID_HYPHENS)


def _is_uri(value: str) -> bool:
    return bool(urlsplit(value).scheme) and not set(value) & set(' <>"{}|\\^`')


# Each says no, or raises ValueError.
FORMATS: dict[str, Callable[[str], bool]] = {
    "date": _is_date,
    "date-time": _is_moment,
    "email": _has_at,
    "idn-email": _has_at,
    "ipv4": _is_ipv4,
    "ipv6": _is_ipv6,
    "uri": _is_uri,
    "uuid": _is_uuid,
}

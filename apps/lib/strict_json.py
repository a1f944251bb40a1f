"""JSON from outside: not too deep, each key once, and only numbers and characters that every
database can keep.
"""

import json
import re
from typing import Any

from django.utils.translation import gettext

MOST_LEVELS = (
    100  # Python gives up at some 900, and at fewer when it is shown by a page than when it came in
)
_NUL = re.compile(
    r"(?<!\\)(?:\\\\)*\\u0000"
)  # escaped, as json.dumps writes it; not a backslash before u0000


# Python 3.11 gives up here; newer ones read on, and find what else is wrong.
_GIVEN_UP = 900  # levels
_NESTING = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[{\]}]')


class BadJson(ValueError):
    """What is wrong with it, as the rest of a sentence: "is nested too deeply"."""


def read(text: str) -> Any:
    """What the text says. Raises BadJson."""
    try:
        data = json.loads(text, parse_constant=_refuse, object_pairs_hook=_each_once)
    except RecursionError as error:
        raise BadJson(gettext("is nested too deeply")) from error
    except BadJson:
        raise
    except ValueError as error:  # also a number of more than 4,300 digits
        if _opens_deep(text):
            raise BadJson(gettext("is nested too deeply")) from error
        raise BadJson(gettext("is not JSON: {fault}").format(fault=error)) from error
    check(data)
    return data


def check(data: Any) -> None:
    """Raises BadJson for what `json.loads` takes and PostgreSQL does not."""
    try:
        text = json.dumps(data, ensure_ascii=False, allow_nan=False)
        text.encode()
    except RecursionError as error:
        raise BadJson(gettext("is nested too deeply")) from error
    except UnicodeEncodeError as error:
        said = gettext("has half of a surrogate pair ({first} to {last}); send it whole")
        raise BadJson(said.format(first=r"\ud800", last=r"\udfff")) from error
    except ValueError as error:  # 1e999 is JSON, and infinite to Python
        raise BadJson(gettext("has NaN, Infinity or a number that is too large")) from error
    if _NUL.search(text):
        said = gettext("has a NUL character ({code}), which can't be stored")
        raise BadJson(said.format(code=r"\u0000"))
    # who has few brackets has no depth: most calls are not walked through
    if text.count("[") + text.count("{") > MOST_LEVELS and _is_deep(data, MOST_LEVELS):
        raise BadJson(gettext("is nested too deeply"))


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    said = dict(pairs)
    if len(said) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        fault = gettext("says {name} twice in one object; each name once")
        raise BadJson(fault.format(name=repr(twice)))
    return said


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _is_deep(data: Any, left: int) -> bool:
    if isinstance(data, dict):
        data = data.values()
    elif not isinstance(data, list):
        return left < 0
    return left < 0 or any(_is_deep(each, left - 1) for each in data)


def _opens_deep(text: str) -> bool:
    """Return whether a text that is no JSON has more levels than each Python reads."""
    level = 0
    for part in _NESTING.finditer(text):
        mark = part[0]
        if mark in ("[", "{"):
            level += 1
            if level > _GIVEN_UP:
                return True
        elif mark in ("]", "}"):
            level -= 1
    return False

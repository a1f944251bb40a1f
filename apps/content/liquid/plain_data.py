"""Plain data: all that Liquid may see of a value."""

import datetime as dt
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext as _

MAX_DEPTH = 12


class Unrenderable(Exception):
    """A value that templates may not see, or a result that is too big."""


def plain(value: object, depth: int = 0) -> Any:
    """Copy a value into dict, list, str, int, float, bool and None only.

    Dates become ISO 8601 text; decimals, UUIDs and lazy translations become text; subclasses of
    str (safe strings!) lose their class. Raises Unrenderable for everything else: models,
    functions, files.
    """
    if depth > MAX_DEPTH:
        said = _("the data is nested more than {count} levels deep")
        raise Unrenderable(said.format(count=MAX_DEPTH))
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return value + 0
    if isinstance(value, Decimal | UUID | Promise):
        return str(value)
    said = _("{kind} is not plain data (text, number, yes/no, list or object)")
    raise Unrenderable(said.format(kind=type(value).__name__))

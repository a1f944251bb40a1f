"""What may stand in a follower's fields:
pure functions that tidy a value or refuse it with a clear sentence.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.lib.refusals import TOO_MUCH, Refused
from apps.lib.wallclock import zone

METADATA_MAX_BYTES = 16 * 1024
METADATA_MAX_DEPTH = 8
METADATA_MAX_KEYS = 200
TAG_MAX_CHARS = 80
MOST_TAGS = 100  # in one call, form or cell
_TEXT_MAX_CHARS = 200
# language, script, region and variants of BCP 47 (RFC 5646, section 2.1),
# without extensions and private use
_LANGUAGE = re.compile(
    r"[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-([a-z\d]{5,8}|\d[a-z\d]{3}))*", re.IGNORECASE
)
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_NAME = _("The name")
_FIRST_NAME = _("The first name")
_LAST_NAME = _("The last name")
_EXTERNAL_ID = _("The external id")
_TAG = _("The tag")
_as_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_UNFIT = {"Cc", "Cs"}  # control characters, and halves of characters
_FEW = 20
_SHORT = 100
_FLAT = (str, int, float, type(None))  # what holds nothing further
# invisible at the ends of a pasted cell: zero-width space and the byte order mark
_INVISIBLE = "\u200b\ufeff"


class BadFollower(Refused):
    """A value that a follower can't have. `field` names it."""


def name(value: str) -> str:
    """One line; every kind of space (no-break spaces and line breaks,
    too) becomes one plain space.
    """
    return _line("name", _NAME, value)


def first_name(value: str) -> str:
    return _line("first_name", _FIRST_NAME, value)


def last_name(value: str) -> str:
    return _line("last_name", _LAST_NAME, value)


def whole_name(first: str, last: str) -> str:
    """Put a name together from its parts, cut where both are very long."""
    return " ".join(part for part in (first, last) if part)[:_TEXT_MAX_CHARS].strip()


def external_id(value: str | None) -> str | None:
    """The id the caller's own system knows the person by; empty means none."""
    return _line("external_id", _EXTERNAL_ID, value or "") or None


def language(value: str) -> str:
    """A BCP 47 tag in its usual case, such as pt-BR or zh-Hant-TW; pt_br is understood.
    "" stays "".
    """
    tag = value.strip().replace("_", "-")
    if not tag:
        return ""
    if len(tag) > 35 or not _LANGUAGE.fullmatch(tag):
        said = gettext("{tag!r} is not a language tag. Use one such as en, ru or pt-BR.")
        raise BadFollower(said.format(tag=value[:40]), field="language")
    head, *rest = tag.lower().split("-")
    parts = [head]
    for part in rest:
        if len(part) == 2:
            parts.append(part.upper())  # a region
        elif len(part) == 4:
            parts.append(part.title())  # a script
        else:
            parts.append(part)
    return "-".join(parts)


def time_zone(value: str) -> str:
    """An IANA zone name; "" stays "" and means the site's zone. Raises UnknownZone."""
    value = value.strip()
    if value:
        return zone(value).key
    return ""


def metadata(value: Any) -> dict[str, Any]:
    """A JSON object of at most 16 kB and METADATA_MAX_DEPTH levels:
    templates must be able to read it.
    """
    if _is_plain(value):
        return dict(value)
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadFollower(
            gettext('Metadata must be a JSON object, such as {"plan": "pro"}.'), field="metadata"
        )
    try:
        text = _as_json(value)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise BadFollower(
            gettext("Metadata must hold only text, numbers, true, false, null, lists and objects."),
            field="metadata",
        ) from error
    if size > METADATA_MAX_BYTES:
        said = gettext("Metadata may have 16,384 bytes as JSON; this has {size:,}.")
        raise BadFollower(said.format(size=size), field="metadata", cause=TOO_MUCH)
    if len(value) > METADATA_MAX_KEYS:
        said = gettext("Metadata may have {most} keys; this has {count:,}.")
        text = said.format(most=METADATA_MAX_KEYS, count=len(value))
        raise BadFollower(text, field="metadata", cause=TOO_MUCH)
    if _is_deeper(value, METADATA_MAX_DEPTH):
        said = gettext("Metadata may be nested {most} levels deep. Make it flatter.")
        text = said.format(most=METADATA_MAX_DEPTH)
        raise BadFollower(text, field="metadata", cause=TOO_MUCH)
    if _ESCAPED_NUL.search(text):
        raise BadFollower(
            gettext("Metadata contains a NUL character, which the database can't keep. Remove it."),
            field="metadata",
        )
    return dict(value)


def _is_plain(value: Any) -> bool:
    """Tell what needs no closer look: few short texts, of at most 16 kB in the longest letters."""
    if type(value) is not dict or len(value) > _FEW:
        return False
    for key, each in value.items():
        if type(key) is not str or type(each) is not str:
            return False
        if len(key) > _SHORT or len(each) > _SHORT:
            return False
        if not (key.isprintable() and each.isprintable()):
            return False
    return True


def _is_deeper(value: Any, levels: int) -> bool:
    """Tell whether there are more levels than these; further down nobody looks."""
    if isinstance(value, _FLAT):
        return False
    if isinstance(value, Mapping):
        inner = list(value.values())
    elif isinstance(value, list | tuple):
        inner = list(value)
    else:
        return False
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def tag_names(values: Iterable[str]) -> list[str]:
    """Tidy, without empty ones, and each once in any case; the first spelling wins.

    MOST_TAGS at most.
    """
    names: dict[str, str] = {}
    for value in values:
        if len(names) > MOST_TAGS:
            break
        text = _line("tags", _TAG, value)
        if len(text) > TAG_MAX_CHARS:
            said = gettext("The tag {tag!r}… has {count} characters; {most} are allowed.")
            words = {"tag": text[:30], "count": len(text), "most": TAG_MAX_CHARS}
            raise BadFollower(said.format(**words), field="tags", cause=TOO_MUCH)
        if text:
            names.setdefault(text.casefold(), text)
    if len(names) > MOST_TAGS:
        said = gettext("These are more than {most} tags. Put some of them into metadata.")
        raise BadFollower(said.format(most=MOST_TAGS), field="tags", cause=TOO_MUCH)
    return list(names.values())


def _line(field: str, label: Promise, value: str) -> str:
    pieces = unicodedata.normalize("NFC", value).split()
    text = " ".join(pieces).strip(f"{_INVISIBLE} ")
    if not text.isprintable() and any(unicodedata.category(each) in _UNFIT for each in text):
        said = gettext("{label} contains a control character. Remove it.")
        raise BadFollower(said.format(label=label), field=field)
    if len(text) > _TEXT_MAX_CHARS:
        said = gettext("{label} has {count} characters; {most} are allowed.")
        words = {"label": label, "count": len(text), "most": _TEXT_MAX_CHARS}
        raise BadFollower(said.format(**words), field=field, cause=TOO_MUCH)
    return text

"""Bring a value into the form that its field keeps, or refuse it with a sentence.

Text, a number, true or false, a date as text (2026-05-31), a value of a list, a list of them. What
means the same is understood: "yes", "3,5", a label in any language.
"""

import datetime as dt
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.conf import settings
from django.utils.translation import get_language, gettext

from apps.followers.models import CustomField, FieldKind
from apps.followers.profile_fields import BadFollower
from apps.lib.refusals import NOT_FOUND, UNFIT

LONGEST = 2000  # characters of a text
_LARGEST = 10**15  # what every program reads as the same number
_NO_BLANKS = str.maketrans("", "", " \u00a0\u202f'’")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+\.\d+|[+-]?\d{1,3}(?:\.\d{3})+,\d+")
_IN_DOUBT = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,234 may be a thousand and more
_YES = frozenset(["yes", "y", "true", "on", "1", "да", "ja", "oui", "sí", "si", "так", "tak"])
_NO = frozenset(["no", "n", "false", "off", "0", "нет", "nein", "non", "ні", "nie"])
_DAY = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})")
_MIDNIGHT = re.compile(r"[T ]00:00(:00(\.0+)?)?(Z|[+-]00:?00)?$")


class UnfitMetadata(BadFollower):
    """A value that its field can't hold; `field` is "metadata", and `told` names the key."""

    field = "metadata"
    cause = UNFIT

    def __init__(self, told: Sequence[tuple[str, str]]) -> None:
        super().__init__(" ".join(said for _, said in told))
        self.told = told

    @property
    def faults(self) -> list[tuple[str, str]]:
        return [(f"metadata.{key}", said) for key, said in self.told]


class KnownFields:
    """The fields of the site, read when they are first asked for."""

    @cached_property
    def by_key(self) -> Mapping[str, CustomField]:
        return {field.key: field for field in CustomField.objects.all()}

    @cached_property
    def _any_case(self) -> Mapping[str, str]:
        return {key.casefold(): key for key in self.by_key}

    def key_of(self, key: str) -> str:
        """Give the key as it is defined, however it is written; as it is where none is."""
        return self._any_case.get(key.casefold(), key)


def known_keys() -> list[str]:
    """List the keys of all custom fields."""
    return list(KnownFields().by_key)


def fitted(
    said: Mapping[str, Any], *, before: Mapping[str, Any], fields: KnownFields
) -> dict[str, Any]:
    """Give metadata that is said of a follower as it may be stored; None takes a key away.

    What a field has already is not judged again. Raises UnfitMetadata with all that does not fit.
    """
    new = {key: value for key, value in said.items() if key not in before or before[key] != value}
    if not new:
        return dict(said)
    known = fields.by_key
    only_known = settings.CUSTOM_FIELDS_ONLY
    told = []
    fit = dict(said)
    for key, value in new.items():
        field = known.get(key)
        try:
            if field:
                fit[key] = value_for(field, value)
            elif only_known and value is not None:
                raise _unknown(key, fields)
        except BadFollower as error:
            told.append((key, error.sentence))
    if told:
        raise UnfitMetadata(told)
    return fit


def _unknown(key: str, fields: KnownFields) -> BadFollower:
    spelled = fields.key_of(key)
    if spelled != key:
        said = gettext("There is no custom field “{key}”. Did you mean {other}?")
        return BadFollower(said.format(key=key, other=spelled), cause=NOT_FOUND)
    said = gettext("There is no custom field “{key}”, and this site keeps nothing else.")
    return BadFollower(said.format(key=key), cause=NOT_FOUND)


def value_for(field: CustomField, value: Any) -> Any:
    """Give the value in the form that the field keeps; None for "" and an empty list.

    Raises BadFollower with what to write instead.
    """
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "" or value == []:
        return None
    return _FIT[FieldKind(field.kind)](field, value)


def _refuse(field: CustomField, wanted: str) -> BadFollower:
    label = field.label(get_language() or settings.LANGUAGE_CODE)
    said = gettext("{field}: {wanted}").format(field=label, wanted=wanted)
    return BadFollower(said, field=f"metadata.{field.key}", cause=UNFIT)


def _text(field: CustomField, value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise _refuse(field, gettext("write a text."))
    if len(value) > LONGEST:
        said = gettext("write at most {count} characters.")
        raise _refuse(field, said.format(count=LONGEST))
    if any(_unwritten(char) for char in value):
        raise _refuse(field, gettext("remove the control character."))
    return value


def _unwritten(char: str) -> bool:
    """Whether a character is none that people write, and that a database may refuse; the line
    breaks and tabs of a longer text are written.
    """
    return unicodedata.category(char) in {"Cc", "Cs"} and not char.isspace()


def _number(field: CustomField, value: Any) -> int | float:
    number: int | float | None = None
    if isinstance(value, str):
        number = _read_number(field, value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = value
    # asked of floats only: a whole number of hundreds of digits fits none
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        raise _refuse(field, gettext("write a number, such as 12.5."))
    if abs(number) >= _LARGEST:
        raise _refuse(field, gettext("write a number of at most 15 digits."))
    if number == int(number):
        return int(number)
    return number


def _read_number(field: CustomField, text: str) -> float | None:
    text = text.translate(_NO_BLANKS)
    if _IN_DOUBT.fullmatch(text):
        said = gettext("{text} can be read as two numbers. Write {one} or {other}.")
        one = text.replace(",", "")
        raise _refuse(field, said.format(text=text, one=one, other=text.replace(",", ".")))
    if _GROUPED.fullmatch(text):
        mark = max(text.rfind(","), text.rfind("."))
        text = re.sub("[.,]", "", text[:mark]) + "." + text[mark + 1 :]
    elif not _NUMBER.fullmatch(text):
        return None
    return float(text.replace(",", "."))


def _boolean(field: CustomField, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).casefold()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise _refuse(field, gettext("write yes or no."))


def _date(field: CustomField, value: Any) -> str:
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str):
        try:
            return _read_day(field, _MIDNIGHT.sub("", value)).isoformat()
        except BadFollower:
            raise
        except ValueError:
            pass  # said below
    raise _refuse(field, gettext("write a date such as 2026-05-31."))


def _read_day(field: CustomField, text: str) -> dt.date:
    """Read a day: with dots it comes first, with other signs where the month can't be it."""
    parts = _DAY.fullmatch(text)
    if parts is None:
        if len(text) != 10:  # 20260531 may be a number
            raise ValueError(text)
        return dt.date.fromisoformat(text)
    first = int(parts[1])
    second = int(parts[3])
    if parts[2] != "." and first != second and first <= 12:
        if second <= 12:
            said = gettext("day and month of {text} can't be told apart. Write it as 2026-05-31.")
            raise _refuse(field, said.format(text=text))
        first, second = second, first
    return dt.date(int(parts[4]), second, first)


def _choice(field: CustomField, value: Any) -> str:
    if isinstance(value, bool | list | dict):
        raise _not_of_the_list(field)
    word = str(value).casefold()
    for option in field.options:
        names = [option["value"], *option["labels"].values()]
        if word in (name.casefold() for name in names):
            found: str = option["value"]
            return found
    raise _not_of_the_list(field)


def _not_of_the_list(field: CustomField) -> BadFollower:
    values = field.values
    known = ", ".join(values[:20])
    if len(values) > 20:
        known = f"{known}, …"
    return _refuse(field, gettext("choose one of: {values}.").format(values=known))


def _choices(field: CustomField, value: Any) -> list[str] | None:
    parts = value
    if not isinstance(value, list):
        parts = [value]
        if isinstance(value, str) and ("," in value or ";" in value):
            parts = _parts(field, value)
    chosen = {_choice(field, part) for part in parts if part not in ("", None)}
    return [each for each in field.values if each in chosen] or None


def _parts(field: CustomField, text: str) -> list[str]:
    """Split a text at its commas or semicolons, unless the whole is one of the list."""
    try:
        return [_choice(field, text)]
    except BadFollower:
        return [part.strip() for part in re.split("[;,]", text)]


_FIT: Mapping[FieldKind, Callable[[CustomField, Any], Any]] = {
    FieldKind.TEXT: _text,
    FieldKind.NUMBER: _number,
    FieldKind.BOOLEAN: _boolean,
    FieldKind.DATE: _date,
    FieldKind.CHOICE: _choice,
    FieldKind.CHOICES: _choices,
}

"""Which fault of some data is the most telling one, and how it is said.

The library finds all faults, with their places. Its own sentences are not shown: they quote values
as JSON and say less in places. These read as those of the Python library `jsonschema`, whose choice
of the best fault is used too.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.utils.translation import gettext, gettext_lazy, ngettext
from jsonschema_rs import ValidationError as Fault
from jsonschema_rs import Validator

from apps.notifications.types.schema_effort import (
    ITEM_LISTS,
    REFERENCES,
    SAME_LISTS,
    SAME_MAPS,
    VALUE_MAPS,
    Schema,
    target_of,
)

_LISTS = (*SAME_LISTS, *ITEM_LISTS)
_MAPS = (*SAME_MAPS, *VALUE_MAPS, "$defs")
_ALTERNATIVES = ("anyOf", "oneOf")
# The value that `false` refuses here is not the one that is shown.
_OF_THE_WHOLE = ("additionalProperties", "items", "propertyNames")
_ASKED_WITH: dict[str | int, str] = {
    "then": "if",
    "else": "if",
    "minContains": "contains",
    "maxContains": "contains",
}

Path = tuple[str | int, ...]
# Asks the part of the schema that a pointer such as "#/properties/a" names.
Asker = Callable[[str], Validator | None]


@dataclass(frozen=True)
class Told:
    """A fault as it is shown. `path`: keys and indices of the value it is about."""

    path: Path
    sentence: str


class _Found(NamedTuple):
    """A fault, looked up. `wanted`: what the keyword of `schema` asks of the value."""

    path: Path
    keyword: str
    wanted: Any
    schema: Schema
    value: Any
    pointer: str
    kind: Any


def telling(
    faults: Sequence[Fault], schema: Schema, data: Any, ask: Asker, documents: Mapping[str, Schema]
) -> Told:
    """Return the most telling of the faults, of which there is at least one.

    `documents`: the schemas by address whose parts the faults may be about, beside `schema`.
    """
    looker = _Looker(schema, data, documents)
    best = max(looker.all_found(faults), key=_relevance)
    while inner := looker.all_found(_context(best)):
        inner.sort(key=_relevance)
        if len(inner) > 1 and _relevance(inner[0]) == _relevance(inner[1]):
            break
        best = inner[0]
    return Told(best.path, _sentence(best, ask))


def _context(found: _Found) -> Iterator[Fault]:
    """Yield the faults of all alternatives, if none of them fits."""
    if found.kind.name in _ALTERNATIVES and _fits_none(found):
        for alternative in found.kind.context:
            yield from alternative


def _fits_none(found: _Found) -> bool:
    return all(alternative for alternative in found.kind.context)


def _relevance(found: _Found) -> tuple[int, Path, bool, bool]:
    """Return what is compared: higher up is more telling, and alternatives are less so."""
    is_alternative = found.keyword in _ALTERNATIVES
    return (-len(found.path), found.path, not is_alternative, not _fits_type(found))


def _fits_type(found: _Found) -> bool:
    wanted = found.schema.get("type", ())
    if isinstance(wanted, str):
        wanted = (wanted,)
    return any(_TYPES[name](found.value) for name in wanted)


def _is_integer(value: object) -> bool:
    is_whole = isinstance(value, float) and value.is_integer()
    return is_whole or (isinstance(value, int) and not isinstance(value, bool))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[object], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}


class _Looker:
    """Looks up where faults are, in the schemas and in the data."""

    def __init__(self, schema: Schema, data: Any, documents: Mapping[str, Schema]) -> None:
        self._schema = schema
        self._data = data
        self._documents = documents

    def all_found(self, faults: Iterable[Fault]) -> list[_Found]:
        """Return all in the order of the schema, which settles what is equally telling."""
        return [self.found(fault) for fault in sorted(faults, key=self._order)]

    def _order(self, fault: Fault) -> list[int]:
        order: list[int] = []
        part: Any = self._schema
        for step in fault.evaluation_path:
            if not isinstance(part, Mapping):
                order.append(int(step))
                part = part[step]
                continue
            if step not in part:
                break
            keyword = _ASKED_WITH.get(step, str(step))
            order.append(list(part).index(keyword))
            part = part[step]
            if step in REFERENCES:
                part = target_of(self._schema, part)
        return order

    def found(self, fault: Fault) -> _Found:
        """Return the fault with the part of the schema and the value that it is about."""
        path: Path = tuple(fault.instance_path)
        kind: Any = fault.kind
        place = tuple(fault.schema_path)
        if kind.name == "propertyNames":
            return self.found(kind.error)._replace(path=path)
        keyword = _keyword(place)
        if keyword == "items" and kind.name == "falseSchema":
            path = path[:-1]  # said of the list, which is too long, and not of each item
        value = fault.instance
        if keyword in _OF_THE_WHOLE or not isinstance(value, str):
            value = self._value(path)  # as it came in; but a text may be a name, which has no path
        if not keyword:
            return _Found(path, "", False, {}, value, _pointer(place), kind)
        schema = self._part(fault, place[:-1])
        return _Found(path, keyword, schema[keyword], schema, value, _pointer(place), kind)

    def _part(self, fault: Fault, place: Path) -> Any:
        document, _, fragment = (fault.absolute_keyword_location or "").partition("#")
        if document in self._documents:
            return target_of(self._documents[document], fragment.rpartition("/")[0])
        return target_of(self._schema, _pointer(place))

    def _value(self, path: Path) -> Any:
        value = self._data
        for step in path:
            value = value[step]
        return value


def _pointer(place: Path) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "#" + "".join(f"/{step}" for step in steps)


def _keyword(place: Path) -> str:
    """Return the keyword that the place ends with, '' where it ends with a part of the schema.

    properties.items ends with a part that is called items, and items.items with the keyword.
    """
    is_name = False
    for step in place[:-1]:
        is_name = not is_name and step in (*_MAPS, *_LISTS)
    if is_name or not place:
        return ""
    return str(place[-1])


def _sentence(found: _Found, ask: Asker) -> str:
    """Say what is wrong with the value."""
    if found.keyword in _COUNTED:
        return _counted(found)
    if found.keyword in _SIMPLE:
        return _SIMPLE[found.keyword].format(value=found.value, wanted=found.wanted)
    special = _SPECIAL.get(found.keyword)
    if special is not None:
        return special(found, ask)
    return _not_allowed(found.value)


def _not_allowed(value: Any) -> str:
    return gettext("False schema does not allow {value!r}").format(value=value)


_SIMPLE = {
    "anyOf": gettext_lazy("{value!r} is not valid under any of the given schemas"),
    "const": gettext_lazy("{wanted!r} was expected"),
    "enum": gettext_lazy("{value!r} is not one of {wanted!r}"),
    "exclusiveMaximum": gettext_lazy(
        "{value!r} is greater than or equal to the maximum of {wanted!r}"
    ),
    "exclusiveMinimum": gettext_lazy(
        "{value!r} is less than or equal to the minimum of {wanted!r}"
    ),
    "format": gettext_lazy("{value!r} is not a {wanted!r}"),
    "maxContains": gettext_lazy(
        "Too many items match the given schema (expected at most {wanted})"
    ),
    "maximum": gettext_lazy("{value!r} is greater than the maximum of {wanted!r}"),
    "minimum": gettext_lazy("{value!r} is less than the minimum of {wanted!r}"),
    "multipleOf": gettext_lazy("{value!r} is not a multiple of {wanted}"),
    "not": gettext_lazy("{value!r} should not be valid under {wanted!r}"),
    "pattern": gettext_lazy("{value!r} does not match {wanted!r}"),
    "uniqueItems": gettext_lazy("{value!r} has non-unique elements"),
}

_EMPTY = gettext_lazy("{value!r} is expected to be empty")
_FILLED = gettext_lazy("{value!r} should be non-empty")
_LONG = gettext_lazy("{value!r} is too long")
_SHORT = gettext_lazy("{value!r} is too short")
# Keyword: the count that has words of its own, those words, and the words for all other counts.
_COUNTED = {
    "maxItems": (0, _EMPTY, _LONG),
    "maxLength": (0, _EMPTY, _LONG),
    "maxProperties": (0, _EMPTY, gettext_lazy("{value!r} has too many properties")),
    "minItems": (1, _FILLED, _SHORT),
    "minLength": (1, _FILLED, _SHORT),
    "minProperties": (1, _FILLED, gettext_lazy("{value!r} does not have enough properties")),
}


def _counted(found: _Found) -> str:
    special, said, usual = _COUNTED[found.keyword]
    if found.wanted != special:
        said = usual
    return said.format(value=found.value)


def _type(found: _Found, ask: Asker) -> str:
    wanted = found.wanted
    if isinstance(wanted, str):
        wanted = (wanted,)
    said = gettext("{value!r} is not of type {types}")
    return said.format(value=found.value, types=_listed(wanted))


def _required(found: _Found, ask: Asker) -> str:
    return gettext("{name!r} is a required property").format(name=found.kind.property)


def _dependent(found: _Found, ask: Asker) -> str:
    missing = found.kind.property
    asking = (name for name, names in found.wanted.items() if missing in names)
    present = [name for name in asking if name in found.value]
    said = gettext("{missing!r} is a dependency of {present!r}")
    return said.format(missing=missing, present=present[0])


def _additional(found: _Found, ask: Asker) -> str:
    extra = sorted(set(found.value) - set(found.schema.get("properties", ())))
    said = ngettext(
        "Additional properties are not allowed ({names} was unexpected)",
        "Additional properties are not allowed ({names} were unexpected)",
        len(extra),
    )
    return said.format(names=_listed(extra))


def _items(found: _Found, ask: Asker) -> str:
    most = len(found.schema.get("prefixItems", ()))
    extra = found.value[most:]
    named = extra
    if len(extra) == 1:
        named = extra[0]
    said = ngettext(
        "Expected at most {most} item but found {count} extra: {extra!r}",
        "Expected at most {most} items but found {count} extra: {extra!r}",
        most,
    )
    return said.format(most=most, count=len(extra), extra=named)


def _contains(found: _Found, ask: Asker) -> str:
    said = gettext("{value!r} does not contain items matching the given schema")
    return said.format(value=found.value)


def _property_names(found: _Found, ask: Asker) -> str:
    first = next(iter(found.value))
    return _not_allowed(first)


def _min_contains(found: _Found, ask: Asker) -> str:
    pointer = found.pointer.removesuffix("minContains") + "contains"
    matching = sum(_fits(ask(pointer), each) for each in found.value)
    if not matching:
        return _contains(found, ask)
    said = gettext(
        "Too few items match the given schema"
        " (expected at least {wanted} but only {matching} matched)"
    )
    return said.format(wanted=found.wanted, matching=matching)


def _one_of(found: _Found, ask: Asker) -> str:
    if _fits_none(found):
        return _SIMPLE["anyOf"].format(value=found.value)
    fitting = []
    for index, each in enumerate(found.wanted):
        if _fits(ask(f"{found.pointer}/{index}"), found.value):
            fitting.append(each)
    # The first one comes last, as it does in the library whose words these are.
    said = gettext("{value!r} is valid under each of {schemas}")
    return said.format(value=found.value, schemas=_listed([*fitting[1:], *fitting[:1]]))


def _unevaluated_items(found: _Found, ask: Asker) -> str:
    extra = [json.loads(each) for each in found.kind.unexpected]
    said = ngettext(
        "Unevaluated items are not allowed ({items} was unexpected)",
        "Unevaluated items are not allowed ({items} were unexpected)",
        len(extra),
    )
    return said.format(items=_listed(extra))


def _unevaluated_properties(found: _Found, ask: Asker) -> str:
    extra = found.kind.unexpected
    if found.wanted is False:
        extra = sorted(extra)
        said = ngettext(
            "Unevaluated properties are not allowed ({names} was unexpected)",
            "Unevaluated properties are not allowed ({names} were unexpected)",
            len(extra),
        )
        return said.format(names=_listed(extra))
    said = ngettext(
        "Unevaluated properties are not valid under the given schema"
        " ({names} was unevaluated and invalid)",
        "Unevaluated properties are not valid under the given schema"
        " ({names} were unevaluated and invalid)",
        len(extra),
    )
    return said.format(names=_listed(extra))


_SPECIAL: dict[str, Callable[[_Found, Asker], str]] = {
    "additionalProperties": _additional,
    "contains": _contains,
    "dependentRequired": _dependent,
    "items": _items,
    "minContains": _min_contains,
    "oneOf": _one_of,
    "propertyNames": _property_names,
    "required": _required,
    "type": _type,
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_properties,
}


def _fits(validator: Validator | None, value: Any) -> bool:
    return validator is not None and validator.is_valid(value)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(repr(each) for each in values)

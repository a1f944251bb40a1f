"""How much work a check of data by a schema would be, known before it is begun.

The library can't be stopped once it runs. A few lines of schema can ask for years of work: parts
that refer to each other twice, 60 levels deep. So a check is made only if the steps it takes at the
most are few enough: at first by a product that is always too large, and then by counting.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from apps.notifications.types.schema_texts import Clock, TooSlow

MOST_STEPS = 20_000_000  # one is a part of a schema asked about one value
# The library calls Python for these two keywords.
_STEPS_OF_TEXT = 12
_TEXT = ("pattern", "format")

# Where the parts of a schema stand, and which values they are asked about.
SAME_LISTS = ("allOf", "anyOf", "oneOf")
SAME_PARTS = ("not", "if", "then", "else")
SAME_MAPS = ("dependentSchemas",)
REFERENCES = ("$ref", "$dynamicRef")
ITEM_PARTS = ("items", "contains", "unevaluatedItems")
ITEM_LISTS = ("prefixItems",)
VALUE_PARTS = ("additionalProperties", "unevaluatedProperties")
VALUE_MAPS = ("properties",)
NAME_PARTS = ("propertyNames",)
# To know what nothing has looked at, the library asks the parts about the same value once more,
# at each level: three times as much a level, measured.
_UNEVALUATED = ("unevaluatedItems", "unevaluatedProperties")
_AGAIN = 3

Schema = Mapping[str, Any]


class Nowhere(LookupError):
    """A reference that leads to nothing in the schema."""


def target_of(root: Schema, reference: str) -> Any:
    """Return the part that "#", "#/a/pointer" or "#anchor" names. Raises Nowhere."""
    name = unquote(reference.removeprefix("#"))
    if name and not name.startswith("/"):
        return _anchored(root, name)
    found: Any = root
    for step in name.split("/")[1:]:
        found = _inside(found, step.replace("~1", "/").replace("~0", "~"))
    return found


def _inside(part: Any, step: str) -> Any:
    if isinstance(part, Mapping) and step in part:
        return part[step]
    if isinstance(part, list) and step.isdecimal() and int(step) < len(part):
        return part[int(step)]
    raise Nowhere(step)


def _anchored(part: Any, name: str) -> Any:
    for each in mappings(part):
        if name in (each.get("$anchor"), each.get("$dynamicAnchor")):
            return each
    raise Nowhere(name)


def mappings(part: Any) -> Iterator[Schema]:
    """Yield each JSON object in the part, itself first."""
    inner: Any = ()
    if isinstance(part, Mapping):
        yield part
        inner = part.values()
    elif isinstance(part, list):
        inner = part
    for each in inner:
        yield from mappings(each)


class Weight:
    """How many steps a schema takes for one value at the most: no end if it refers to itself."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._known: dict[int, float] = {}
        # The parts, by id, that ask nothing about what stands inside a value: always the same.
        self.flat: dict[int, int] = {}

    def of(self, part: Any) -> float:
        """Return the steps of one part and all that stand in it or that it refers to."""
        if not isinstance(part, Mapping):
            return 1
        known = self._known.get(id(part))
        if known is None:
            self._known[id(part)] = math.inf  # for whoever comes back here
            known = self._known[id(part)] = self._counted(part)
        return known

    def _counted(self, part: Schema) -> float:
        same = same_value(part, self._root)
        inner = _inner_values(part)
        steps = _own_steps(part) + _times(part) * sum(self.of(each) for each in same)
        if not inner and all(isinstance(each, bool) or id(each) in self.flat for each in same):
            self.flat[id(part)] = int(steps)
        return steps + sum(self.of(each) for each in inner)


def same_value(part: Schema, root: Schema) -> list[Any]:
    """Return the parts that are asked about the same value as this one."""
    found = [target_of(root, part[name]) for name in REFERENCES if name in part]
    found += [part[name] for name in SAME_PARTS if name in part]
    for name in SAME_LISTS:
        found += part.get(name, ())
    for name in SAME_MAPS:
        found += part.get(name, {}).values()
    return found


def _inner_values(part: Schema) -> list[Any]:
    """Return the parts that are asked about what stands inside the value, or about its names."""
    found = [part[name] for name in (*ITEM_PARTS, *VALUE_PARTS, *NAME_PARTS) if name in part]
    for name in ITEM_LISTS:
        found += part.get(name, ())
    for name in VALUE_MAPS:
        found += part.get(name, {}).values()
    return found


def _own_steps(part: Schema) -> int:
    return 1 + _STEPS_OF_TEXT * sum(name in part for name in _TEXT)


def _times(part: Schema) -> int:
    if any(name in part for name in _UNEVALUATED):
        return _AGAIN
    return 1


class Count:
    """Counts the steps of one check, each pair of part and value once, however often it comes."""

    def __init__(self, root: Schema, weight: Weight, clock: Clock) -> None:
        self._root = root
        self._flat = weight.flat
        self._clock = clock
        self._known: dict[tuple[int, int], int] = {}

    def of(self, part: Any, value: Any) -> int:
        """Return how many steps it takes to ask this part about this value.

        Raises TooSlow, and RecursionError for what refers to itself without end.
        """
        if not isinstance(part, Mapping):
            return 1
        if id(part) in self._flat:
            return self._flat[id(part)]
        # Plain values cost the same, so they share one entry.
        which = 0
        if isinstance(value, dict | list):
            which = id(value)
        pair = (id(part), which)
        known = self._known.get(pair)
        if known is None:
            known = self._known[pair] = self._counted(part, value)
        return known

    def _counted(self, part: Schema, value: Any) -> int:
        if self._clock.is_over():
            raise TooSlow
        same = 0
        for each in same_value(part, self._root):
            same += self.of(each, value)
        steps = _own_steps(part) + same * _times(part)
        for each, inner in _asked_inside(part, value):
            steps += self.of(each, inner)
        if steps > MOST_STEPS:
            raise TooSlow
        return steps


def _asked_inside(part: Schema, value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each part with a value inside this one that it may be asked about."""
    if isinstance(value, list):
        for name in ITEM_PARTS:
            if name in part:
                yield from ((part[name], each) for each in value)
        for name in ITEM_LISTS:
            yield from zip(part.get(name, ()), value, strict=False)
    elif isinstance(value, dict):
        for name in VALUE_PARTS:
            if name in part:
                yield from ((part[name], each) for each in value.values())
        for name in VALUE_MAPS:
            parts = part.get(name, {})
            yield from ((parts[key], value[key]) for key in parts if key in value)
        for name in NAME_PARTS:
            if name in part:
                yield from ((part[name], key) for key in value)

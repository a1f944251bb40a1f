"""What the data of a call may look like: a type's JSON Schema (draft 2020-12), or anything.

jsonschema-rs says whether data fits. Around it:

1. schema_effort.py refuses a check that would take too long, before it is begun;
2. schema_texts.py matches patterns and formats, and stops when the time is over;
3. schema_faults.py says what does not fit.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jsonschema_rs
from django.utils.translation import gettext
from jsonschema_rs import Draft202012Validator, Validator

from apps.lib import strict_json
from apps.lib.refusals import Refused
from apps.lib.written import grouped
from apps.notifications.types.schema_effort import (
    MOST_STEPS,
    Count,
    Nowhere,
    Schema,
    Weight,
    mappings,
    target_of,
)
from apps.notifications.types.schema_faults import Told, telling
from apps.notifications.types.schema_texts import (
    BadPattern,
    Clock,
    Format,
    FormatOfSchema,
    Pattern,
    TooSlow,
    matcher_of,
    timed,
)

MOST = 20_000  # characters
# For counting the steps of one check, and for its patterns; and for all checks of one budget.
SECONDS = 5.0
DRAFT = "https://json-schema.org/draft/2020-12/schema"
_SAID = 200  # characters of a sentence: it repeats the value, and that may be long
# The library copies the value into each fault it finds: characters of all copies together.
_MOST_COPIED = 5_000_000
_LEAST_VALUE = 2  # characters of the shortest value in JSON, with its comma


class BadSchema(Refused):
    """No schema that data can be checked with; the text says where and why."""


class Unfit(Refused):
    """Data that the schema refuses. `field`: `order.items.0.price`, '' for the whole."""


def check_schema(schema: Any) -> None:
    """Raise BadSchema if no data can be checked with this.

    Nothing outside the schema is ever fetched: a `$ref` may point into it only.
    """
    if not isinstance(schema, Mapping):
        raise BadSchema(
            gettext(
                'A schema is a JSON object, such as {"type": "object", '
                '"required": ["order_number"]}.'
            )
        )
    try:
        _check_schema(schema)
    except RecursionError:
        raise BadSchema(gettext("It is nested too deeply.")) from None
    _fault(schema, {})  # only whether it can be asked at all


@contextmanager
def one_budget() -> Iterator[None]:
    """Let all checks inside have together the time that one has alone."""
    with suppress(TooSlow), timed(SECONDS):
        yield


def check_fit(schema: Schema, data: Mapping[str, Any]) -> None:
    """Raise Unfit for the most telling fault, or where this data can't be checked."""
    try:
        fault = _fault(schema, data)
    except BadSchema as error:
        said = gettext("This data can't be checked. {why}").format(why=error)
        raise Unfit(said.removesuffix(".")) from error
    if fault is not None:
        raise Unfit(fault.sentence[:_SAID], field=_dotted(fault))


def _check_schema(schema: Schema) -> None:
    try:
        strict_json.check(schema)
    except strict_json.BadJson as error:
        raise BadSchema(gettext("It {fault}.").format(fault=error)) from error
    if (size := len(json.dumps(schema, ensure_ascii=False))) > MOST:
        said = gettext("It has {size} characters. {most} are possible; check the outer parts only.")
        raise BadSchema(said.format(size=grouped(size), most=grouped(MOST)))
    if schema.get("$schema", DRAFT) != DRAFT:
        raise BadSchema(gettext("Leave out $schema, or write {draft}.").format(draft=DRAFT))
    _refuse_inside(schema)
    faults = list(_schema_of_schemas().iter_errors(schema))
    if faults:
        fault = telling(faults, {}, schema, lambda pointer: None, _documents())
        said = fault.sentence[:_SAID]
        if fault.path:
            said = gettext("At {place}: {fault}").format(place=_dotted(fault), fault=said)
        raise BadSchema(said)
    _check_patterns(schema)
    _check_references(schema)


def _refuse_inside(schema: Schema) -> None:
    """Raise BadSchema for keywords that the checks before a check do not see through."""
    plain = json.dumps(_plain(schema))
    for keyword in ("$schema", "patternProperties"):
        if f'"{keyword}":' in plain:
            said = gettext("It has {keyword} inside, which can't be used here.")
            raise BadSchema(said.format(keyword=keyword))
    for part in mappings(list(schema.values())):
        if isinstance(part.get("$id"), str):
            said = gettext("It has {keyword} inside, which can't be used here.")
            raise BadSchema(said.format(keyword="$id"))


def _check_patterns(schema: Schema) -> None:
    for part in mappings(schema):
        pattern = part.get("pattern")
        if isinstance(pattern, str):
            try:
                matcher_of(pattern)
            except BadPattern as error:
                raise BadSchema(f"{error}.") from None


def _check_references(schema: Schema) -> None:
    for reference in _references(schema):
        if not reference.startswith("#"):
            said = gettext(
                "$ref {address} leads elsewhere. Copy that part into $defs, and refer to #/$defs/…."
            )
            raise BadSchema(said.format(address=repr(reference)))
        try:
            target_of(schema, reference)
        except Nowhere:
            said = gettext("$ref {address} leads nowhere in this schema.")
            raise BadSchema(said.format(address=repr(reference))) from None


def _references(schema: Schema) -> Iterator[str]:
    for part in mappings(schema):
        for name in ("$ref", "$dynamicRef"):
            if isinstance(part.get(name), str):
                yield part[name]


def _fault(schema: Schema, data: Mapping[str, Any]) -> Told | None:
    """Return what does not fit. Raises BadSchema for what can't be asked."""
    try:
        with timed(SECONDS) as clock:
            return _compiled(json.dumps(schema)).fault(data, clock)
    except RecursionError:
        raise BadSchema(
            gettext("It refers to itself without end, or the data is nested too deeply.")
        ) from None
    except TooSlow:
        raise BadSchema(
            gettext(
                "That takes too long: simplify its patterns, and what refers to parts that refer "
                "on."
            )
        ) from None
    except ValueError as error:
        raise BadSchema(gettext("It can't be asked: {fault}.").format(fault=error)) from None


@dataclass(frozen=True)
class _Compiled:
    """A schema that is ready to be asked."""

    schema: Schema
    validator: Validator
    weight: Weight

    def fault(self, data: Mapping[str, Any], clock: Clock) -> Told | None:
        """Return the most telling fault, None if the data fits. Raises TooSlow, RecursionError."""
        size = len(json.dumps(data))
        weight = self.weight.of(self.schema)
        steps = weight
        if steps * size > MOST_STEPS * _LEAST_VALUE:
            steps = Count(self.schema, self.weight, clock).of(self.schema, data)
            if steps > MOST_STEPS:
                raise TooSlow
        if self.validator.is_valid(data) or clock.late:
            return None
        if min(weight, steps) * size <= _MOST_COPIED:
            faults = list(self.validator.iter_errors(data))
        elif self._has_alternatives:
            said = gettext("It does not fit, and there is too much of it to say where")
            return Told((), said)
        else:
            faults = [_first_fault(self.validator, data)]
        return telling(faults, self.schema, data, self._part, {})

    @cached_property
    def _has_alternatives(self) -> bool:
        """Whether one fault may hold the faults of many alternatives, each with a copy."""
        return any("anyOf" in part or "oneOf" in part for part in mappings(self.schema))

    def _part(self, pointer: str) -> Validator | None:
        options = _options(Format)
        return jsonschema_rs.validator_map_for(dict(self.schema), **options).get(pointer)


def _first_fault(validator: Validator, data: Any) -> jsonschema_rs.ValidationError:
    try:
        validator.validate(data)
    except jsonschema_rs.ValidationError as fault:
        return fault
    raise AssertionError("The library found no fault where it had found one.")


@lru_cache(maxsize=256)  # to build one takes some 50 times as long as to ask it
def _compiled(schema: str) -> _Compiled:
    plain = _plain(json.loads(schema))
    weight = Weight(plain)
    weight.of(plain)  # before other threads ask
    return _Compiled(plain, Draft202012Validator(plain, **_options(Format)), weight)


def _options(format_keyword: type[Format]) -> dict[str, Any]:
    keywords = {"pattern": Pattern, "format": format_keyword}
    return {"keywords": keywords, "validate_formats": False, "offline": True}


@lru_cache(maxsize=1)
def _schema_of_schemas() -> Validator:
    return Draft202012Validator({"$ref": DRAFT}, **_options(FormatOfSchema))


@lru_cache(maxsize=1)
def _documents() -> dict[str, Schema]:
    """Return the parts of the draft's own schema, by address."""
    reference: dict[str, Any] = {"$ref": DRAFT}
    whole = jsonschema_rs.bundle(reference, offline=True)
    return dict(whole["$defs"])


def _plain(schema: Schema) -> dict[str, Any]:
    """Return the schema without the name of the draft."""
    return {name: part for name, part in schema.items() if name != "$schema"}


def _dotted(fault: Told) -> str:
    return ".".join(map(str, fault.path))

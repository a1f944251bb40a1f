"""What the data of a call may look like: the JSON Schema (draft 2020-12) that its type has,
or anything.

A few lines of schema can ask for years of work: parts that refer to each other twice, patterns that
try every way to split a text. So a check has SECONDS, and patterns are matched by a library that
can be stopped.
"""

import datetime as dt
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import regex
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from apps.lib import strict_json

MOST = 20_000  # characters
_SAID = 200  # characters of the library's sentence: it repeats the value, and that may be long
SECONDS = 5.0  # for one check; 5 MB of objects take 0.9 s, of bare numbers 2.4 s
_FORMATS = FormatChecker(("date", "email", "idn-email", "ipv4", "ipv6", "uuid"))
_until: ContextVar[float] = ContextVar("until")  # monotonic


class BadSchema(ValueError):
    """This is no schema that data can be checked with; the text says where and why."""


class Unfit(ValueError):
    """The data is not what the schema asks for. `path`: `order.items.0.price`, '' for the whole."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or (
        "T" in value.upper() and dt.datetime.fromisoformat(value).tzinfo is not None
    )


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (
        bool(urlsplit(value).scheme) and not set(value) & set(' <>"{}|\\^`')
    )


# jsonschema checks these two only with packages that do little more
_FORMATS.checks("date-time", raises=ValueError)(_is_moment)
_FORMATS.checks("uri", raises=ValueError)(_is_uri)


def check_schema(schema: Any) -> None:
    """Raises BadSchema.

    Nothing outside the schema is ever fetched: a `$ref` may point into it only.
    """
    if not isinstance(schema, Mapping):
        raise BadSchema(
            'A schema is a JSON object, such as {"type": "object", "required": ["order_number"]}.'
        )
    try:
        _check_schema(schema)
    except RecursionError:
        raise BadSchema("It is nested too deeply.") from None
    except OverflowError as error:
        raise BadSchema(f"It has a number that is too large: {error}.") from None
    with suppress(ValidationError):  # only whether it can be asked at all
        _ask(schema, {})


def _check_schema(schema: Mapping[str, Any]) -> None:
    try:
        strict_json.check(schema)
    except strict_json.BadJson as error:
        raise BadSchema(f"It {error}.") from error
    if (size := len(json.dumps(schema, ensure_ascii=False))) > MOST:
        raise BadSchema(
            f"It has {size:,} characters. {MOST:,} are possible; check the outer parts only."
        )
    if (
        schema.get("$schema", Draft202012Validator.META_SCHEMA["$id"])
        != Draft202012Validator.META_SCHEMA["$id"]
    ):
        raise BadSchema(f"Leave out $schema, or write {Draft202012Validator.META_SCHEMA['$id']}.")
    for keyword in (
        "$schema",
        "patternProperties",
    ):  # the library would check these parts without our limits
        if f'"{keyword}":' in json.dumps(_plain(schema)):
            raise BadSchema(f"It has {keyword} inside, which can't be used here.")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(map(str, error.absolute_path))
        raise BadSchema(f"{f'At {where}: ' if where else ''}{error.message[:_SAID]}") from None
    whole = DRAFT202012.create_resource(schema)
    resolver = Registry().with_resource("", whole).crawl().resolver()
    for ref in _refs(schema):
        try:
            if not ref.startswith("#"):
                raise BadSchema(
                    f"$ref {ref!r} leads elsewhere. Copy that part into $defs, and refer to #/$defs/…."
                )
            resolver.lookup(ref)
        except Unresolvable:
            raise BadSchema(f"$ref {ref!r} leads nowhere in this schema.") from None


def check_fit(schema: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raises Unfit for the most telling fault, or where this data can't be checked."""
    try:
        _ask(schema, data)
    except BadSchema as error:
        raise Unfit("", f"This data can't be checked. {error}".removesuffix(".")) from error
    except ValidationError as fault:
        raise Unfit(".".join(map(str, fault.absolute_path)), fault.message[:_SAID]) from None


def _ask(schema: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raises ValidationError, and BadSchema for what can't be asked."""
    mark = _until.set(time.monotonic() + SECONDS)
    try:
        fault = best_match(_compiled(json.dumps(schema)).iter_errors(data))
    except RecursionError:
        raise BadSchema(
            "It refers to itself without end, or the data is nested too deeply."
        ) from None
    except TimeoutError:
        raise BadSchema(
            "That takes too long: simplify its patterns, and what refers to parts that refer on."
        ) from None
    except (OverflowError, regex.error) as error:
        raise BadSchema(f"A number or a pattern can't be used: {error}.") from None
    finally:
        _until.reset(mark)
    if fault is not None:
        raise fault


def _in_time(keyword: Callable[..., Any]) -> Callable[..., Any]:
    def asked(*given: Any) -> Any:
        if time.monotonic() > _until.get():
            raise TimeoutError
        return keyword(*given)

    return asked


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    left = _until.get() - time.monotonic()
    if isinstance(value, str) and not regex.search(pattern, value, timeout=max(left, 0.001)):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _unique(validator: Any, wanted: bool, value: Any, schema: Any) -> Iterator[ValidationError]:
    # the library compares objects each with each
    if (
        wanted
        and isinstance(value, list)
        and len({json.dumps(each, sort_keys=True) for each in value}) < len(value)
    ):
        yield ValidationError(f"{value!r} has non-unique elements")


_OURS = {**Draft202012Validator.VALIDATORS, "pattern": _pattern, "uniqueItems": _unique}
_Validator = extend(
    Draft202012Validator, {name: _in_time(keyword) for name, keyword in _OURS.items()}
)


@lru_cache(maxsize=256)  # to build one takes some 50 times as long as to ask it
def _compiled(schema: str) -> Any:
    # an empty registry fetches nothing, whatever a $ref says
    return _Validator(_plain(json.loads(schema)), registry=Registry(), format_checker=_FORMATS)


def _plain(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Without the name of the draft: by that the library would take its own validator for this
    part.
    """
    return {name: part for name, part in schema.items() if name != "$schema"}


def _refs(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _refs(value)
    elif isinstance(part, list):
        for each in part:
            yield from _refs(each)

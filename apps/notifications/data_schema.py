"""What the data of a call may look like: the JSON Schema (draft 2020-12) that its type has, or anything."""

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

MOST = 20_000  # characters
_SAID = 200  # characters of the library's sentence: it repeats the value, and that may be long
_FORMATS = FormatChecker(("date", "email", "idn-email", "ipv4", "ipv6", "regex", "uuid"))


class BadSchema(ValueError):
    """This is no schema that data can be checked with; the text says where and why."""


class Unfit(ValueError):
    """The data is not what the schema asks for. `path`: `order.items.0.price`, '' for the whole."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


def _is_moment(value: object) -> bool:
    return not isinstance(value, str) or ("T" in value.upper() and dt.datetime.fromisoformat(value).tzinfo is not None)


def _is_uri(value: object) -> bool:
    return not isinstance(value, str) or (bool(urlsplit(value).scheme) and not set(value) & set(' <>"{}|\\^`'))


# jsonschema checks these two only with packages that do little more
_FORMATS.checks("date-time", raises=ValueError)(_is_moment)
_FORMATS.checks("uri", raises=ValueError)(_is_uri)


def check_schema(schema: Any) -> None:
    """Raises BadSchema. Nothing outside the schema is ever fetched: a `$ref` may point into it only."""
    if not isinstance(schema, Mapping):
        raise BadSchema('A schema is a JSON object, such as {"type": "object", "required": ["order_number"]}.')
    try:
        text = json.dumps(schema, allow_nan=False, ensure_ascii=False)
        text.encode()
    except ValueError:  # UnicodeEncodeError is one
        raise BadSchema("It has NaN, Infinity or half of a character, which can't be stored.") from None
    if "\\u0000" in text:
        raise BadSchema("It has a NUL character (\\u0000), which can't be stored.")
    if len(text) > MOST:
        raise BadSchema(f"It has {len(text):,} characters. {MOST:,} are possible; check the outer parts only.")
    if schema.get("$schema", Draft202012Validator.META_SCHEMA["$id"]) != Draft202012Validator.META_SCHEMA["$id"]:
        raise BadSchema(f"Leave out $schema, or write {Draft202012Validator.META_SCHEMA['$id']}.")
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
                raise BadSchema(f"$ref {ref!r} leads elsewhere. Copy that part into $defs, and refer to #/$defs/….")
            resolver.lookup(ref)
        except Unresolvable:
            raise BadSchema(f"$ref {ref!r} leads nowhere in this schema.") from None
    with suppress(Unfit):  # only whether it can be asked at all
        check_fit(schema, {})


def check_fit(schema: Mapping[str, Any], data: Mapping[str, Any]) -> None:
    """Raises Unfit for the most telling fault, BadSchema for a schema that refers to itself without end."""
    try:
        fault = best_match(_compiled(json.dumps(schema)).iter_errors(data))
    except RecursionError:
        raise BadSchema("It refers to itself without end.") from None
    if fault is not None:
        raise Unfit(".".join(map(str, fault.absolute_path)), fault.message[:_SAID])


@lru_cache(maxsize=256)  # to build one takes some 50 times as long as to ask it
def _compiled(schema: str) -> Draft202012Validator:
    # an empty registry fetches nothing, whatever a $ref says
    return Draft202012Validator(json.loads(schema), registry=Registry(), format_checker=_FORMATS)


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

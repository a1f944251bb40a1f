"""Fields that hold a small language of ours: the document says what may stand inside, the act that
takes it checks it.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.document.patterns import CRON, LONGEST_PATH, PATH, PHONE
from apps.api.endpoint import MOST_LISTED
from apps.campaigns.audience.audience import MAX_NAMES
from apps.campaigns.audience.language import FIELDS, MAX_RULES, METADATA_KEY
from apps.campaigns.events.conditions import MOST, OPS
from apps.campaigns.recurring.recurrence import MOST_TIMES, WEEKDAYS
from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.lint import TYPES

_VALUE: dict[str, Any] = {
    "description": "Text, a number, true or false, or a list of them; none for exists.",
    "example": "en",
}
_OF_A_RULE = ("field", "op", "value")
_RULE_OPS = sorted({op for field in FIELDS.values() for op in field.ops})
_FIELD = f"^({'|'.join(FIELDS)})$".replace("metadata", rf"metadata\.{METADATA_KEY.pattern}")
_APART = [["all", "any"], *([one, other] for one in ("all", "any", "not") for other in _OF_A_RULE)]
_INCOMPLETE = [
    {"required": [one], "not": {"required": [other]}}
    for one, other in (("field", "op"), ("op", "field"), ("value", "field"))
]
_OTHERS_OPS = [
    {
        "required": ["field", "op"],
        "properties": {
            "field": {"pattern": f"^{name}"},
            "op": {"not": {"enum": list(field.ops)}},
        },
    }
    for name, field in FIELDS.items()
]
_BARE = {"required": ["not"], "properties": {"not": {"required": ["field"]}}}
_NO_RULE = [_BARE, *({"required": two} for two in _APART), *_INCOMPLETE, *_OTHERS_OPS]
_FIELDS = ", ".join(FIELDS).replace("metadata", "metadata.<key>")


def _texts(of: dict[str, Any], most: int = MOST_LISTED, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": of, "maxItems": most, **more}


_SLUGS = _texts({"type": "string"}, MAX_NAMES, example=["early-birds"])
_IDS = _texts({"type": "string", "format": "uuid"}, MAX_NAMES)


@extend_schema_field(
    {
        "type": "object",
        "description": "Everyone, or any of tags (slugs), segments and followers (ids), "
        "less those who are excluded.",
        "properties": {
            "everyone": {"type": "boolean"},
            "tags": _SLUGS,
            "segments": _IDS,
            "followers": _IDS,
            "exclude_tags": _SLUGS,
            "exclude_segments": _IDS,
            "exclude_followers": _IDS,
        },
        "additionalProperties": False,
        "example": {"tags": ["early-birds"]},
    },
    component_name="Audience",
)
class AudienceField(serializers.DictField):
    """Whom something is for."""


@extend_schema_field(
    {
        "type": "object",
        "description": "A group: `all` or `any` of its rules hold, and `not` does not. A rule has "
        f"`field`, `op` and `value`; groups may stand in groups. Fields: {_FIELDS}. "
        f"Operators, as far as they fit the field: {', '.join(_RULE_OPS)}.",
        "properties": {
            "all": _texts({"$ref": "#/components/schemas/Rules"}, MAX_RULES, minItems=1),
            "any": _texts({"$ref": "#/components/schemas/Rules"}, MAX_RULES, minItems=1),
            "not": {"$ref": "#/components/schemas/Rules"},
            "field": {"type": "string", "pattern": _FIELD, "example": "language"},
            "op": {"type": "string", "enum": _RULE_OPS},
            "value": _VALUE,
        },
        "minProperties": 1,
        "not": {"anyOf": _NO_RULE},
        "additionalProperties": False,
        "example": {"all": [{"field": "language", "op": "is", "value": "en"}]},
    },
    component_name="Rules",
)
class RulesField(serializers.DictField):
    """A question about followers."""


_CONDITION = {
    "type": "object",
    "required": ["field", "op"],
    "properties": {
        "field": {
            "type": "string",
            "description": "A path: data.…, follower.… or event.name.",
            "pattern": PATH,
            "maxLength": LONGEST_PATH,
            "example": "data.total",
        },
        "op": {"type": "string", "enum": list(OPS)},
        "value": {"description": "Text, a number, true or false; none for exists."},
    },
    "additionalProperties": False,
}


@extend_schema_field(
    {
        "type": "object",
        "description": "`all` or `any` of them have to be met; {} is always true.",
        "properties": {"all": _texts(_CONDITION, MOST), "any": _texts(_CONDITION, MOST)},
        "maxProperties": 1,
        "additionalProperties": False,
        "example": {"all": [{"field": "data.total", "op": "greater", "value": 100}]},
    },
    component_name="Conditions",
)
class ConditionsField(serializers.DictField):
    """What has to be so of an event."""


CLOCK = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "example": "09:00"}


_TIMES = _texts(CLOCK, MOST_TIMES, minItems=1)
_WEEKDAYS = _texts({"type": "string", "enum": list(WEEKDAYS)}, 31, minItems=1)
_DAYS = _texts({"type": "integer", "minimum": 1, "maximum": 31}, 31, minItems=1)
_CRON = {
    "type": "string",
    "maxLength": 100,
    "pattern": CRON,
    "example": "0 9 * * 1-5",
}


def _cadence(kind: str, **fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["kind", *fields],
        "properties": {"kind": {"type": "string", "enum": [kind]}, **fields},
        "additionalProperties": False,
    }


@extend_schema_field(
    {
        "description": "daily takes `times`; weekly `times` and `weekdays`; monthly `times` and "
        "`days`, 31 being the last; cron `cron`, a line of five fields.",
        "oneOf": [
            _cadence("daily", times=_TIMES),
            _cadence("weekly", times=_TIMES, weekdays=_WEEKDAYS),
            _cadence("monthly", times=_TIMES, days=_DAYS),
            _cadence("cron", cron=_CRON),
        ],
        "example": {"kind": "weekly", "times": ["09:00"], "weekdays": ["monday"]},
    },
    component_name="Cadence",
)
class CadenceField(serializers.DictField):
    """How often something is sent."""


def _parts(channel: str) -> dict[str, Any]:
    names = [part.name for part in CHANNEL_PARTS[channel].parts]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "additionalProperties": False,
    }


@extend_schema_field(
    {
        "type": "object",
        "description": "By language, then channel; the parts are Liquid. In a change a language "
        "that is sent replaces that language whole, and null removes it.",
        "additionalProperties": {
            "type": "object",
            "nullable": True,
            "properties": {channel: _parts(channel) for channel in CHANNEL_PARTS},
            "additionalProperties": False,
        },
        "example": {"en": {"email": {"subject": "Hello", "html": "<p>Hello</p>"}}},
    },
    component_name="Translations",
)
class TranslationsField(serializers.DictField):
    """The content of a template in its languages."""


@extend_schema_field({"type": "string", "format": "email", "pattern": "@", "maxLength": 320})
class EmailText(serializers.CharField):
    """An email address; an act reads it."""


@extend_schema_field({"type": "string", "pattern": PHONE, "maxLength": 40})
class PhoneText(serializers.CharField):
    """A phone number; an act reads it."""


@extend_schema_field(
    {
        "type": "array",
        "maxItems": MOST_LISTED,
        "description": "What the content may use beside the follower.",
        "items": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "example": "order_id"},
                "type": {"type": "string", "enum": list(TYPES), "default": "string"},
                "required": {"type": "boolean"},
                "default": {"description": "A value of this type."},
                "example": {"description": "A value of this type, for previews."},
                "description": {"type": "string", "description": "For whoever writes the words."},
            },
            "additionalProperties": False,
        },
        "example": [{"name": "order_id", "type": "string", "required": True, "example": "A-17"}],
    },
    component_name="Variables",
)
class VariablesField(serializers.ListField):
    """The variables of a template."""

"""What acts ask of a body beyond the type of each field: lists that hold something, fields that
come together or exclude each other. The acts check it; here the document says so.

What excludes is said by `not`, which makers of clients pass over: their types stay plain.
"""

from typing import Any

from apps.api.document.typed import CLOCK
from apps.campaigns.events.store import NAME
from apps.followers.models import Category
from apps.notifications.decide.cap_rules import MOST_DAYS, MOST_SECONDS

Schema = dict[str, Any]
_REF = "#/components/schemas/"
_SOME: Schema = {"minItems": 1}
_CHANNELS: Schema = {"items": {"$ref": f"{_REF}Channel"}}
_WALL = (
    r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])[T ]([01][0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9])?$"
)
_TYPES = [each for each in Category.values if each != Category.CRITICAL]


def _has(*names: str) -> Schema:
    return {"required": list(names)}


def _lacks(name: str) -> Schema:
    return {"not": _has(name)}


def _only(one: str, other: str) -> Schema:
    """The first without the second."""
    return {"allOf": [_has(one), _lacks(other)]}


def _empty(name: str) -> Schema:
    return {"properties": {name: {"maxItems": 0}}}


def _said(name: str) -> Schema:
    """A field that is there and not null."""
    return {"required": [name], "properties": {name: {"not": {"enum": [None]}}}}


def _never(*cases: Schema) -> Schema:
    return {"not": {"anyOf": list(cases)}}


_NOBODY: Schema = {"allOf": [_empty("recipients"), _empty("tags"), _lacks("segment")]}
_BOTH_TIMES = [_has("send_at", "wall"), _has("send_at", "time_zone")]
_HALF_A_WALL = [_only("wall", "time_zone"), _only("time_zone", "wall")]
_WHEN = [*_BOTH_TIMES, *_HALF_A_WALL]
_NO_SPAN: Schema = {"not": {"anyOf": [_said("days"), _said("seconds")]}}
_TWO_SPANS: Schema = {"allOf": [_said("days"), _said("seconds")]}
_SOURCES = ("template", "copy_of", "translations")
_TWO_SOURCES = [_has(one, other) for one in _SOURCES for other in _SOURCES if one < other]
_QUIET: Schema = {"additionalProperties": {"items": {"pattern": CLOCK["pattern"]}}}
_EVENT = NAME.pattern

_ANNA: Schema = {"email": "anna@example.com", "name": "Anna Weber"}
_MORE = ("email", "phone", "name", "first_name", "last_name", "external_id", "language")
_NAMED_TWICE = [_has("id", field) for field in (*_MORE, "time_zone", "tags", "metadata")]
_PERSON: Schema = {"minProperties": 1, "example": _ANNA, **_never(*_NAMED_TWICE)}
_TIME: Schema = {
    "minProperties": 1,
    "example": {"send_at": "2027-05-31T07:00:00Z"},
    **_never(*_WHEN),
}

# of whole bodies
_WHOLE: dict[str, Schema] = {
    "CapIn": {
        "example": {"name": "Three a day", "channels": ["email"], "limit": 3, "days": 1},
        **_never(_NO_SPAN, _TWO_SPANS),
    },
    "EventPerson": _PERSON,
    "NewCampaign": {
        "example": {
            "name": "Spring",
            "type": "promotion",
            "audience": {"tags": ["early-birds"]},
            "translations": {"en": {"email": {"subject": "Hello", "html": "<p>Hello</p>"}}},
        },
        **_never(*_TWO_SOURCES),
    },
    "NotifyIn": {
        "example": {
            "type": "transactional",
            "recipients": [_ANNA],
            "data": {"order_number": "A-17"},
            "dedup_key": "order-A-17",
        },
        **_never(_NOBODY, *_WHEN),
    },
    "PatchedScheduleIn": _TIME,
    "Person": _PERSON,
    "ScheduleIn": _TIME,
}
# of these bodies' fields, also where they change something
_FIELDS: dict[str, dict[str, Schema]] = {
    "CampaignChanges": {"channels": _CHANNELS},
    "CapIn": {
        "channels": _SOME,
        "limit": {"minimum": 1, "maximum": 1000},
        "days": {"minimum": 1, "maximum": MOST_DAYS},
        "seconds": {"minimum": 1, "maximum": MOST_SECONDS},
    },
    "DeliveryPreferencesIn": {"digest_at": {"pattern": CLOCK["pattern"]}, "quiet_hours": _QUIET},
    "EventIn": {"name": {"pattern": f"^{_EVENT}$", "example": "order.paid"}},
    "NewCampaign": {"channels": _CHANNELS},
    "NewType": {"channels": _SOME, "fallback": _CHANNELS, "category": {"enum": _TYPES}},
    "NotifyIn": {"channels": _CHANNELS, "wall": {"pattern": _WALL}},
    "RecurringIn": {"channels": _CHANNELS},
    "RuleIn": {"channels": _CHANNELS, "event": {"pattern": rf"^{_EVENT}(\.\*)?$"}},
    "ScheduleIn": {"wall": {"pattern": _WALL}},
    "TypeIn": {"channels": _SOME, "fallback": _CHANNELS, "category": {"enum": _TYPES}},
}
_EMAIL: Schema = {"format": "email", "pattern": "@"}
_PHONE: Schema = {"pattern": r"^\+[0-9][0-9 ()/.-]{5,}$", "example": "+4930901820"}
_APP = ("service", "token", "environment", "topic", "platform")
_BROWSER = ("endpoint", "keys", "server_key")
# bodies of which `channel` decides what else they have: (required too, not there, more of fields)
_FORMS: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...], dict[str, Schema]]]] = {
    "NewAddress": {"email": ((), (), {"value": _EMAIL}), "sms": ((), (), {"value": _PHONE})},
    "NewDevice": {"push": (_APP[:2], _BROWSER, {}), "web_push": (_BROWSER[:2], _APP, {})},
    "NewSuppression": {
        "email": ((), (), {"address": _EMAIL}),
        "sms": ((), (), {"address": _PHONE}),
    },
}
# what answers leave out now and then, and what bodies hold as well
_PARTIAL = ("Problem", "Audience", "Cadence", "Conditions", "Rules")


def say_what_goes_together(result: Schema, **_: Any) -> Schema:
    """Add it to the schemas of bodies; drf-spectacular calls this on the whole document."""
    schemas = result["components"]["schemas"]
    for name, fields in _FIELDS.items():
        for body in {f"{name}Request", f"Patched{name}Request"} & schemas.keys():
            for field, more in fields.items():
                _add(schemas[body]["properties"], field, more)
    for name, more in _WHOLE.items():
        schemas[f"{name}Request"].update(more)
    for name, forms in _FORMS.items():
        _split(schemas, name, forms)
    return result


def say_that_answers_are_whole(result: Schema, **_: Any) -> Schema:
    """Require each field of an answer; drf-spectacular leaves out those that have a default."""
    for name, schema in result["components"]["schemas"].items():
        is_answer = not name.endswith("Request") and name not in _PARTIAL
        if is_answer and "properties" in schema:
            schema["required"] = sorted(schema["properties"])
    return result


def _add(fields: dict[str, Schema], name: str, more: Schema) -> None:
    if "enum" in more:
        fields[name] = {"type": "string", **more}
        return
    field = fields[name]
    for word, value in more.items():
        if word == "additionalProperties":
            field[word]["items"].update(value["items"])
        else:
            field[word] = value


def _split(schemas: dict[str, Schema], name: str, forms: Any) -> None:
    """Replace a body by one for each channel."""
    whole = schemas[f"{name}Request"]
    mapping = {}
    for channel, (required, absent, more) in forms.items():
        form = f"{name}By{channel.title().replace('_', '')}Request"
        fields = {field: dict(said) for field, said in whole["properties"].items()}
        for field in absent:
            del fields[field]
        for field, said in more.items():
            fields[field].update(said)
        fields["channel"] = {"type": "string", "enum": [channel]}
        needed = sorted({*whole["required"], *required})
        schemas[form] = {**whole, "properties": fields, "required": needed}
        mapping[channel] = f"{_REF}{form}"
    schemas[f"{name}Request"] = {
        "oneOf": [{"$ref": form} for form in mapping.values()],
        "discriminator": {"propertyName": "channel", "mapping": mapping},
    }
    if "description" in whole:
        schemas[f"{name}Request"]["description"] = whole["description"]

"""What acts ask of a body beyond the type of each field: lists that hold something, fields that
come together or exclude each other. The acts check it; here the document says so.

What excludes is said by `not`, which makers of clients pass over: their types stay plain.
"""

from typing import Any

from apps.api.document.patterns import (
    APNS_HEX,
    LANGUAGE,
    LINE,
    LONGEST_PATH,
    NAME,
    PATH,
    PHONE,
    SEEN,
    WEB_ADDRESS,
    WORDS,
)
from apps.api.document.typed import CLOCK
from apps.campaigns.events import store
from apps.campaigns.events.rules import LONGEST_DELAY, MOST_VARIABLES
from apps.campaigns.models import RuleTarget, ZoneMode
from apps.campaigns.pacing import FASTEST, LONGEST, SHORTEST, SLOWEST
from apps.followers.consent.rhythm import WEEKDAYS
from apps.followers.models import Category, Channel
from apps.followers.people.profile import TEXTS
from apps.notifications.decide.cap_rules import MOST_DAYS, MOST_SECONDS
from apps.notifications.types.edit import YEAR

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
    return _where(name, {"not": {"enum": [None]}})


def _where(name: str, rule: Schema) -> Schema:
    """A field that is there and for which the rule holds."""
    return {"required": [name], "properties": {name: rule}}


def _is(name: str, value: Any) -> Schema:
    return _where(name, {"enum": [value]})


def _visible(name: str) -> Schema:
    """A text that is there and has more than blanks."""
    return _where(name, {"pattern": SEEN, "not": {"enum": [None]}})


def _both(one: Schema, other: Schema) -> Schema:
    return {"allOf": [one, other]}


def _one_alone(one: Schema, other: Schema) -> list[Schema]:
    """Either of two without the other."""
    return [_both(one, {"not": other}), _both(other, {"not": one})]


def _up_to(most: int) -> Schema:
    return {"minimum": 1, "maximum": most}


def _never(*cases: Schema) -> Schema:
    return {"not": {"anyOf": list(cases)}}


def _body(example: Schema, *cases: Schema) -> Schema:
    """A body with an example, which is never like one of the cases."""
    return {"example": example, **_never(*cases)}


_NOBODY: Schema = {"allOf": [_empty("recipients"), _empty("tags"), _lacks("segment")]}
_BOTH_TIMES = [_has("send_at", "wall"), _has("send_at", "time_zone")]
_HALF_A_WALL = [_only("wall", "time_zone"), _only("time_zone", "wall")]
_WHEN = [*_BOTH_TIMES, *_HALF_A_WALL]
_NO_SPAN: Schema = {"not": {"anyOf": [_said("days"), _said("seconds")]}}
_TWO_SPANS: Schema = {"allOf": [_said("days"), _said("seconds")]}
_TWO_PACES: Schema = {"allOf": [_said("rate"), _said("spread")]}
_SOURCES = ("template", "copy_of", "translations")
_TWO_SOURCES = [_has(one, other) for one in _SOURCES for other in _SOURCES if one < other]
# from one time to another one
_SPAN: Schema = {"type": "array", "items": CLOCK, "minItems": 2, "maxItems": 2}
_SPAN["uniqueItems"] = True
_QUIET: Schema = {"properties": dict.fromkeys(WEEKDAYS, _SPAN), "additionalProperties": False}
_QUIET["example"] = {"4": ["22:00", "09:00"]}
_SWITCH: Schema = {"type": "boolean"}
_SWITCHES: Schema = {"properties": dict.fromkeys(Channel.values, _SWITCH)}
_SWITCHES["additionalProperties"] = False
_SWITCHES["example"] = {"email": True, "sms": False}
_EVENT = store.NAME.pattern

_ANNA: Schema = {"email": "anna@example.com", "name": "Anna Weber"}
_MORE = [*TEXTS, "tags", "metadata"]
_WORDS = [name for name in TEXTS if name not in ("language", "time_zone")]
_NAMED_TWICE = [_has("id", field) for field in _MORE]
_PERSON: Schema = {"minProperties": 1, "example": _ANNA, **_never(*_NAMED_TWICE)}
_TIME: Schema = {
    "minProperties": 1,
    "example": {"send_at": "2027-05-31T07:00:00Z"},
    **_never(*_WHEN),
}

_NO_WORD: Schema = {"allOf": [{"not": _visible(word)} for word in _WORDS]}
_TO_SEGMENT = _is("to", RuleTarget.SEGMENT.value)
_HALF_A_SEGMENT = _one_alone(_TO_SEGMENT, _said("segment"))
_BY_ITS_ZONE = _is("time_zone_mode", ZoneMode.NAMED.value)
_HALF_A_ZONE = _one_alone(_BY_ITS_ZONE, _visible("time_zone"))
_COMMERCIAL = _is("commercial", True)
_UNASKED = _both(_is("category", Category.MARKETING.value), {"not": _COMMERCIAL})
_HIDDEN = _both(_COMMERCIAL, _is("listed", False))
_HALF_A_THROTTLE = _one_alone(_said("throttle_count"), _said("throttle_seconds"))
_NO_TOKEN = _where("token", {"not": {"pattern": APNS_HEX}})
_OTHERS_TOKEN = _both(_is("service", "apns"), _NO_TOKEN)
_SHORT_CHAIN = _where("fallback", {"minItems": 1, "maxItems": 1})
_NO_TARGET = [_empty(name) for name in ("tags", "segments", "followers")]
_NOBODY_IN_IT: Schema = {"allOf": [{"not": _is("everyone", True)}, *_NO_TARGET]}
_UNCHOSEN = _where("audience", _NOBODY_IN_IT)
_BARE_RULE = _where("rules", _has("field"))
_RULE: Schema = {"name": "Paid orders", "event": "order.paid", "type": "transactional"}
_SHOP: Schema = {"key": "orders", "name": "Orders", "channels": ["email", "in_app"]}
_DIGEST: Schema = {"name": "Monday digest", "type": "update"}
_DIGEST["audience"] = {"tags": ["early-birds"]}
_DIGEST["cadence"] = {"kind": "weekly", "times": ["09:00"], "weekdays": ["monday"]}
_SPRING: Schema = {"name": "Spring", "type": "promotion"}
_SPRING["audience"] = {"tags": ["early-birds"]}
_SPRING["translations"] = {"en": {"email": {"subject": "Hello", "html": "<p>Hello</p>"}}}
_TOLD: Schema = {"type": "transactional", "recipients": [_ANNA]}
_TOLD["data"] = {"order_number": "A-17"}
_TOLD["dedup_key"] = "order-A-17"
_THREE: Schema = {"name": "Three a day", "channels": ["email"], "limit": 3, "days": 1}
# of whole bodies
_WHOLE: dict[str, Schema] = {}
_WHOLE["CapIn"] = _body(_THREE, _NO_SPAN, _TWO_SPANS)
_WHOLE["EventPerson"] = _PERSON
_WHOLE["NewFollower"] = _body(_ANNA, _NO_WORD)
_WHOLE["NewType"] = _body(_SHOP, _SHORT_CHAIN, *_HALF_A_THROTTLE, _UNASKED, _HIDDEN)
_WHOLE["PatchedSegmentIn"] = _never(_BARE_RULE)
_WHOLE["RulesIn"] = _never(_BARE_RULE)
_WHOLE["SegmentIn"] = _never(_BARE_RULE)
_WHOLE["PatchedCampaignChanges"] = _body({"name": "Spring", "rate": 50}, _TWO_PACES)
_WHOLE["PatchedCapIn"] = _body({"limit": 5}, _TWO_SPANS)
_WHOLE["PatchedRecurringIn"] = _body({"tolerance": 3600}, _UNCHOSEN)
_WHOLE["PatchedRuleIn"] = {"example": {"active": False}}
_WHOLE["PatchedTypeIn"] = _body({"lifetime": 86400}, _SHORT_CHAIN, _HIDDEN)
_WHOLE["RecurringIn"] = _body(_DIGEST, _UNCHOSEN, *_HALF_A_ZONE)
_WHOLE["RuleIn"] = _body(_RULE, *_HALF_A_SEGMENT)
_WHOLE["NewCampaign"] = _body(_SPRING, *_TWO_SOURCES)
_WHOLE["NewDeviceByPush"] = _never(_OTHERS_TOKEN)
_WHOLE["NotifyIn"] = _body(_TOLD, _NOBODY, *_WHEN)
_WHOLE["PatchedScheduleIn"] = _TIME
_WHOLE["Person"] = _PERSON
_WHOLE["ScheduleIn"] = _TIME
_LINE: Schema = {"pattern": LINE}
_LINES: Schema = {"items": {"pattern": WORDS}}
_EMAIL: Schema = {"format": "email", "pattern": "@"}
_PHONE: Schema = {"pattern": PHONE, "example": "+4930901820"}
_NONE: Schema = {"maxLength": 0}
_PATH: Schema = {"pattern": PATH, "maxLength": LONGEST_PATH, "example": "data.number"}
_MAPPING: Schema = {"maxProperties": MOST_VARIABLES, "additionalProperties": _PATH}
_WHO: dict[str, Schema] = dict.fromkeys(_MORE[2:6], _LINE)
_WHO["email"] = {"anyOf": [_EMAIL, _NONE]}
_WHO["phone"] = {**_PHONE, "pattern": f"{PHONE}|^$"}
_WHO["language"] = {"pattern": LANGUAGE}
_WHO["tags"] = _LINES
_SECONDS = _up_to(YEAR)
_CHAIN: Schema = {**_CHANNELS, "uniqueItems": True}
_TYPE: dict[str, Schema] = dict.fromkeys(
    ("lifetime", "throttle_seconds", "fallback_after"), _SECONDS
)
_TYPE["throttle_count"] = _up_to(1000)
_TYPE["channels"] = _SOME
_TYPE["fallback"] = _CHAIN
_TYPE["category"] = {"enum": _TYPES}
# of these bodies' fields, also where they change something
_FIELDS: dict[str, dict[str, Schema]] = {}
_FIELDS["CampaignChanges"] = {"channels": _CHANNELS}
_FIELDS["CampaignChanges"]["rate"] = {"minimum": SLOWEST, "maximum": FASTEST}
_FIELDS["CampaignChanges"]["spread"] = {"minimum": SHORTEST, "maximum": LONGEST}
_FIELDS["CapIn"] = {"channels": _SOME}
_FIELDS["CapIn"]["limit"] = _up_to(1000)
_FIELDS["CapIn"]["days"] = _up_to(MOST_DAYS)
_FIELDS["CapIn"]["seconds"] = _up_to(MOST_SECONDS)
_FIELDS["DeliveryPreferencesIn"] = {"quiet_hours": _QUIET}
_FIELDS["DeliveryPreferencesIn"]["digest_at"] = {"pattern": CLOCK["pattern"]}
_FIELDS["EventPerson"] = _WHO
_FIELDS["FollowerByIdIn"] = _WHO
_FIELDS["FollowerChanges"] = _WHO
_FIELDS["ManyTags"] = {"tags": _LINES}
_FIELDS["Names"] = {"tags": _LINES}
_FIELDS["NewFollower"] = _WHO
_FIELDS["NewTag"] = {"name": {"pattern": NAME}}
_FIELDS["Person"] = _WHO
_FIELDS["EventIn"] = {"name": {"pattern": f"^{_EVENT}$", "example": "order.paid"}}
_FIELDS["NewWebhook"] = {"url": {"pattern": WEB_ADDRESS}}
_FIELDS["PreferencesIn"] = {"channels": _SWITCHES}
_FIELDS["NewCampaign"] = {"channels": _CHANNELS}
_FIELDS["NewType"] = _TYPE
_FIELDS["NotifyIn"] = {"channels": _CHANNELS, "wall": {"pattern": _WALL}}
_FIELDS["RecurringIn"] = {"channels": _CHANNELS}
_FIELDS["RuleIn"] = {"channels": _CHANNELS, "delay": {"maximum": LONGEST_DELAY}}
_FIELDS["RuleIn"]["event"] = {"pattern": rf"^{_EVENT}(\.\*)?$"}
_FIELDS["RuleIn"]["throttle_key"] = {**_PATH, "pattern": f"{PATH}|^$"}
_FIELDS["RuleIn"]["mapping"] = _MAPPING
_FIELDS["ScheduleIn"] = {"wall": {"pattern": _WALL}}
_FIELDS["TypeIn"] = _TYPE
_APP = ("service", "token", "environment", "topic", "platform")
_BROWSER = ("endpoint", "keys", "server_key")
_WORD: Schema = {"pattern": "^[A-Za-z0-9_.-]*$", "example": "android"}
_TOKEN: Schema = {"pattern": "^[A-Za-z0-9_:.~-]+$", "example": "dGhlLXRva2Vu:APA91b"}
_PUSHED = {"token": _TOKEN, "topic": _WORD, "platform": _WORD}
_SERVER_KEY: Schema = {"pattern": "^([A-Za-z0-9_-]{87}=?)?$", "example": ""}
# bodies of which `channel` decides what else they have: (required too, not there, more of fields)
_Form = tuple[tuple[str, ...], tuple[str, ...], dict[str, Schema]]
_FORMS: dict[str, dict[str, _Form]] = {"NewAddress": {}, "NewDevice": {}, "NewSuppression": {}}
_FORMS["NewAddress"]["email"] = ((), (), {"value": _EMAIL})
_FORMS["NewAddress"]["sms"] = ((), ("confirm",), {"value": _PHONE})
_FORMS["NewDevice"]["push"] = (_APP[:2], _BROWSER, _PUSHED)
_FORMS["NewDevice"]["web_push"] = (_BROWSER[:2], _APP, {"server_key": _SERVER_KEY})
_FORMS["NewSuppression"]["email"] = ((), (), {"address": _EMAIL})
_FORMS["NewSuppression"]["sms"] = ((), (), {"address": _PHONE})
# what answers leave out now and then, and what bodies hold as well
_PARTIAL = ("Problem", "Audience", "Cadence", "Conditions", "Rules")


def say_what_goes_together(result: Schema, **_: Any) -> Schema:
    """Add it to the schemas of bodies; drf-spectacular calls this on the whole document."""
    schemas = result["components"]["schemas"]
    for name, fields in _FIELDS.items():
        for body in {f"{name}Request", f"Patched{name}Request"} & schemas.keys():
            for field, more in fields.items():
                _add(schemas[body]["properties"], field, more)
    for name, forms in _FORMS.items():
        _split(schemas, name, forms)
    for name, more in _WHOLE.items():
        schemas[f"{name}Request"].update(more)
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
        if word in ("additionalProperties", "items") and _adds(field.get(word), value):
            _add_inside(field[word], value)
        else:
            field[word] = value


def _adds(there: Any, more: Any) -> bool:
    """Whether more is said of what is there; otherwise it is said anew."""
    return isinstance(there, dict) and isinstance(more, dict) and "$ref" not in str(more)


def _add_inside(schema: Schema, more: Schema) -> None:
    for word, value in more.items():
        if word == "items":
            schema[word].update(value)
        else:
            schema[word] = value


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

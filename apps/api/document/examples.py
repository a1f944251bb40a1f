"""Examples of bodies and answers, made of their schemas: a field's own example, else one that its
name or its form suggests.
"""

from typing import Any

_BY_NAME: dict[str, Any] = {
    "email": "anna@example.com",
    "to": "anna@example.com",
    "phone": "+4930901820",
    "address": "anna@example.com",
    "value": "anna@example.com",
    "name": "Anna Weber",
    "first_name": "Anna",
    "last_name": "Weber",
    "external_id": "c-17",
    "language": "en",
    "default_language": "en",
    "time_zone": "Europe/Berlin",
    "wall": "2027-05-31T09:00",
    "digest_at": "18:30",
    "quiet_hours": {"4": ["22:00", "09:00"]},
    "type": "order_update",
    "template": "order_update",
    "key": "order_update",
    "layout": "standard",
    "event": "order.paid",
    "subject": "Hello",
    "content": "<p>Hello {{ follower.first_name }}</p>",
    "html": "<p>{{ content }}</p>",
    "tags": ["Early birds"],
    "metadata": {"plan": "pro"},
    "data": {"order_number": "A-17"},
    "mapping": {"order_number": "data.number"},
    "dedup_key": "order-A-17",
    "throttle_key": "A-17",
    "url": "https://hooks.partner.example/carillon",
    "link": "https://shop.example/orders/A-17",
    "reason": "asked by phone",
    "note": "asked by phone",
    "channels": ["email"],
    "channel": "email",
    "schema": {"type": "object"},
    "failed": {"refused_recipient": 1},
    "detail": "This field is required.",
    "code": "required",
    "field": "email",
}
_BY_FORMAT: dict[str, Any] = {
    "uuid": "0190a000-0000-7000-8000-000000000000",
    "date-time": "2027-05-31T07:00:00Z",
    "email": "anna@example.com",
    "time": "18:30:00",
    "double": 1.5,
}
_BY_TYPE: dict[str, Any] = {"boolean": True, "number": 1.5, "string": "…"}


def add_examples(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give each body and each good answer an example; called on the whole document."""
    schemas = result["components"]["schemas"]
    for path in result["paths"].values():
        for operation in path.values():
            carriers = [operation.get("requestBody", {})]
            carriers += [each for code, each in operation["responses"].items() if code < "300"]
            for carrier in carriers:
                for content in carrier.get("content", {}).values():
                    content["example"] = example_of(content["schema"], schemas)
    return result


def example_of(schema: dict[str, Any], schemas: dict[str, Any], name: str = "") -> Any:
    """Make a value that fits the schema; `name` is the field it stands in."""
    if "example" in schema:
        return schema["example"]
    for each in (schema, *schema.get("allOf", ()), *schema.get("oneOf", ())):
        if "$ref" in each:
            target = each["$ref"].rpartition("/")[2]
            return example_of(schemas[target], schemas, name)
    if "enum" in schema:
        return _of_words(schema["enum"], name)
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    kind = schema.get("type", "string")
    if name in _BY_NAME and _is_a(_BY_NAME[name], kind) and not _typed_within(schema):
        return _BY_NAME[name]
    if kind == "object":
        return _object(schema, schemas)
    if kind == "array":
        return [example_of(schema["items"], schemas, name)]
    if kind == "integer":
        return max(schema.get("minimum", 1), 1)
    return _BY_TYPE[kind]


def _of_words(words: list[Any], name: str) -> Any:
    if _BY_NAME.get(name) in words:
        return _BY_NAME[name]
    return words[0]


def _typed_within(schema: dict[str, Any]) -> bool:
    """Whether the schema itself says what stands inside."""
    return "properties" in schema or "$ref" in str(schema.get("items", ""))


def _is_a(value: Any, kind: str) -> bool:
    kinds = {"string": str, "object": dict, "array": list, "boolean": bool}
    return isinstance(value, kinds.get(kind, ()))


def _object(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    made = {}
    for name, field in schema.get("properties", {}).items():
        if not field.get("readOnly"):
            made[name] = example_of(field, schemas, name)
    inside = schema.get("additionalProperties")
    if not made and isinstance(inside, dict) and inside:
        made["email"] = example_of(inside, schemas)
    return made

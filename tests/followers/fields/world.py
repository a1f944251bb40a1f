"""Custom fields of a site that sells plans."""

from typing import Any

from django.utils import timezone

from apps.followers.fields.define import FieldValues, create_field
from apps.followers.models import CustomField
from tests.make import TESTER

PLANS = [
    {"value": "pro", "labels": {"en": "Professional", "ru": "Профи"}},
    {"value": "free", "labels": {}},
]


def make_field(key: str = "plan", kind: str = "choice", **values: Any) -> CustomField:
    said: dict[str, Any] = {"labels": {"en": key.capitalize()}}
    if kind.startswith("choice"):
        said["options"] = PLANS
    said |= values
    now = timezone.now()
    return create_field(key=key, values=FieldValues(kind=kind, **said), by=TESTER, now=now)

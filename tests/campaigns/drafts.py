"""Campaigns in the state a test starts from,
and their launcher's work done in the test's own process.
"""

import datetime as dt
from typing import Any

from django.utils import timezone

from apps.campaigns import launch
from apps.campaigns.compose import CampaignValues, create_campaign
from apps.campaigns.models import Campaign, Run
from tests.make import TESTER, make_type

WORDS = {
    "en": {
        "email": {"subject": "Hello {{ follower.name }}", "html": "<p>Hello</p>", "text": "Hello"},
        "in_app": {"title": "Hello", "body": "Good news", "link": ""},
    }
}


def make_campaign(
    name: str = "Spring news", *, now: dt.datetime | None = None, **fields: Any
) -> Campaign:
    """A draft in English for everyone on both channels, unless told otherwise."""
    values: dict[str, Any] = {
        "channels": ["email", "in_app"],
        "translations": WORDS,
        "audience": {"everyone": True},
    }
    if "notification_type" not in fields:
        values["notification_type"] = make_type()
    template = fields.pop("template", None)
    whole = CampaignValues(name=name, **values | fields)
    return create_campaign(values=whole, template=template, by=TESTER, now=now or timezone.now())


def plan(run: Run) -> None:
    launch.launch(run_id=run.pk)

"""What the API tests share: callers with keys, and letters that were really sent."""

from typing import Any

from django.utils import timezone
from rest_framework.test import APIClient

from apps.accounts import keys
from apps.campaigns import launch, lifecycle
from apps.campaigns.models import Campaign, Run
from apps.followers.models import NotificationType
from apps.notifications.accounts import edit
from tests.campaigns.drafts import make_campaign
from tests.make import TESTER, make_template


def make_client(*scopes: str) -> APIClient:
    _, text = keys.issue(name="Shop", scopes=scopes, by=TESTER, now=timezone.now())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    return client


def make_inbox() -> None:
    edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )


def send_letter(*channels: str) -> Campaign:
    """A campaign to everyone, planned; its deliveries wait for a sender."""
    number = Campaign.objects.count()
    fields: dict[str, Any] = {
        "channels": list(channels or ("email", "in_app")),
        "translations": None,
    }
    if known := NotificationType.objects.filter(key="news").first():
        fields["notification_type"] = known
    campaign = make_campaign(
        f"Letter {number}", template=make_template(f"letter-{number}"), **fields
    )
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now()))
    return campaign


def plan(run: Run | None = None) -> None:
    """What the launcher does."""
    launch.launch(run_id=(run or Run.objects.latest("pk")).pk)

"""Mails that were sent, and the links that stood in them."""

from typing import Any
from urllib.parse import urlsplit

from django.utils import timezone

from apps.campaigns import lifecycle, public_archive
from apps.campaigns.models import Campaign
from apps.followers.models import Follower, NotificationType
from apps.notifications.messages.links import stamp, stamped_view_url
from apps.notifications.models import Delivery, Notification
from tests.campaigns.drafts import make_campaign, plan
from tests.make import TESTER, make_type
from tests.notifications.world import make_version, tell

LETTER = (
    "<h1>For {{ follower.name }}</h1><p>Order {{ order }}: {{ sum }}</p>"
    '<a href="https://shop.example/sale">Sale</a>'
    '<p><a href="{{ links.preferences }}">P</a> <a href="{{ links.unsubscribe }}">U</a>'
    '{% if links.view != "" %}<a href="{{ links.view }}">V</a>{% endif %}</p>'
)
VARIABLES = [{"name": name, "type": "string"} for name in ("order", "sum")]


def make_letter(kind: NotificationType, people: list[Follower], **fields: Any) -> Notification:
    """A tracked mail to some people, planned and due; its data are values of everybody's."""
    values: dict[str, Any] = {"data": {"order": "A-1", "sum": "12 EUR"}, "tracking": True}
    body = fields.pop("body", LETTER)
    version = make_version(kind.key, body=body, variables=VARIABLES)
    return tell(kind, people, version=version, **(values | fields))


def delivery_to(follower: Follower) -> Delivery:
    """The newest mail to somebody."""
    rows = Delivery.objects.filter(follower=follower, channel="email")
    found = rows.select_related("notification").first()
    assert found is not None
    return found


def view_path(delivery: Delivery) -> str:
    """Where the mail of this delivery is shown."""
    notification = delivery.notification
    assert delivery.follower is not None
    made = stamp(
        delivery=delivery.uid,
        follower=delivery.follower.uid,
        notification_type=notification.notification_type_id,
        version=notification.version_id,
    )
    return urlsplit(stamped_view_url(made)).path


PUBLIC = {
    "en": {
        "email": {
            "subject": "Spring for {{ follower.first_name | default: 'everybody' }}",
            "preheader": "What blooms now",
            "html": '<h1>Dear {{ follower.first_name | default: "reader" }}</h1>'
            "<p>{{ follower.email }}{{ follower.metadata.plan }}</p>"
            '<img src="https://pictures.example/pixel.gif" width="1" height="1" alt="">'
            '<img src="https://pictures.example/tulips.jpg" width="600" alt="Tulips">'
            '<p><a href="{{ links.unsubscribe }}">U</a></p>',
        },
        "in_app": {"title": "Spring", "body": "It is here", "link": ""},
    },
    "ru": {
        "email": {"subject": "Весна", "html": "<h1>Весна</h1>"},
        "in_app": {"title": "Весна", "body": "Пришла", "link": ""},
    },
}


def make_public(name: str = "Spring", key: str = "seasons") -> Campaign:
    """A campaign that was planned, and is shown to everybody."""
    campaign = make_campaign(name, notification_type=make_type(key), translations=PUBLIC)
    now = timezone.now()
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=now))
    return public_archive.publish(campaign=campaign, by=TESTER, now=now)

"""A browser that can be written to: an account for web push,
and a subscription as a browser makes it.
"""

import base64
import os
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone

from apps.followers.devices import push_devices
from apps.followers.models import Address, Follower
from apps.notifications.accounts import edit
from apps.notifications.messages.links import stamp
from apps.notifications.models import Delivery, ProviderAccount
from apps.subscriptions import new_way
from tests.make import TESTER, make_template, make_type


def make_web_push() -> ProviderAccount:
    return edit.create_account(
        enabled=True, name="Browsers", provider_key="web_push",
        settings={"subject": "mailto:ops@carillon.test"},
        by=TESTER, now=timezone.now(),
    )  # fmt: skip


def make_warning() -> None:
    """What the mail about a new phone or browser is made of."""
    make_template(new_way.TEMPLATE)
    make_type(new_way.TYPE, category="critical", channels=["email"], default_channels=["email"])


def way_back(address: Address) -> str:
    """The link of the latest warning that went there."""
    alert = Delivery.objects.filter(address=address).latest("pk")
    kind = alert.notification.notification_type_id
    token = stamp(
        delivery=alert.uid, follower=address.follower.uid, notification_type=kind, version=0
    ).managing
    return f"/p/preferences/{token}/email/back/"


def subscription(name: str = "one") -> dict[str, str]:
    """What `PushSubscription.toJSON()` says, flat."""
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {
        "endpoint": f"https://push.test/send/{name}",
        "p256dh": _text(point),
        "auth": _text(os.urandom(16)),
    }


def connect_browser(follower: Follower, name: str = "one", **fields: Any) -> Address:
    values = {"label": "Chrome · Linux", **subscription(name), **fields}
    return push_devices.register_browser(
        follower=follower,
        browser=push_devices.BrowserDevice(**values),
        by=TESTER,
        now=timezone.now(),
    )


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

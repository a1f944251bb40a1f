"""Every list of the staff pages and of the API, with each of its filters, and one page of each
thing: what the query budgets count and what `make bench ARGS=pages` times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import keys
from apps.accounts.models import AuditEntry, Role, User
from apps.accounts.permissions import Scope
from apps.api.v1.urls import VIEWS
from apps.campaigns.models import Campaign, Segment
from apps.dashboard.shell import menu
from apps.followers.models import Address, Channel, Follower, Tag
from apps.lib.actor import command
from apps.notifications.models import Delivery, DeliveryStatus, Notification

NOBODY = "nobody at all"
# Filters of lists, by the name of the page; "@email" and so on stand for what is in the database.
FILTERS: dict[str, tuple[dict[str, str], ...]] = {
    "dashboard:followers": (
        {"q": "@email"},
        {"q": "@phone"},
        {"q": "@external_id"},
        {"q": "@name"},
        {"q": "@piece"},
        {"q": "an"},
        {"q": "мар"},
        {"q": NOBODY},
        {"state": "subscribed"},
        {"state": "unsubscribed"},
        {"tag": "@tag"},
        {"tag": "@rare_tag"},
        {"language": "ru"},
        {"language": "pt"},
        {"language": "xx"},
        {"tag": "@tag", "state": "unsubscribed", "language": "pl"},
        {"q": "an", "tag": "@rare_tag"},
        {"after": "@middle"},
    ),
    "dashboard:deliveries": (
        *({"status": status} for status in ["waiting", *DeliveryStatus.values]),
        *({"channel": channel} for channel in Channel.values),
        {"reason": "address_bounced"},
        {"notification": "@notification", "did": "opened"},
        {"notification": "@notification", "link": "1"},
        {"notification": "@notification", "domain": "example.com"},
        {"since": "2026-01-01", "did": "bounced"},
        {"q": "@email"},
        {"q": "@name"},
        {"q": NOBODY},
    ),
    "dashboard:results": ({"type": "alert", "since": "2020-01-01"},),
    "dashboard:results-compare": ({"first": "@notification", "second": "@notification"},),
    "dashboard:notifications": ({"state": "paused"}, {"state": "done"}, {"type": "alert"}),
    "dashboard:campaigns": ({"q": "spring"}, {"state": "sent"}, {"state": "draft"}),
    "dashboard:undelivered": ({"status": "failed"}, {"status": "in_doubt"}),
    "dashboard:suppressions": ({"q": "@email"}, {"q": NOBODY}, {"reason": "complaint"}),
    "dashboard:webhooks": ({"state": "failing"}, {"q": "example"}),
    "dashboard:events": ({"name": "order.paid"}, {"follower": "@email"}),
    "dashboard:templates": ({"q": "welcome"}, {"show": "archived"}),
    "dashboard:audit": (
        {"noun": "follower"},
        {"noun": "layout"},
        {"kind": "campaign.started"},
        {"kind": "cap.removed"},
        {"person": "command:seed"},
        {"person": "system"},
        {"subject": "@subject"},
    ),
    "dashboard:search": ({"q": "@email"}, {"q": "@name"}, {"q": NOBODY}),
}
# Lists of the API, by their address below /api/v1/.
CALLS: dict[str, tuple[dict[str, str], ...]] = {
    "followers": (
        {"page_size": "200"},
        {"search": "@email"},
        {"search": "@name"},
        {"search": "an"},
        {"search": NOBODY},
        {"email": "@email"},
        {"phone": "@phone"},
        {"external_id": "@external_id"},
        {"tags": "@tag"},
        {"language": "xx"},
        {"subscribed": "false"},
        {"sort": "created_at"},
    ),
    "deliveries": (
        {"page_size": "200"},
        {"status": "in_doubt"},
        {"status": "cancelled"},
        {"channel": "sms"},
        {"channel": "push"},
        {"follower": "@follower"},
        {"notification": "@notification"},
    ),
    "notifications": ({"status": "paused"}, {"type": "alert"}),
    "suppressions": ({"channel": "email"}, {"reason": "manual"}, {"search": NOBODY}),
    "campaigns": ({"status": "sent"},),
    "messages": ({"status": "sent"},),
    "templates": ({"archived": "true"},),
    "webhooks": ({"status": "failing"},),
    "segments/@segment/followers": (),
    "campaigns/@campaign/deliveries": ({"status": "failed"}, {"channel": "email"}),
    "notifications/@notification/deliveries": ({"status": "skipped"},),
    "followers/@follower": (),
    "deliveries/@delivery": (),
    "deliveries/@delivery/timeline": (),
    "campaigns/@campaign/balance": (),
}
DETAILS: dict[str, str] = {
    "dashboard:follower": "follower",
    "dashboard:campaign": "campaign",
    "dashboard:notification": "notification",
    "dashboard:results-of": "notification",
    "dashboard:delivery": "delivery",
    "dashboard:segment": "segment",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One page or call: its name, the same on every site, and its address here."""

    name: str
    url: str
    headers: dict[str, str]


def site_pages() -> tuple[Client, list[Asked]]:
    """Give a client who is logged in as an administrator, and all there is to ask."""
    there = _there()
    return logged_in(), [*_staff_pages(there), *_calls(there)]


def logged_in() -> Client:
    """A client of an administrator."""
    client = Client()
    client.force_login(User.objects.filter(role=Role.ADMIN).earliest("pk"))
    return client


def with_key() -> dict[str, str]:
    """The header of a program that may do everything."""
    by = command("site_pages")
    _key, secret = keys.issue(name="Pages", scopes=list(Scope), by=by, now=timezone.now())
    return {"Authorization": f"Bearer {secret}"}


def _there() -> dict[str, str]:
    """What stands for what in addresses: somebody who has everything, and a large campaign."""
    address = Address.objects.filter(channel="sms").latest("pk")
    follower = address.follower
    campaign = Campaign.objects.filter(runs__isnull=False).earliest("pk")
    notification = Notification.objects.get(run__campaign=campaign)
    delivery = Delivery.objects.filter(notification=notification, status="sent").earliest("pk")
    uids: dict[str, Any] = {
        "follower": follower,
        "campaign": campaign,
        "notification": notification,
        "delivery": delivery,
        "segment": Segment.objects.earliest("pk"),
    }
    name = follower.name
    subject = AuditEntry.objects.filter(subject_type="follower").earliest("pk")
    return {f"@{what}": str(row.uid) for what, row in uids.items()} | {
        "@email": follower.email,
        "@phone": _typed(follower.phone),
        "@external_id": str(follower.external_id),
        "@name": name,
        "@piece": name[1:6],
        "@tag": "events",
        "@rare_tag": Tag.objects.get(name="VIP").slug,
        "@middle": str(_middle(Follower)),
        "@subject": f"follower:{subject.subject_id}",
    }


def _typed(phone: str) -> str:
    """A number as people write it."""
    return f"{phone[:2]} ({phone[2:5]}) {phone[5:8]}-{phone[8:]}"


def _middle(model: type[Model]) -> int:
    rows = model._default_manager
    return (rows.earliest("pk").pk + rows.latest("pk").pk) // 2


def _staff_pages(there: dict[str, str]) -> Iterator[Asked]:
    for item in menu.ITEMS:
        yield Asked(item.url_name, reverse(item.url_name), {})
    for page, filters in FILTERS.items():
        for asked in filters:
            yield Asked(_named(page, asked), _address(reverse(page), asked, there), {})
    for page, what in DETAILS.items():
        yield Asked(page, reverse(page, args=[there[f"@{what}"]]), {})


def _calls(there: dict[str, str]) -> Iterator[Asked]:
    headers = with_key()
    lists = [path for path, view in VIEWS.items() if "<" not in path and hasattr(view, "get")]
    for path in dict.fromkeys([*lists, *CALLS]):
        here = "/".join(there.get(part, part) for part in path.split("/"))
        for asked in ({}, *CALLS.get(path, ())):
            address = _address(f"/api/v1/{here}", asked, there)
            yield Asked(_named(f"api:{path}", asked), address, headers)


def _named(page: str, asked: dict[str, str]) -> str:
    if asked:
        return f"{page}?{'&'.join(f'{name}={value}' for name, value in asked.items())}"
    return page


def _address(path: str, asked: dict[str, str], there: dict[str, str]) -> str:
    if not asked:
        return path
    return f"{path}?{urlencode({name: there.get(value, value) for name, value in asked.items()})}"

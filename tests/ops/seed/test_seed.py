"""`manage.py seed`: a small big site, whose books are true and whose pages open."""

import datetime as dt
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import Count, F, Model
from django.test.utils import CaptureQueriesContext

from apps.campaigns.models import Campaign
from apps.followers.models import Address, Follower, Preference, Suppression, Tagging
from apps.inbox.models import InboxItem
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    Engagement,
    EngagementTally,
    Notification,
)
from apps.ops.seed.site import Size, seed_site
from tests.query_budgets import UPDATE, beyond
from tests.site_pages import site_pages

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)


def seed(*words: str) -> str:
    out = io.StringIO()
    call_command("seed", *words, stdout=out)
    return out.getvalue()


def count(model: type[Model], **wanted: Any) -> int:
    return model._default_manager.filter(**wanted).count()


def test_a_seeded_site_has_true_books_and_pages_within_their_budgets() -> None:
    said = seed("--followers", "300", "--deliveries", "1500")
    assert "Made 300 followers and 1,500 messages" in said
    assert "Log in as viewer, editor, sender, admin" in said
    assert (count(Follower), count(Delivery)) == (300, 1500)
    assert count(Follower, subscribed=False) in range(10, 60)
    assert count(Address, channel="email") in range(270, 300)
    assert count(Address, channel="sms") == 25
    assert count(Preference)
    assert count(Tagging) > 300
    # what is on the list bounced or complained there
    listed = set(Suppression.objects.exclude(reason="manual").values_list("key", flat=True))
    bad = Address.objects.filter(state__in=["bounced", "suppressed"])
    assert listed == set(bad.values_list("key", flat=True))

    out = io.StringIO()
    call_command("recount", "--all", stdout=out)
    assert " 0 numbers were wrong" in out.getvalue()
    assert set(Notification.objects.values_list("state", flat=True)) == {"done"}
    assert set(Campaign.objects.values_list("state", flat=True)) == {"sent"}
    assert count(Delivery, channel="in_app", status="sent") == count(InboxItem) > 0
    assert count(DeliveryEvent) == count(Delivery, status__in=["failed", "in_doubt"]) > 0
    opened = Delivery.objects.filter(opened_at__isnull=False)
    clicked = Delivery.objects.filter(clicked_at__isnull=False)
    assert opened.exclude(status="sent", follower__measured=True).count() == 0
    for kind, rows in (("open", opened), ("click", clicked)):
        stored = dict(rows.order_by().values_list("notification").annotate(Count("pk")))
        sums = EngagementTally.objects.filter(kind=kind, link=0)
        assert dict(sums.values_list("notification", "people")) == stored != {}
        assert count(Engagement, kind=kind) == sum(stored.values())
    assert clicked.filter(opened_at__gt=F("clicked_at")).count() == 0

    client, pages = site_pages()
    asked = {}
    for page in pages:
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(page.url, headers=page.headers)
        assert answer.status_code == 200, (page, answer.content[:500])
        asked[page.name] = len(queries)
    assert beyond(asked) == [], f"{UPDATE}=1 writes the table anew"


def test_the_same_seed_makes_the_same_people_and_messages() -> None:
    def made(number: int) -> set[Any]:
        with transaction.atomic():
            size = Size(followers=30, deliveries=60)
            seed_site(size=size, seed=number, say=lambda what: None, now=NOW)
            people = Address.objects.values_list("follower__uid", "follower__name", "key")
            messages = Delivery.objects.values_list("uid", "address__key", "status")
            found = {*people, *messages}
            transaction.set_rollback(True)
        return found

    first = made(1)
    assert first == made(1)
    assert not first & made(2)


def test_people_are_not_made_up_beside_real_ones_unasked(anna: Follower) -> None:
    with pytest.raises(CommandError, match=r"is in use.*--beside"):
        seed("--followers", "30")
    assert count(Follower) == 1
    for _ in range(2):
        seed("--followers", "30", "--deliveries", "50", "--beside")
    assert (count(Follower), count(Delivery)) == (61, 100)
    with pytest.raises(CommandError, match="At most 100 messages"):
        seed("--followers", "1", "--deliveries", "101", "--beside")
    with pytest.raises(CommandError, match="at least one"):
        seed("--followers", "0")

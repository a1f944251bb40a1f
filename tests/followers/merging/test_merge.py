"""Two followers become one: nothing is lost, and no word against a message is weakened."""

import datetime as dt
from itertools import product
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.ledger import seal_new, verify
from apps.accounts.models import User
from apps.campaigns.events.store import NewEvent, record
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import suppress
from apps.followers.merging.merge import CanNotMerge, merge
from apps.followers.merging.outcome import Subscription, cells_after, strictest
from apps.followers.models import (
    ChannelMute,
    ConsentRecord,
    Erasure,
    Follower,
    MergedFollower,
    Preference,
    Rhythm,
    Suppression,
    Tombstone,
)
from apps.followers.people import tagging
from apps.followers.people.revoke_links import revoke_links
from apps.followers.privacy import remove
from apps.followers.privacy.erase import erase
from apps.inbox.models import InboxItem
from apps.lib.actor import Actor, ActorKind
from apps.notifications.books.mistaken import delete_mistake
from apps.notifications.models import Delivery, Engagement
from tests.api.world import make_client
from tests.followers.privacy.world import erased, handed_over
from tests.make import TESTER, make_follower, make_staff, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver
from tests.subscriptions.pages import preferences_path, unsubscribe_path

NOON = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(days=1)
NEW = Subscription(False, None, None)
IN = Subscription(True, NOON, None)
OUT = Subscription(False, NOON, NOON)
OUT_LATER = Subscription(False, NOON, LATER)


def merged(kept: Follower, gone: Follower) -> Follower:
    return merge(kept=kept, gone=gone, by=TESTER, now=timezone.now())


@pytest.mark.parametrize(("kept", "gone"), product([NEW, IN, OUT, OUT_LATER], repeat=2))
def test_an_opt_out_of_either_stands(kept: Subscription, gone: Subscription) -> None:
    after = strictest(kept, gone)
    both = (kept, gone)
    if any(each.opted_out for each in both):
        assert after == (OUT_LATER if OUT_LATER in both else OUT)
    elif IN in both:
        assert after == IN
    else:
        assert after == NEW


@pytest.mark.parametrize(
    ("kept", "gone", "after"),
    [
        ({}, {}, {}),
        ({(1, "email"): True}, {(1, "email"): False}, {(1, "email"): False}),
        ({(1, "email"): False}, {(1, "email"): True}, {(1, "email"): False}),
        ({(1, "email"): True}, {(2, "sms"): False}, {(1, "email"): True, (2, "sms"): False}),
    ],
)
def test_a_preference_is_off_where_either_said_so(kept: Any, gone: Any, after: Any) -> None:
    assert cells_after(kept, gone) == after


def test_everything_of_the_one_who_goes_becomes_the_others(
    receiver: Receiver, client: Client
) -> None:
    now = timezone.now()
    kept = make_follower(email="anna@example.com", name="Anna", metadata={"plan": "pro"})
    gone = make_follower(
        email="a@example.org",
        phone="+4915112345678",
        first_name="Ann",
        external_id="crm-7",
        time_zone="Europe/Oslo",
        metadata={"plan": "free", "city": "Oslo"},
    )
    tagging.tag(followers=[kept, gone], tags=["vip"], by=TESTER, now=now)
    tagging.tag(followers=[gone], tags=["oslo"], by=TESTER, now=now)
    kind = make_type("news")
    Preference.objects.create(
        follower=kept, notification_type=kind, channel="email", allowed=True, updated_at=now
    )
    Preference.objects.create(
        follower=gone, notification_type=kind, channel="email", allowed=False, updated_at=now
    )
    ChannelMute.objects.create(follower=gone, channel="sms", created_at=now)
    Rhythm.objects.create(follower=gone, paused_until=now, updated_at=now)
    record(events=[NewEvent("order.paid", gone, {"total": 7})], now=now)
    version = make_version()
    order = make_type("order", category="informational", commercial=False)
    both = tell(order, [kept, gone], version=version, channels=["email", "in_app"])
    own = tell(order, [gone], version=version)
    drain()
    waits = tell(order, [kept, gone], version=version, send_at=now + dt.timedelta(days=1))
    told = [stands(each) for each in (both, own)]
    links = [preferences_path(gone), unsubscribe_path(gone, kind)]
    old = gone.uid
    seal_new(now=now)

    row = merged(kept, gone)

    assert list(Follower.objects.all()) == [row]
    assert (row.name, row.first_name, row.external_id) == ("Anna", "", "crm-7")
    assert (row.time_zone, row.metadata) == ("Europe/Oslo", {"plan": "pro", "city": "Oslo"})
    places = [(each.value, each.primary) for each in row.addresses.order_by("pk")]
    assert places == [
        ("anna@example.com", True), ("a@example.org", False), ("+4915112345678", True),
    ]  # fmt: skip
    assert {tag.name for tag in row.tags.all()} == {"vip", "oslo"}
    assert [cell.allowed for cell in row.preferences.all()] == [False]
    assert (row.channel_mutes.count(), row.rhythm.paused_until) == (1, now)
    assert row.events.count() == 1
    assert InboxItem.objects.filter(follower=row).count() == 2
    # the counts are what they were, and what waits goes once
    assert [stands(each) for each in (both, own)] == told
    assert stands(waits) == {"pending": 1, "cancelled": 1}
    assert ConsentRecord.objects.filter(follower=row, act="subscribed").count() == 2
    seal_new(now=now)
    assert [verify(each).broken for each in ("audit", "consent")] == ["", ""]
    # links of old mails stop messages to the right person
    assert client.get(links[0]).status_code == 200
    assert client.post(links[1], {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert client.post(f"{links[0]}unsubscribe/").status_code == 303
    row.refresh_from_db()
    assert not row.subscribed
    # and what names the one who went goes with the other
    copy = handed_over(row)["everything.json"]
    assert str(old) in copy
    assert "a@example.org" in copy
    erased(row)
    assert not Delivery.objects.exclude(follower=None).exists()
    assert not MergedFollower.objects.exists()
    assert Tombstone.objects.count() == 4


@pytest.mark.django_db
def test_revoked_links_stay_revoked(client: Client, anna: Follower) -> None:
    gone = make_follower(email="a@example.org")
    path = preferences_path(gone)
    revoke_links(follower=gone, by=TESTER, now=timezone.now())
    merged(anna, gone)
    assert client.get(path).status_code == 404
    assert client.get(preferences_path(anna)).status_code == 200


@pytest.mark.django_db
def test_a_merge_of_merged_ones_still_finds_the_first(client: Client, anna: Follower) -> None:
    first = make_follower(email="first@example.org")
    second = make_follower(email="second@example.org")
    path = preferences_path(first)
    merged(anna, merged(second, first))
    assert client.get(path).status_code == 200
    assert set(MergedFollower.objects.values_list("follower", flat=True)) == {anna.pk}


@pytest.mark.django_db
def test_what_can_not_be_merged_says_why(anna: Follower, receiver: Receiver) -> None:
    gone = make_follower(email="a@example.org")
    with pytest.raises(CanNotMerge, match="Choose two different followers"):
        merged(anna, anna)
    tell(make_type(), [gone], version=make_version())
    Delivery.objects.update(status="queued", lease_until=timezone.now())
    with pytest.raises(CanNotMerge, match="Try again in a moment"):
        merged(anna, gone)
    Delivery.objects.update(status="sent")
    merged(anna, gone)
    with pytest.raises(CanNotMerge, match="not there any more"):
        merged(anna, gone)


@pytest.mark.django_db
def test_an_opt_out_of_the_one_who_goes_stops_the_one_who_stays(anna: Follower) -> None:
    gone = make_follower(email="a@example.org")
    acts.unsubscribe(follower=gone, proof=Proof("test", TESTER, timezone.now()))
    assert not merged(anna, gone).subscribed


def test_an_administrator_sees_what_a_merge_makes_and_does_it(
    client: Client, admin: User, anna: Follower
) -> None:
    gone = make_follower(email="a@example.org", external_id="crm-7")
    path = f"/followers/{anna.uid}/merge/"
    client.force_login(make_staff("selma", role="sender"))
    assert client.get(path).status_code == 403
    client.force_login(admin)
    assert "Nobody has exactly this" in client.get(path, {"q": "nobody"}).content.decode()
    same = client.get(path, {"q": "anna@example.com"}).content.decode()
    assert "Choose two different followers." in same
    page = client.get(path, {"q": "a@example.org"}).content.decode()
    assert "anna@example.com, a@example.org" in page
    assert "crm-7" in page
    assert "+00:00" not in page
    for nobody in ({}, {"other": "nobody"}, {"other": str(anna.uid)[:-1]}):
        assert client.post(path, nobody).status_code == 404
    client.post(path, {"other": str(gone.uid)})
    assert Follower.objects.get().external_id == "crm-7"


@pytest.mark.django_db
def test_a_program_merges_and_deletes_what_it_made_by_mistake(anna: Follower) -> None:
    gone = make_follower(email="a@example.org", external_id="crm-7")
    api = make_client("followers:write", "followers:read")
    path = f"/api/v1/followers/{anna.uid}"
    lines = api.get(f"{path}/merge", {"other": str(gone.uid)}).json()["lines"]
    own_id = {"name": "external_id", "kept": None, "other": "crm-7", "after": "crm-7"}
    assert own_id in lines
    same = api.post(f"{path}/merge", {"other": str(anna.uid)})
    assert (same.status_code, same.json()["detail"]) == (409, "Choose two different followers.")
    answer = api.post(f"{path}/merge", {"other": str(gone.uid)})
    assert answer.json()["external_id"] == "crm-7"
    assert api.post(f"{path}/delete-mistake").status_code == 202
    remove.run(Erasure.objects.get().pk)
    assert not Follower.objects.exists()
    assert api.post("/api/v1/followers", {"email": "anna@example.com"}).status_code == 201


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("sent", "Something was sent to this follower."),
        ("refused", "This follower does not want to be written to"),
        ("suppressed", "This follower does not want to be written to"),
        ("spoke", "This follower said something themselves."),
    ],
)
def test_who_is_no_mistake_is_not_deleted_as_one(
    client: Client, admin: User, anna: Follower, what: str, said: str
) -> None:
    now = timezone.now()
    themselves = Actor(ActorKind.FOLLOWER, str(anna.uid))
    match what:
        case "sent":
            tell(make_type(), [anna], version=make_version())
            Delivery.objects.update(status="sent")
        case "refused":
            acts.unsubscribe(follower=anna, proof=Proof("test", TESTER, now))
        case "suppressed":
            suppress(
                channel="email", value="anna@example.com", reason="hard_bounce", by=TESTER, now=now
            )
        case "spoke":
            acts.resubscribe(follower=anna, proof=Proof("test", themselves, now))
            Proof("test", themselves, now).record(anna, "subscribed", {"all": True})
    client.force_login(admin)
    answer = client.post(f"/followers/{anna.uid}/mistake/", follow=True)
    assert said in answer.content.decode()
    assert not Erasure.objects.exists()


@pytest.mark.parametrize(
    ("of_kept", "reason", "waits"),
    [
        ("failed", "refused_recipient", True),
        ("cancelled", "", True),
        ("skipped", "address_suppressed", True),
        ("skipped", "preference_off", False),
        ("sent", "", False),
        ("in_doubt", "", False),
        ("pending", "", True),
    ],
)
def test_a_message_that_did_not_reach_the_one_who_stays_goes_to_the_other_address(
    receiver: Receiver, of_kept: str, reason: str, waits: bool
) -> None:
    kept = make_follower(email="kept@example.com")
    gone = make_follower(email="gone@example.org")
    order = make_type("order", category="informational", commercial=False)
    both = tell(order, [kept, gone], version=make_version())
    Delivery.objects.filter(follower=kept).update(
        status=of_kept, reason=reason, error="kept@", finished_at=timezone.now()
    )
    row = merged(kept, gone)
    drain()
    assert len(receiver.arrived) == waits
    # one of the two is theirs, and the count of the other has no words
    own = both.deliveries.get(follower=row)
    assert (own.status == "sent") == (waits or of_kept == "sent")
    double = both.deliveries.get(follower=None)
    assert (double.error, double.data) == ("", None)


@pytest.mark.django_db
def test_a_double_of_a_merge_keeps_no_words_and_goes_when_the_person_is_erased() -> None:
    kept = make_follower(email="kept@example.com")
    gone = make_follower(email="gone@example.org")
    order = make_type("order", category="informational", commercial=False)
    both = tell(order, [kept, gone], version=make_version(), data={"name": "Anna"})
    Delivery.objects.update(status="sent", finished_at=timezone.now())
    for delivery in both.deliveries.all():
        Engagement.objects.create(
            delivery=delivery, kind="open", at=timezone.now(), user_agent="Hers/1"
        )
    row = merged(kept, gone)
    assert list(Engagement.objects.exclude(user_agent="").values_list("delivery__follower")) == [
        (row.pk,)
    ]
    Delivery.objects.filter(follower=None).update(error="550 gone@example.org")
    erased(row)
    assert not Delivery.objects.exclude(error="").exists()
    both.refresh_from_db()
    assert both.data == {}


@pytest.mark.django_db
@pytest.mark.parametrize("as_well", [False, True])
def test_a_word_against_an_address_outlives_a_deletion_as_a_mistake(
    anna: Follower, as_well: bool
) -> None:
    by: dict[str, Any] = {"by": TESTER, "now": timezone.now()}
    erasure = delete_mistake(follower=anna, **by)
    suppress(channel="email", value="anna@example.com", reason="manual", **by)
    if as_well:  # they ask for it before their row is gone
        assert erase(follower=anna, **by) == erasure
    remove.run(erasure.pk)
    assert not Follower.objects.exists()
    assert Suppression.objects.exists() is not as_well
    assert list(Tombstone.objects.values_list("suppressed", flat=True)) == ["manual"] * as_well

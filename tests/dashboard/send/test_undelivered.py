"""What did not arrive, by reason and sender: counted from the tallies, opened by name,
sent again by who may.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import AuditEntry
from apps.campaigns import lifecycle
from apps.campaigns.models import Campaign
from apps.notifications import control, replay
from apps.notifications.models import Delivery, Notification, Replay
from tests.campaigns.drafts import make_campaign, plan
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver

URL = "dashboard:undelivered"
AGAIN = "dashboard:undelivered-again"


@pytest.fixture
def receipts(receiver: Receiver) -> Notification:
    """Three that a program sent: two refused, one in doubt."""
    receiver.answers["RCPT"] = lambda address: (
        "550 5.7.1 no such user" if address.startswith("gone") else None
    )
    receiver.answers["DOT"] = "accept"
    people = [make_follower(email=f"{name}@example.com") for name in ("gone1", "gone2", "perhaps")]
    kind = make_type("receipt", category="informational", doubt_policy="hold")
    notification = tell(kind, people, version=make_version(), source="api")
    drain()
    assert stands(notification) == {"failed": 2, "in_doubt": 1}
    receiver.answers.clear()
    return notification


@pytest.fixture
def campaign(receipts: Notification, receiver: Receiver) -> Campaign:
    """A campaign to the same three, with one refused."""
    receiver.answers["RCPT"] = {"gone1@example.com": "550 5.7.1 no such user"}.get
    campaign = make_campaign("Spring news", channels=["email"])
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=receipts.created_at))
    drain()
    receiver.answers.clear()
    return campaign


def test_groups_tell_reason_sender_and_count_and_open_their_names(
    client: Client, viewer: Any, campaign: Campaign
) -> None:
    page = page_of(as_role(client, viewer).get(reverse(URL)))
    for words in (
        "The receiving server refused the address",
        "Handed over perhaps",
        "Spring news",
        "API clients and",
    ):
        assert words in page.text
    assert not page.forms & {reverse(AGAIN)}, "looking is not sending"
    found = [link for link in page.links if link.startswith(reverse("dashboard:deliveries") + "?")]
    counts = sorted(len(client.get(link).context["page"].rows) for link in found)
    assert counts == [1, 1, 2], "the doubtful one, the campaign's, and the program's two"


def test_filters_narrow_it(client: Client, viewer: Any, campaign: Campaign) -> None:
    as_role(client, viewer)
    only_doubt = page_of(client.get(reverse(URL), {"status": "in_doubt"})).text
    assert "Handed over perhaps" in only_doubt
    assert "refused the address" not in only_doubt
    only_news = client.get(reverse(URL), {"type": campaign.notification_type.key}).context[
        "reasons"
    ]
    assert [[line.campaign for line in section.lines] for section in only_news] == [[campaign]]
    assert "Nothing matches" in page_of(client.get(reverse(URL), {"type": "unknown"})).text


def test_the_groups_of_a_million_cost_what_those_of_ten_cost(
    client: Client, viewer: Any, campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    as_role(client, viewer)
    with django_assert_max_num_queries(14):
        client.get(reverse(URL))


def test_a_program_s_failed_ones_are_sent_again_and_the_campaign_s_are_not(
    client: Client, sender: Any, receipts: Notification, campaign: Campaign, receiver: Receiver
) -> None:
    chosen = {"status": "failed", "reason": "refused_recipient", "type": "receipt"}
    answer = as_role(client, sender).post(reverse(AGAIN), chosen, follow=True)
    assert "2 messages go out again" in page_of(answer).text
    drain()
    assert stands(receipts) == {"sent": 2, "in_doubt": 1}
    assert campaign.runs.get().notification.deliveries.filter(status="failed").count() == 1
    entry = AuditEntry.objects.get(kind="delivery.retried")
    assert (entry.actor_label, entry.data["deliveries"]) == ("Selma", 2)
    again = client.post(reverse(AGAIN), chosen, follow=True)
    assert "nothing was done" in page_of(again).text


def test_a_campaign_s_failed_ones_are_sent_again(
    client: Client, sender: Any, campaign: Campaign, receiver: Receiver
) -> None:
    sent = campaign.runs.get().notification
    chosen = {"status": "failed", "reason": "refused_recipient", "notification": str(sent.uid)}
    assert (
        "1 message goes out again"
        in page_of(as_role(client, sender).post(reverse(AGAIN), chosen, follow=True)).text
    )
    campaign.refresh_from_db()
    assert campaign.state == "sending"
    drain()
    campaign.refresh_from_db()
    assert (campaign.state, stands(sent)) == ("sent", {"sent": 3})


def test_doubtful_ones_keep_their_message_id(
    client: Client, sender: Any, receipts: Notification, receiver: Receiver
) -> None:
    as_role(client, sender).post(
        reverse(AGAIN), {"status": "in_doubt", "reason": "in_doubt", "type": "receipt"}
    )
    drain()
    ids = [mail.message_id for mail in receiver.arrived if mail.recipient == "perhaps@example.com"]
    assert (len(ids), len(set(ids))) == (2, 1)


def test_an_order_under_way_is_shown_with_how_far_it_is(
    client: Client, sender: Any, receipts: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.notifications.books.transitions.CHUNK", 1)
    as_role(client, sender).post(
        reverse(AGAIN), {"status": "failed", "reason": "", "type": "receipt"}
    )
    assert (
        "1 of 2 are back in the queue, ordered by Selma" in page_of(client.get(reverse(URL))).text
    )
    replay.replay_rest(replay_id=Replay.objects.get().pk)
    assert "are back in the queue" not in page_of(client.get(reverse(URL))).text


@pytest.mark.parametrize("role", ["viewer", "editor"])
def test_who_may_not_send_sends_nothing_again(
    client: Client, request: Any, receipts: Notification, role: str
) -> None:
    as_role(client, request.getfixturevalue(role))
    chosen = {"status": "failed", "reason": "", "type": "receipt"}
    assert client.post(reverse(AGAIN), chosen).status_code == 403
    assert Delivery.objects.filter(status="failed").count() == 2


def test_what_was_written_by_hand_does_no_harm(
    client: Client, sender: Any, receipts: Notification
) -> None:
    as_role(client, sender)
    assert client.get(reverse(AGAIN)).status_code == 405
    for typed in (
        {"status": "sent", "type": "receipt"},
        {"status": "failed"},
        {"status": "failed", "type": "nope"},
    ):
        assert client.post(reverse(AGAIN), typed).status_code in (302, 404)
    assert client.post(reverse(AGAIN), {"status": "failed", "notification": "x"}).status_code == 404
    control.cancel(notification=tell_again(receipts), by=TESTER, now=receipts.created_at)
    assert stands(receipts) == {"failed": 2, "in_doubt": 1}


def tell_again(before: Notification) -> Notification:
    return tell(
        before.notification_type, [make_follower(email="late@example.com")], version=before.version
    )

"""Deliveries and notifications in the dashboard: every number opens its names,
every row tells its way.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns import lifecycle
from apps.content.models import Version
from apps.followers.consent.acts import unsubscribe
from apps.followers.consent.record import Proof
from apps.followers.models import NotificationType
from apps.notifications import replay
from apps.notifications.books.transitions import move
from apps.notifications.digests import flush
from apps.notifications.models import Delivery, DeliveryStatus, Notification, NotificationState
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type("news")


@pytest.fixture
def version(db: None) -> Version:
    return make_version()


@pytest.fixture
def sent(
    news: NotificationType, version: Version, receiver: Receiver, anna: Any, boris: Any, dana: Any
) -> Notification:
    """Anna got it, Boris had unsubscribed, Dana has no address, and Emil's server refused him."""
    emil = make_follower(email="emil@example.com", name="Emil Refused")
    receiver.answers["RCPT"] = lambda address: (
        "550 5.7.1 No such user" if address == "emil@example.com" else None
    )
    notification = tell(news, [anna, boris, dana, emil], version=version)
    drain()
    notification.refresh_from_db()
    return notification


def of(name: str) -> Delivery:
    return Delivery.objects.get(follower__name=name)


# ---------------------------------------------------------------- list
def names(client: Client, **asked: Any) -> set[str]:
    page = client.get(reverse("dashboard:deliveries"), asked).context["page"]
    return {str(row.follower) for row in page.rows}


def test_the_list_is_filtered_by_status_channel_follower_and_notification(
    client: Client, viewer: Any, sent: Notification
) -> None:
    as_role(client, viewer)
    everybody = {"Anna Weber", "Борис Иванов", "Dana Null", "Emil Refused"}
    assert names(client) == everybody
    assert names(client, status="sent") == {"Anna Weber"}
    assert names(client, status="skipped") == {"Борис Иванов", "Dana Null"}
    assert names(client, status="skipped", reason="no_address") == {"Dana Null"}
    assert names(client, channel="in_app") == set()
    assert names(client, q="emil@") == {"Emil Refused"}
    assert names(client, notification=str(sent.uid), status="failed") == {"Emil Refused"}
    assert names(client, notification=str(sent.uid), status="waiting") == set()


def test_the_list_says_why_not_in_words(client: Client, viewer: Any, sent: Notification) -> None:
    page = page_of(as_role(client, viewer).get(reverse("dashboard:deliveries")))
    assert "has no address for this channel" in page.text
    assert "unsubscribed from everything" in page.text
    assert "the receiving server refused the address" in page.text


def test_hand_written_filters_break_nothing(
    client: Client, viewer: Any, sent: Notification
) -> None:
    as_role(client, viewer)
    asked = {
        "status": "zebra",
        "channel": "pigeon",
        "notification": "17",
        "after": "x",
        "before": "-1",
    }
    assert client.get(reverse("dashboard:deliveries"), asked).status_code == 200


def test_an_empty_list_says_what_will_appear_and_a_stranger_sees_nothing(
    client: Client, viewer: Any
) -> None:
    assert client.get(reverse("dashboard:deliveries")).status_code == 302
    assert (
        "Nothing was sent yet"
        in page_of(as_role(client, viewer).get(reverse("dashboard:deliveries"))).text
    )


def test_the_lists_need_few_queries_however_long(
    client: Client,
    viewer: Any,
    news: NotificationType,
    version: Version,
    django_assert_max_num_queries: Any,
) -> None:
    people = [make_follower(email=f"p{number}@example.com") for number in range(60)]
    notification = tell(news, people, version=version)
    as_role(client, viewer)
    for asked in ({}, {"notification": str(notification.uid), "status": "waiting"}, {"q": "p1"}):
        with django_assert_max_num_queries(12):
            assert client.get(reverse("dashboard:deliveries"), asked).status_code == 200
    with django_assert_max_num_queries(10):
        client.get(reverse("dashboard:notifications"))


# ---------------------------------------------------------------- one delivery
def test_the_way_of_a_sent_one_tells_why_it_was_allowed_and_what_the_provider_called_it(
    client: Client, viewer: Any, sent: Notification
) -> None:
    page = page_of(
        as_role(client, viewer).get(reverse("dashboard:delivery", args=[of("Anna Weber").uid]))
    )
    assert "Allowed: is on by default" in page.text
    assert "Handed over through Receiver at attempt 1" in page.text


def test_the_way_of_a_skipped_one_tells_the_rule(
    client: Client, viewer: Any, sent: Notification
) -> None:
    page = page_of(
        as_role(client, viewer).get(reverse("dashboard:delivery", args=[of("Борис Иванов").uid]))
    )
    assert "Decided against: unsubscribed from everything" in page.text


def test_a_failed_one_shows_the_servers_words_and_can_be_sent_again(
    client: Client, sender: Any, viewer: Any, sent: Notification, receiver: Receiver
) -> None:
    failed = of("Emil Refused")
    page_url = reverse("dashboard:delivery", args=[failed.uid])
    retry_url = reverse("dashboard:delivery-retry", args=[failed.uid])
    page = page_of(as_role(client, viewer).get(page_url))
    assert "No such user" in page.text
    assert retry_url not in page.forms
    assert client.post(retry_url).status_code == 403
    assert of("Emil Refused").status == "failed"
    receiver.answers.clear()
    answer = as_role(client, sender).post(retry_url, follow=True)
    assert "back in the queue" in page_of(answer).text
    drain()
    assert of("Emil Refused").status == "sent"
    assert receiver.recipients.count("emil@example.com") == 1
    assert "Sent back into the queue" in page_of(client.get(page_url)).text
    assert "not failed any more" in page_of(client.post(retry_url, follow=True)).text


@pytest.fixture
def doubtful(version: Version, receiver: Receiver, anna: Any) -> Delivery:
    receiver.answers["DOT"] = "accept"
    tell(make_type("careful", doubt_policy="hold"), [anna], version=version)
    drain()
    receiver.answers.clear()
    delivery = Delivery.objects.get()
    assert delivery.status == "in_doubt"
    return delivery


def test_a_doubt_is_explained_and_settled_as_sent(
    client: Client, sender: Any, doubtful: Delivery
) -> None:
    as_role(client, sender)
    assert (
        "Perhaps it arrived"
        in page_of(client.get(reverse("dashboard:delivery", args=[doubtful.uid]))).text
    )
    settle = reverse("dashboard:delivery-settle", args=[doubtful.uid])
    assert "counts as sent" in page_of(client.post(settle, {"action": "sent"}, follow=True)).text
    assert stands(doubtful.notification) == {"sent": 1}
    assert (
        "Somebody was faster"
        in page_of(client.post(settle, {"action": "resend"}, follow=True)).text
    )


def test_a_doubt_is_settled_by_sending_again_with_the_same_message_id(
    client: Client, sender: Any, doubtful: Delivery, receiver: Receiver
) -> None:
    settle = reverse("dashboard:delivery-settle", args=[doubtful.uid])
    as_role(client, sender).post(settle, {"action": "resend"})
    drain()
    assert stands(doubtful.notification) == {"sent": 1}
    assert len(receiver.arrived) == 2
    assert receiver.arrived[0].message_id == receiver.arrived[1].message_id


def test_an_editor_can_not_settle_a_doubt(client: Client, editor: Any, doubtful: Delivery) -> None:
    url = reverse("dashboard:delivery-settle", args=[doubtful.uid])
    assert as_role(client, editor).post(url, {"action": "sent"}).status_code == 403
    assert stands(doubtful.notification) == {"in_doubt": 1}


# ---------------------------------------------------------------- notifications
def test_the_balance_sheet_adds_up_and_each_number_opens_its_names(
    client: Client, viewer: Any, sent: Notification
) -> None:
    context = (
        as_role(client, viewer).get(reverse("dashboard:notification", args=[sent.uid])).context
    )
    lines = context["lines"]
    assert sum(line.total for line in lines) == context["sheet"].total == 4
    for line in lines:
        behind = names(client, notification=str(sent.uid), status=line.status, reason=line.reason)
        assert len(behind) == line.total, line.label


def test_a_sender_pauses_resumes_and_cancels_and_the_answer_is_truthful(
    client: Client,
    sender: Any,
    news: NotificationType,
    version: Version,
    receiver: Receiver,
    anna: Any,
) -> None:
    notification = tell(news, [anna], version=version)
    as_role(client, sender)

    def do(verb: str) -> str:
        answer = client.post(
            reverse(f"dashboard:notification-{verb}", args=[notification.uid]), follow=True
        )
        return page_of(answer).text

    assert "Paused." in do("pause")
    drain()
    assert receiver.arrived == []
    assert "Paused." in do("pause")
    assert "goes on where it stopped" in do("resume")
    assert "Cancelled 1 of 1; 0 already handed over" in do("cancel")
    drain()
    assert receiver.arrived == []
    assert "It is cancelled and can't be resumed" in do("resume")


def test_an_editor_may_look_but_not_stop(
    client: Client, editor: Any, news: NotificationType, version: Version, anna: Any
) -> None:
    notification = tell(news, [anna], version=version)
    page = page_of(
        as_role(client, editor).get(reverse("dashboard:notification", args=[notification.uid]))
    )
    assert page.forms == {reverse("dashboard:logout")}
    for verb in ("pause", "resume", "cancel", "retry"):
        url = reverse(f"dashboard:notification-{verb}", args=[notification.uid])
        assert client.post(url).status_code == 403
        assert client.get(url).status_code == 403
    notification.refresh_from_db()
    assert notification.state != NotificationState.CANCELLED


def test_only_the_failed_are_sent_again(
    client: Client, sender: Any, sent: Notification, receiver: Receiver
) -> None:
    receiver.answers.clear()
    answer = as_role(client, sender).post(
        reverse("dashboard:notification-retry", args=[sent.uid]), follow=True
    )
    assert "1 failed delivery is back in the queue" in page_of(answer).text
    drain()
    assert sorted(receiver.recipients) == ["anna@example.com", "emil@example.com"]
    assert stands(sent) == {"sent": 2, "skipped": 2}


def test_the_live_part_comes_alone_for_htmx_and_stops_asking_when_all_is_done(
    client: Client,
    viewer: Any,
    sent: Notification,
    news: NotificationType,
    version: Version,
    anna: Any,
) -> None:
    as_role(client, viewer)
    live = tell(news, [anna], version=version)

    def part(notification: Notification) -> str:
        url = reverse("dashboard:notification", args=[notification.uid])
        return client.get(url, headers={"HX-Request": "true"}).content.decode()

    assert "<html" not in part(live)
    assert "hx-get" in part(live)
    assert "hx-get" not in part(sent)


def test_the_list_of_notifications_is_filtered_by_state_and_type(
    client: Client, viewer: Any, sent: Notification
) -> None:
    as_role(client, viewer)
    url = reverse("dashboard:notifications")
    assert len(client.get(url, {"state": "done", "type": "news"}).context["page"].rows) == 1
    assert "No such notification" in page_of(client.get(url, {"state": "paused"})).text


def test_what_was_judged_at_planning_is_judged_again_at_sending(
    client: Client,
    viewer: Any,
    news: NotificationType,
    version: Version,
    receiver: Receiver,
    anna: Any,
) -> None:
    notification = tell(news, [anna], version=version)
    unsubscribe(follower=anna, proof=Proof(source="test", by=TESTER, now=timezone.now()))
    drain()
    page = page_of(
        as_role(client, viewer).get(
            reverse("dashboard:delivery", args=[Delivery.objects.get().uid])
        )
    )
    assert "Decided against: unsubscribed from everything" in page.text
    assert stands(notification) == {"skipped": 1}
    assert replay.retry_failed(notification=notification, by=TESTER, now=timezone.now()) == 0


def test_a_campaigns_run_is_stopped_on_the_campaigns_own_page(
    client: Client, sender: Any, news: NotificationType, receiver: Receiver, anna: Any
) -> None:
    campaign = make_campaign("Autumn", notification_type=news)
    run = lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now())
    as_role(client, sender)
    page = page_of(client.get(reverse("dashboard:notification", args=[run.notification.uid])))
    assert page.forms == {reverse("dashboard:logout")}
    assert reverse("dashboard:campaign", args=[campaign.uid]) in page.links
    answer = client.post(
        reverse("dashboard:notification-cancel", args=[run.notification.uid]), follow=True
    )
    assert "This is a run of the campaign Autumn" in page_of(answer).text
    run.notification.refresh_from_db()
    assert run.notification.state != NotificationState.CANCELLED


# ---------------------------------------------------------------- digests, chains, taking back
@pytest.fixture
def held(
    news: NotificationType, version: Version, receiver: Receiver, anna: Any
) -> list[Notification]:
    """Two mails that wait for Anna's hour, which has come."""
    NotificationType.objects.update(digest=True)
    told = [tell(news, [anna], version=version) for _ in range(2)]
    move(Delivery.objects.all(), DeliveryStatus.HELD, due_at=timezone.now())
    return told


def test_what_is_held_says_so_and_what_was_gathered_leads_to_its_digest(
    client: Client, viewer: Any, held: list[Notification]
) -> None:
    as_role(client, viewer)
    one = reverse("dashboard:delivery", args=[held[0].deliveries.get().uid])
    assert (
        "1 of them for a digest"
        in page_of(client.get(reverse("dashboard:notification", args=[held[0].uid]))).text
    )
    assert "Held for a digest" in page_of(client.get(one)).text
    flush.flush(now=timezone.now())
    gathered = Delivery.objects.get(notification__source="digest")
    page = page_of(client.get(one))
    assert "went out as part of a digest" in page.text
    assert (digest_page := reverse("dashboard:delivery", args=[gathered.uid])) in page.links
    assert (
        "What it gathers 2 messages Hello Anna Weber Hello Anna Weber"
        in page_of(client.get(digest_page)).text
    )


def test_a_notification_is_taken_back_on_its_page_by_those_who_may_send(
    client: Client, viewer: Any, sender: Any, version: Version, receiver: Receiver, anna: Any
) -> None:
    kind = make_type("hint", category="informational", fallback=["in_app", "email"])
    notification = tell(kind, [anna], version=version, channels=["in_app", "email"])
    drain()
    url, act = (
        reverse(f"dashboard:notification{part}", args=[notification.uid])
        for part in ("", "-retract")
    )
    page = page_of(as_role(client, viewer).get(url))
    assert "In-app, then Email" in page.text
    assert act not in page.forms
    assert client.post(act).status_code == 403
    assert act in page_of(as_role(client, sender).get(url)).forms
    assert "Cancelled 1, removed 1 from inboxes." in page_of(client.post(act, follow=True)).text
    assert stands(notification) == {"sent": 1, "cancelled": 1}

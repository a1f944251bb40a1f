"""A provider reports what became of a text: proven,
in any order and any number of copies it ends the same.
"""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.channels.contract import Outcome, Result
from apps.content import drafts
from apps.content.models import Version
from apps.followers.consent import suppression
from apps.followers.models import Follower, NotificationType, Suppression
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.edit import create_account
from apps.notifications.accounts.routing import settings_in_use
from apps.notifications.models import Delivery, DeliveryEvent, Notification, ProviderAccount
from apps.notifications.sending import claim, outcomes
from tests.fake_esp import LOST
from tests.fake_sms import FakeSms
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, stands, tell
from tests.subscriptions.phone import PHONE, SECRET, SETTINGS, Phone

# each provider's words for: on its way, arrived, never will
WORDS = {
    "twilio": ("sent", "delivered", "undelivered"),
    "vonage": ("submitted", "delivered", "undeliverable"),
    "sinch": ("Dispatched", "Delivered", "Failed"),
}


@pytest.fixture(scope="module")
def server() -> Any:
    with FakeSms() as server:
        yield server


@pytest.fixture
def fake(server: FakeSms) -> FakeSms:
    server.arrived.clear()
    server.faults = []
    return server


def an_account(fake: FakeSms, kind: str) -> ProviderAccount:
    secrets = {
        name: value
        for name, value in SETTINGS[kind].items()
        if value == SECRET and name != "auth_token"
    }
    values = fake.settings(kind) | secrets
    return create_account(
        enabled=True, name=kind, provider_key=kind, settings=values, by=TESTER, now=timezone.now()
    )


@pytest.fixture(params=WORDS)
def account(request: pytest.FixtureRequest, db: None, fake: FakeSms) -> ProviderAccount:
    return an_account(fake, str(request.param))


@pytest.fixture
def twilio(db: None, fake: FakeSms) -> ProviderAccount:
    return an_account(fake, "twilio")


@pytest.fixture
def anna(db: None) -> Follower:
    return make_follower(name="Anna", phone=PHONE)


@pytest.fixture
def version(db: None) -> Version:
    now = timezone.now()
    words = {"en": {"sms": {"body": "Hello"}, "in_app": {"title": "Hello"}}}
    template = drafts.create_template(
        key="text", name="Text", translations=words, by=TESTER, now=now
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def a_type(**fields: Any) -> NotificationType:
    return make_type(channels=["sms", "in_app"], default_channels=["sms", "in_app"], **fields)


@pytest.fixture
def sent(account: ProviderAccount, anna: Follower, version: Version) -> Delivery:
    return send(tell(a_type(), [anna], version=version, channels=["sms"]))


def send(notification: Notification) -> Delivery:
    drain()
    return notification.deliveries.get(channel="sms")


class Reporter:
    """The provider of an account, with its token."""

    def __init__(self, client: Client, account: ProviderAccount, site: str) -> None:
        self.phone = Phone(client, account, site)
        self.how = {}
        if account.provider == "twilio":
            self.how = {"secret": settings_in_use(account)["auth_token"]}
        self.words = WORDS[account.provider]

    def __call__(self, row: Delivery, which: int, **how: Any) -> int:
        name = how.pop("name", None) or row.provider_id
        return self.phone.reports(row.uid, name, self.words[which], **(self.how | how))


@pytest.fixture
def reporter(client: Client, account: ProviderAccount, settings: Any) -> Reporter:
    return Reporter(client, account, settings.SITE_URL)


ON_ITS_WAY = 0
ARRIVED = 1
NEVER = 2


@pytest.mark.parametrize(
    ("told", "status"), [([ON_ITS_WAY], "sent"), ([ARRIVED], "delivered"), ([NEVER], "failed")]
)
def test_a_report_moves_the_delivery_on_and_its_copies_change_nothing(
    reporter: Reporter, sent: Delivery, told: list[int], status: str
) -> None:
    for _ in range(3):
        assert [reporter(sent, which) for which in told] == [200]
    assert stands(sent.notification) == {status: 1}
    sent.refresh_from_db()
    assert (sent.reason == "undelivered") == (status == "failed")
    assert sent.events.count() == (0 if status == "sent" else 1)
    assert AuditEntry.objects.filter(kind="delivery.failed").count() == (
        1 if status == "failed" else 0
    )


def test_in_any_order_delivered_stays_delivered(
    client: Client, twilio: ProviderAccount, anna: Follower, version: Version, settings: Any
) -> None:
    say = Reporter(client, twilio, settings.SITE_URL)
    ends = set()
    for number, order in enumerate([(ARRIVED, NEVER, ON_ITS_WAY), (NEVER, ON_ITS_WAY, ARRIVED)]):
        row = send(tell(a_type(key=f"k{number}"), [anna], version=version, channels=["sms"]))
        for which in (*order, *order):
            assert say(row, which) == 200
        assert stands(row.notification) == {"delivered": 1}
        row.refresh_from_db()
        ends.add((row.status, row.reason, row.error, row.events.count()))
    assert len(ends) == 1, ends


@pytest.mark.parametrize("how", [{"altered": True}, {"secret": "another"}])
def test_what_the_provider_did_not_sign_is_refused(
    reporter: Reporter, sent: Delivery, how: dict[str, Any]
) -> None:
    assert reporter(sent, ARRIVED, **how) == 403
    assert stands(sent.notification) == {"sent": 1}


def test_a_report_about_no_delivery_of_ours_is_taken_and_ignored(
    reporter: Reporter, sent: Delivery
) -> None:
    for stranger in (uuid7(), "test", ""):
        assert (
            reporter.phone.reports(stranger, "SM9", reporter.words[ARRIVED], **reporter.how) == 200
        )
    assert stands(sent.notification) == {"sent": 1}
    assert not DeliveryEvent.objects.exists()


@pytest.mark.parametrize("account", ["twilio"], indirect=True)
def test_the_failure_of_an_earlier_try_says_nothing_of_the_one_we_hold(
    reporter: Reporter, sent: Delivery
) -> None:
    assert reporter(sent, NEVER, name="another-try") == 200
    assert stands(sent.notification) == {"sent": 1}
    assert sent.events.get().kind == "undelivered", "it is kept"
    assert reporter(sent, ARRIVED, name="another-try") == 200
    assert stands(sent.notification) == {"delivered": 1}, "who has it has it"


@pytest.mark.parametrize("account", ["twilio"], indirect=True)
@pytest.mark.parametrize(("which", "status"), [(ARRIVED, "delivered"), (NEVER, "failed")])
def test_a_report_ends_a_doubt(
    reporter: Reporter, fake: FakeSms, anna: Follower, version: Version, which: int, status: str
) -> None:
    fake.faults = [LOST]
    row = send(tell(a_type(doubt_policy="hold"), [anna], version=version, channels=["sms"]))
    assert (row.status, row.provider_id) == ("in_doubt", "")
    assert reporter(row, which, name="SM5") == 200
    assert stands(row.notification) == {status: 1}
    row.refresh_from_db()
    assert row.provider_id == "SM5"


@pytest.mark.parametrize("account", ["twilio"], indirect=True)
def test_one_that_arrived_is_not_sent_again(
    reporter: Reporter, fake: FakeSms, anna: Follower, version: Version
) -> None:
    notification = tell(a_type(doubt_policy="resend"), [anna], version=version, channels=["sms"])
    row = notification.deliveries.get()
    DeliveryEvent.objects.create(delivery=row, at=timezone.now(), kind="in_doubt")
    assert reporter(row, ARRIVED, name="SM5") == 200
    drain()
    assert (stands(notification), fake.arrived) == ({"delivered": 1}, [])
    notification.refresh_from_db()
    assert notification.state == "done"


@pytest.mark.parametrize(
    ("attempts", "which", "answer", "stand"),
    [
        (1, ARRIVED, 200, "delivered"),
        (1, NEVER, 200, "failed"),
        (2, ARRIVED, 200, "delivered"),
        (2, NEVER, 503, "sent"),
    ],
)
def test_a_report_that_is_quicker_than_our_own_books_counts_and_the_sender_finds_it_done(
    client: Client, twilio: ProviderAccount, anna: Follower, version: Version, settings: Any,
    attempts: int, which: int, answer: int, stand: str,
) -> None:  # fmt: skip
    notification = tell(a_type(), [anna], version=version, channels=["sms"])
    batch = claim.claim(Lane(notification.lane), owner="me", size=5)
    assert batch
    Delivery.objects.update(attempts=attempts)
    row = notification.deliveries.get()
    say = Reporter(client, twilio, settings.SITE_URL)
    assert say(row, which, name="SM7") == answer
    outcomes.record("me", [(batch.rows[0], Outcome(Result.ACCEPTED, provider_id="SM7"))])
    assert stands(notification) == {stand: 1}
    assert say(row, which, name="SM7") == 200, "it comes again"
    assert stands(notification) == {"failed" if which == NEVER else "delivered": 1}


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        ("twilio", "30003", ""),  # switched off
        ("twilio", "30005", "hard_bounce"),  # nobody's number
        ("twilio", "30006", ""),  # a landline, or the carrier's fault
        ("twilio", "30007", ""),  # taken for spam
        ("twilio", "21610", "stop"),
        ("vonage", "1050", "stop"),
        ("vonage", "1430", "hard_bounce"),
        ("vonage", "1210", ""),
        ("sinch", "412", ""),
    ],
)
def test_only_a_number_that_is_dead_or_has_stopped_goes_on_the_list(
    client: Client, db: None, fake: FakeSms, anna: Follower, version: Version, settings: Any,
    kind: str, code: str, reason: str,
) -> None:  # fmt: skip
    account = an_account(fake, kind)
    row = send(tell(a_type(), [anna], version=version, channels=["sms"]))
    assert Reporter(client, account, settings.SITE_URL)(row, NEVER, code=code) == 200
    assert stands(row.notification) == {"failed": 1}
    assert list(Suppression.objects.values_list("key", "reason")) == (
        [(PHONE, reason)] if reason else []
    )


@pytest.mark.parametrize(
    ("code", "left"),
    [("30005", ""), ("21610", "stop")],  # nobody's number; a word of the person
)
@pytest.mark.parametrize(
    "order", [(NEVER, ARRIVED), (ARRIVED, NEVER), (NEVER, ARRIVED, NEVER, ARRIVED)]
)
def test_who_got_the_message_has_a_number_and_who_stopped_stays_so_in_any_order(
    client: Client, twilio: ProviderAccount, anna: Follower, version: Version, settings: Any,
    code: str, left: str, order: tuple[int, ...],
) -> None:  # fmt: skip
    row = send(tell(a_type(), [anna], version=version, channels=["sms"]))
    say = Reporter(client, twilio, settings.SITE_URL)
    for which in order:
        assert say(row, which, code=code if which == NEVER else "") == 200
    assert stands(row.notification) == {"delivered": 1}
    assert list(Suppression.objects.values_list("reason", flat=True)) == ([left] if left else [])
    assert anna.addresses.get().state == ("suppressed" if left else "active")


def test_a_message_that_arrives_takes_back_only_what_its_own_report_said(
    client: Client, twilio: ProviderAccount, anna: Follower, version: Version, settings: Any
) -> None:
    say = Reporter(client, twilio, settings.SITE_URL)
    kind = a_type()
    first, second = (send(tell(kind, [anna], version=version, channels=["sms"])) for _ in range(2))
    assert say(first, NEVER, code="30005") == 200
    assert say(second, ARRIVED) == 200
    assert Suppression.objects.get().reason == "hard_bounce", (
        "it may have arrived before the number was given up"
    )
    assert say(first, ARRIVED) == 200
    assert not Suppression.objects.exists()


def test_a_stop_outlives_the_bounce_that_it_came_after(
    client: Client, twilio: ProviderAccount, anna: Follower, version: Version, settings: Any
) -> None:
    row = send(tell(a_type(), [anna], version=version, channels=["sms"]))
    say = Reporter(client, twilio, settings.SITE_URL)
    assert say(row, NEVER, code="30005") == 200
    assert anna.addresses.get().state == "bounced"
    suppression.suppress(
        channel="sms", value=PHONE, reason="stop", note="STOP", by=TESTER, now=timezone.now()
    )
    suppression.suppress(
        channel="sms", value=PHONE, reason="hard_bounce", by=TESTER, now=timezone.now()
    )
    assert say(row, ARRIVED) == 200
    assert [(each.reason, each.note) for each in Suppression.objects.all()] == [("stop", "STOP")]
    assert anna.addresses.get().state == "suppressed"


def test_a_text_that_failed_calls_the_next_channel_and_one_that_arrived_calls_it_off(
    client: Client, twilio: ProviderAccount, version: Version, settings: Any
) -> None:
    create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
    say = Reporter(client, twilio, settings.SITE_URL)
    kind = a_type(fallback=["sms", "in_app"], fallback_after=3600)
    for number, (which, sms, inbox) in enumerate(
        [(NEVER, "failed", "sent"), (ARRIVED, "delivered", "skipped")]
    ):
        person = make_follower(name="P", phone=f"+491511234010{number}")
        notification = tell(kind, [person], version=version, channels=["sms", "in_app"])
        row = send(notification)
        assert notification.deliveries.get(channel="in_app").status == "pending"
        assert say(row, which) == 200
        drain()
        assert dict(notification.deliveries.values_list("channel", "status")) == {
            "sms": sms,
            "in_app": inbox,
        }
        stands(notification)


@pytest.mark.parametrize(
    ("site", "given", "used"),
    [
        ("https://carillon.example", "", "https://carillon.example/p/sms/{uid}/"),
        ("https://carillon.example", "https://other.example/x", "https://other.example/x"),
        ("http://127.0.0.1:8000", "", ""),  # no provider could come here
    ],
)
def test_reports_are_asked_for_by_themselves_where_the_provider_can_reach_us(
    fake: FakeSms,
    db: None,
    anna: Follower,
    version: Version,
    settings: Any,
    site: str,
    given: str,
    used: str,
) -> None:
    settings.SITE_URL = site
    values = {**fake.settings("twilio"), "status_url": given}
    account = create_account(
        enabled=True,
        name="T",
        provider_key="twilio",
        settings=values,
        by=TESTER,
        now=timezone.now(),
    )
    row = send(tell(a_type(), [anna], version=version, channels=["sms"]))
    [arrived] = fake.arrived
    assert arrived.report_to == (
        f"{used.format(uid=account.uid)}?delivery={row.uid}" if used else ""
    )

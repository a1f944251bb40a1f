"""Every provider that is wired keeps the contract,
and what follows from each fault is what the table says.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings as site
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.mail.sender import FROM
from apps.channels.messages import InAppMessage, Mail  # fmt: skip
from apps.channels.registry import provider, providers
from apps.content.drafts import published_version
from apps.followers.models import Suppression
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import edit, health, routing
from apps.notifications.models import ProviderAccount
from apps.notifications.sending import claim, outcomes
from apps.ops.checks import wiring_leads_somewhere
from tests.channels import contract
from tests.channels.basket import a_mail
from tests.channels.contract import SIDES, Fault, Side, consequence
from tests.make import TESTER, make_follower, make_staff, make_template, make_type
from tests.notifications.world import drain, make_version, stands, tell

# How each fault is understood, and whether it costs the recipient a try
USUAL = {
    Fault.THROTTLED: (Result.THROTTLED, False),
    Fault.BROKEN: (Result.TRANSIENT, True),
    Fault.LOST: (Result.IN_DOUBT, True),
    Fault.RECIPIENT: (Result.PERMANENT_RECIPIENT, True),
    Fault.CONTENT: (Result.PERMANENT_CONTENT, True),
    Fault.ACCOUNT: (Result.ACCOUNT, False),
    Fault.UNREACHABLE: (Result.ACCOUNT, False),
}
LATER = (Result.TRANSIENT, True)
DOUBT = (Result.IN_DOUBT, True)
# SMTP has no 429: 450 4.7.1 is said to one recipient, and slows their domain (slow_domains.py).
MAIL_SERVER = {Fault.THROTTLED: LATER}
# A second text or call costs money and can't be told from the first.
SMS = {Fault.BROKEN: DOUBT}
# The server belongs to one recipient, so nothing it does is the account's fault. A webhook's id
# tells a second copy. A push service that does not take our key may have met a forged subscription
# (key_refusals.py).
WEB_PUSH = {Fault.THROTTLED: LATER, Fault.UNREACHABLE: LATER, Fault.ACCOUNT: LATER}
WEBHOOK = dict.fromkeys(set(Fault) - {Fault.RECIPIENT}, LATER)
OTHERWISE: dict[str, Mapping[Fault, tuple[Result, bool]]] = {
    "smtp": MAIL_SERVER,
    "django_mail": MAIL_SERVER,
    "twilio": SMS,
    "vonage": SMS,
    "sinch": SMS,
    "twilio_voice": SMS,
    "apns": {Fault.THROTTLED: LATER},
    "web_push": WEB_PUSH,
    "webhook": WEBHOOK,
}
# Who says of a refused recipient that it is dead;
# of the others it may be a slip of the pen in our request.
DEAD = {
    **dict.fromkeys(
        ("smtp", "django_mail", "postmark", "twilio", "vonage", "twilio_voice"), Remedy.BOUNCED
    ),
    **dict.fromkeys(("fcm", "apns", "web_push", "webhook"), Remedy.GONE),
}
ASKS_FOR_A_TIME = set(SIDES) - {
    "smtp",
    "django_mail",
    "apns",
}  # their protocols have no Retry-After
GIVES_NO_ID = {"django_mail", "webhook"}


@pytest.fixture(scope="module")
def sides() -> Iterator[Any]:
    """Each is made when it is asked for first, and stays for the module."""
    with ExitStack() as stack:
        made: dict[str, Side] = {}

        def side(key: str) -> Side:
            if key not in made:
                made[key] = SIDES[key](key, stack)
            return made[key]

        yield side


@pytest.fixture(scope="module")
def seen(sides: Any) -> dict[tuple[str, Fault], Outcome]:
    """What every provider makes of every fault."""
    return {
        (key, fault): sides(key).outcome(fault)
        for key in site.PROVIDERS
        if key in SIDES
        for fault in Fault
    }


def test_every_provider_has_another_side_here_or_is_local() -> None:
    assert set(site.PROVIDERS) == {*SIDES, *contract.local()}


@pytest.mark.parametrize("key", site.PROVIDERS)
def test_it_declares_what_pages_and_forms_need(key: str) -> None:
    contract.declares_itself(provider(key))


@pytest.mark.parametrize("key", SIDES)
def test_settings_without_one_that_is_required_are_refused_by_its_label(
    key: str, db: None, sides: Any
) -> None:
    def check(kind: type[Provider], values: dict[str, Any]) -> None:
        stamp = {"by": TESTER, "now": timezone.now()}
        edit.create_account(
            enabled=True, name="Trial", provider_key=kind.key, settings=values, **stamp
        )

    contract.names_what_is_missing(provider(key), sides(key).settings, check)
    assert not ProviderAccount.objects.exists()


@pytest.mark.parametrize("key", SIDES)
def test_one_session_hands_over_many_and_closes_quietly(key: str, sides: Any) -> None:
    contract.hands_over_many(sides(key))


@pytest.mark.parametrize("key", SIDES)
def test_what_is_accepted_has_the_providers_id(key: str, sides: Any) -> None:
    side = sides(key)
    with side.kind.open(side.settings) as session:
        outcome = session.send(side.message(1))
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert bool(outcome.provider_id) == (key not in GIVES_NO_ID)


@pytest.mark.parametrize("fault", [each for each in Fault if each is not Fault.LOST])
@pytest.mark.parametrize("key", SIDES)
def test_no_fault_raises_and_each_message_is_ended_or_given_back_once(
    key: str, fault: Fault, sides: Any
) -> None:
    contract.survives(sides(key), fault)


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("key", SIDES)
def test_each_fault_is_understood_charged_and_told_without_secrets(
    key: str, fault: Fault, seen: Any, sides: Any
) -> None:
    outcome = seen[key, fault]
    expected = OTHERWISE.get(key, {}).get(fault, USUAL[fault])
    assert (outcome.result, outcome.charged) == expected, outcome.detail
    otherwise = Remedy.NONE
    if key == "webhook":
        otherwise = Remedy.FAILING
    assert outcome.remedy == (DEAD.get(key, Remedy.NONE) if fault is Fault.RECIPIENT else otherwise)
    if fault is Fault.THROTTLED:
        assert outcome.retry_after == (17 if key in ASKS_FOR_A_TIME else None)
    assert outcome.detail, "a person can read what happened"
    contract.tells_no_secret(sides(key), outcome)


def test_djangos_backend_leaves_no_doubt_about_a_mail_that_was_never_begun(sides: Any) -> None:
    side = sides("django_mail")
    for answer in ("drop", "554 5.3.2 go away"):
        message = side.message(0)
        side.answers["CONNECT"] = answer
        with side.kind.open(side.settings) as session:
            outcome = session.send(message)
        assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False), outcome.detail


# ------------------------------------------------------------------ what follows
FOREVER = "the address, for good"
ONE_LEFT = "this token goes, a URL is switched off"
NOT = "no"
AFTER_DAYS = "the URL is switched off after 5 days of it"
# (result, asked for a time): sent again, another account, next channel
FOLLOWS = {
    (Result.THROTTLED, True): (
        "when it asked for (17 s)",
        "at once; this account rests 17 s",
        "when its time is up",
    ),
    (Result.TRANSIENT, True): ("after 17 s, as asked", "after 3 tries", "when its time is up"),
    (Result.TRANSIENT, False): (
        "after 5 s and more, each time longer",
        "after 3 tries",
        "when its time is up",
    ),
    (Result.IN_DOUBT, False): (
        "once, same id; or held, as the type says",
        "no: it may have arrived",
        "when its time is up",
    ),
    (Result.PERMANENT_RECIPIENT, False): ("no: failed", "no", "at once"),
    (Result.PERMANENT_CONTENT, False): ("no: failed", "no", "at once"),
    (Result.ACCOUNT, False): (
        "when an account is free",
        "at once; this account rests 5 s",
        "when its time is up",
    ),
}


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("key", SIDES)
def test_each_fault_has_its_consequences_for_message_account_channel_and_address(
    key: str, fault: Fault, seen: Any
) -> None:
    outcome = seen[key, fault]
    follows = consequence(outcome)
    asked = outcome.retry_after is not None
    retry, failover, fallback = FOLLOWS[outcome.result, asked]
    if fault is Fault.THROTTLED and key in ("smtp", "django_mail"):
        retry = "after 60 s and more, each time longer"  # as of a greylist
    assert (follows.retry, follows.failover, follows.fallback) == (retry, failover, fallback)
    one = {Remedy.NONE: NOT, Remedy.GONE: ONE_LEFT, Remedy.FAILING: AFTER_DAYS}
    assert follows.suppression == one.get(outcome.remedy, FOREVER)


@pytest.mark.parametrize("remedy", [Remedy.NONE, Remedy.BOUNCED])
@pytest.mark.parametrize(("result", "asked"), FOLLOWS)
def test_the_consequences_are_what_the_books_then_show(
    db: None, result: Result, asked: bool, remedy: Remedy
) -> None:
    """The same words, read off the database after a sender has booked such an outcome.

    (Tokens: test_push_sending.)
    """
    for number, name in enumerate(("First", "Second")):
        values = {
            "host": "127.0.0.1",
            "port": 25,
            "security": "none",
            "from_address": "a@example.com",
        }
        stamp = {"position": number + 1, "by": TESTER, "now": timezone.now()}
        edit.create_account(enabled=True, name=name, provider_key="smtp", settings=values, **stamp)
    chain = ["email", "sms"]
    kind = make_type(
        "alert",
        category="informational",
        channels=chain,
        default_channels=chain,
        fallback=chain,
        fallback_after=600,
    )
    person = make_follower(email="anna@example.com", phone="+4915112345678")
    words = {"email": {"subject": "Hi", "text": "Hi"}, "sms": {"body": "Hi"}}
    version = published_version(make_template("alert", translations={"en": words}))
    notification = tell(kind, [person], version=version, channels=chain)
    batch = claim.claim(Lane(notification.lane), owner="me", size=5)
    assert batch
    [row] = batch.rows
    account = batch.account
    outcome = Outcome(
        result, "said", retry_after=17 if asked else None, remedy=remedy,
        charged=result not in (Result.ACCOUNT, Result.THROTTLED),
    )  # fmt: skip
    now = timezone.now()
    outcomes.record("me", [(row, outcome)], now=now)
    health.note(account, [outcome], now=now)

    follows = consequence(outcome)
    mail = notification.deliveries.get(channel="email")
    assert (mail.status == "failed") == follows.retry.startswith("no")
    if mail.status == "pending":
        assert (mail.due_at - now).total_seconds() >= (
            17 if asked else 5 if result is Result.TRANSIENT else 0
        )
    free = routing.account_for("email", now=now)
    assert free
    assert (free.name == "Second") == follows.failover.startswith("at once")
    text = notification.deliveries.get(channel="sms")
    assert (text.due_at <= now) == (follows.fallback == "at once")
    assert Suppression.objects.exists() == (
        result is Result.PERMANENT_RECIPIENT and remedy is Remedy.BOUNCED
    )


def test_the_table_of_the_reliability_page_is_what_the_providers_do(seen: Any) -> None:
    assert contract.written() == contract.table(seen), "run python -m tests.channels"


# ------------------------------------------------------------------ the one that is local
@pytest.mark.django_db
def test_a_message_to_the_inbox_is_refused_for_itself_or_its_reader_and_never_in_doubt() -> None:
    anna, kind = make_follower(name="Anna"), provider("in_app")
    assert kind.local, "stored in the transaction that notes it"

    def ends(**fields: Any) -> Result:
        values = {
            "delivery": uuid7(),
            "follower": anna.uid,
            "category": "x",
            "title": "Hi",
            "body": "",
            "link": "",
        }
        with kind.open({}) as session:
            return session.send(InAppMessage(**(values | fields))).result

    found = [ends(), ends(title=" "), ends(link="javascript:alert(1)"), ends(follower=uuid7())]
    refused = [Result.PERMANENT_CONTENT] * 2
    assert found == [Result.ACCEPTED, *refused, Result.PERMANENT_RECIPIENT]


# ---------------------------------------------------------------- a new one: one class, one line
class _Loft(Session[Mail]):
    arrived: list[str] = []

    def send(self, message: Mail) -> Outcome:
        self.arrived.append(message.to)
        return Outcome(Result.ACCEPTED, provider_id=f"ring-{len(self.arrived)}")


class Pigeon(Provider):
    key = "pigeon"
    channel = "email"
    label = "Carrier pigeon"
    settings = (
        Setting("loft", "Home loft", required=True),
        *FROM,
        Setting("whistle", "Whistle", kind="secret", help="They come to no other."),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> _Loft:
        if not settings.get("loft"):
            raise BadSettings("Home loft is missing.")
        return _Loft()


@pytest.mark.django_db
def test_a_new_provider_takes_one_class_and_one_line(
    settings: Any, client: Client, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(provider.cache_clear)
    settings.PROVIDERS = {**site.PROVIDERS, "pigeon": "tests.channels.test_contract.Pigeon"}
    assert wiring_leads_somewhere(None) == []
    kind = provider("pigeon")
    assert kind in providers()
    contract.declares_itself(kind)
    contract.hands_over_many(
        Side(
            "pigeon",
            {"loft": "Ulm"},
            lambda _: a_mail(),
            lambda _: ({}, a_mail()),
            lambda: len(_Loft.arrived),
        )
    )

    client.force_login(make_staff("ada", role="admin"))
    page = client.get(reverse("dashboard:channel-account-add", args=["pigeon"])).content.decode()
    assert "Home loft" in page
    assert 'type="password"' in page
    refused = client.post(
        reverse("dashboard:channel-account-add", args=["pigeon"]), {"name": "P", "position": 5}
    )
    assert refused.context["form"].errors.keys() == {"s_loft", "s_from_address"}
    typed = {
        "name": "Pigeons",
        "position": 5,
        "s_loft": "Ulm",
        "s_whistle": "tweet",
        "s_from_address": "a@example.com",
    }
    assert (
        client.post(reverse("dashboard:channel-account-add", args=["pigeon"]), typed).status_code
        == 302
    )
    assert "tweet" not in client.get(reverse("dashboard:channels")).content.decode()
    account = ProviderAccount.objects.get()
    client.post(reverse("dashboard:channel-account-switch", args=[account.uid]), {"enabled": "1"})

    notification = tell(
        make_type(), [make_follower(email="anna@example.com")], version=make_version()
    )
    drain()
    assert stands(notification) == {"sent": 1}
    assert _Loft.arrived[-1] == "anna@example.com"

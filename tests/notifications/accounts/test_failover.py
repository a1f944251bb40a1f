"""Two ways out: the second takes over what the first can't take,
and nobody gets a message twice for it (R-18).
"""

import datetime as dt
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from apps.followers.models import Follower, Suppression
from apps.notifications.accounts import edit
from apps.notifications.accounts.edit import AccountLimits
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    Notification,
    ProviderAccount,
    SlowDomain,
)
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.receiver import Receiver

LOG_IN = {"username": "carillon", "password": "wrong"}


@pytest.fixture
def second(receiver: Receiver) -> Iterator[Receiver]:
    """Another server, asked when the account of `receiver` can't be used."""
    with Receiver() as second:
        edit.create_account(
            enabled=True,
            name="Second",
            provider_key="smtp",
            settings=second.settings(),
            position=20,
            by=TESTER,
            now=timezone.now(),
        )
        yield second


def people(count: int) -> list[Follower]:
    return [make_follower(email=f"p{number}@example.com") for number in range(count)]


def everything(*receivers: Receiver) -> list[str]:
    return sorted(mail.recipient for receiver in receivers for mail in receiver.arrived)


def all_due(notification: Notification) -> None:
    """The time of the next try has come, and no account was reset for it."""
    Delivery.objects.filter(notification=notification, status="pending").update(
        due_at=timezone.now()
    )


def test_a_first_account_that_refuses_the_log_in_costs_nobody_a_message(
    receiver: Receiver, second: Receiver
) -> None:
    receiver.extensions.append("AUTH PLAIN LOGIN")
    receiver.answers["AUTH"] = "535 5.7.8 refused"
    first = ProviderAccount.objects.get(name="Receiver")
    edit.change_account(
        account=first, values=edit.AccountValues(settings=LOG_IN), by=TESTER, now=timezone.now()
    )
    notification = tell(make_type(), people(20), version=make_version())
    drain()
    assert stands(notification) == {"sent": 20}
    assert receiver.logins
    assert (len(receiver.arrived), len(second.arrived)) == (0, 20)
    assert everything(receiver, second) == sorted(f"p{number}@example.com" for number in range(20))
    assert set(notification.deliveries.values_list("account__name", flat=True)) == {"Second"}
    assert set(notification.deliveries.values_list("attempts", flat=True)) == {1}, (
        "what the account met is no try"
    )


@pytest.mark.parametrize(("policy", "copies"), [("resend", 2), ("hold", 1)])
def test_a_first_account_that_takes_mail_and_never_says_so(
    receiver: Receiver, second: Receiver, anna: Follower, policy: str, copies: int
) -> None:
    receiver.answers["DOT"] = (
        "accept"  # it is in the log, and the connection is closed before the 250
    )
    notification = tell(make_type(doubt_policy=policy), [anna], version=make_version())
    for _ in range(5):
        drain()
        all_due(notification)
    assert stands(notification) == {"in_doubt": 1}, "listed for a person"
    arrived = [*receiver.arrived, *second.arrived]
    assert len(arrived) == copies
    assert len({mail.message_id for mail in arrived}) == 1
    accounts = DeliveryEvent.objects.filter(kind="in_doubt").values_list("detail", flat=True)
    assert [detail["account"] for detail in accounts] == [
        ProviderAccount.objects.get(name="Receiver").pk
    ] * copies


@pytest.mark.parametrize(
    ("policy", "second_gets", "stand"), [("resend", 1, "sent"), ("hold", 0, "in_doubt")]
)
def test_one_in_doubt_goes_through_the_next_account_only_where_its_type_says_send_again(
    receiver: Receiver, second: Receiver, anna: Follower, policy: str, second_gets: int, stand: str
) -> None:
    receiver.answers["DOT"] = "accept"
    first = {
        "account": ProviderAccount.objects.get(name="Receiver"),
        "by": TESTER,
        "now": timezone.now(),
    }
    edit.change_account(
        **first, values=edit.AccountValues(limits=AccountLimits(rate=0.01))
    )  # one message, then nothing for a while
    notification = tell(make_type(doubt_policy=policy), [anna], version=make_version())
    drain()
    assert len(receiver.arrived) == 1
    edit.change_account(**first, values=edit.AccountValues(enabled=False))
    drain()
    assert (len(second.arrived), stands(notification)) == (second_gets, {stand: 1})
    assert len({mail.message_id for mail in [*receiver.arrived, *second.arrived]}) == 1


def test_what_one_account_puts_off_three_times_goes_out_through_the_next(
    receiver: Receiver, second: Receiver, anna: Follower
) -> None:
    receiver.answers["RCPT"] = {"anna@example.com": "450 4.2.0 not today"}.get
    notification = tell(make_type(), [anna, *people(3)], version=make_version())
    for _ in range(4):
        drain()
        make_due(notification)
    assert stands(notification) == {"sent": 4}
    assert [mail.recipient for mail in second.arrived] == ["anna@example.com"]
    assert everything(receiver, second) == [
        "anna@example.com",
        *(f"p{number}@example.com" for number in range(3)),
    ]
    tries: list[Any] = list(DeliveryEvent.objects.order_by("pk").values_list("detail", flat=True))
    first = ProviderAccount.objects.get(name="Receiver")
    assert [(try_["attempt"], try_["account"]) for try_ in tries] == [
        (n, first.pk) for n in (1, 2, 3)
    ]


def test_a_refused_recipient_is_not_asked_for_elsewhere(
    receiver: Receiver, second: Receiver, anna: Follower
) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 no such user"
    notification = tell(make_type(), [anna], version=make_version())
    for _ in range(3):
        drain()
        all_due(notification)
    assert (stands(notification), second.arrived) == ({"failed": 1}, [])


def quota(receiver: Receiver, takes: int, words: str) -> None:
    """The server takes so many mails, then refuses each recipient in these words."""
    left = itertools.count(-takes)
    receiver.answers["RCPT"] = lambda _: words if next(left) >= 0 else None


@pytest.mark.reported
@pytest.mark.parametrize(
    "words",
    [
        "550 5.4.5 Daily user sending limit exceeded",
        "550 Domain example.com has exceeded the max emails per hour (5/5 (100%)) allowed.",
        "554 5.7.1 <p@example.com>: Relay access denied",
        "451 4.7.1 hourly limit of outgoing messages reached",
    ],
)
def test_the_mail_servers_quota_burns_nobody_of_a_campaign(receiver: Receiver, words: str) -> None:
    quota(receiver, 5, words)
    notification = tell(make_type(), people(25), version=make_version())
    drain()
    assert stands(notification) == {"sent": 5, "pending": 20}
    account = ProviderAccount.objects.get(name="Receiver")
    assert account.paused_until
    assert account.last_error == f"{words} (at RCPT)"
    assert not Suppression.objects.exists()
    receiver.answers.clear()
    make_due(notification)
    drain()
    assert stands(notification) == {"sent": 25}
    assert everything(receiver) == sorted(f"p{number}@example.com" for number in range(25))


@pytest.mark.reported
@pytest.mark.parametrize(
    "words",
    [
        "550 5.4.5 Daily user sending limit exceeded",
        "554 5.7.1 Client host [192.0.2.7] blocked using zen.spamhaus.org",
    ],
)
def test_a_code_takes_the_next_account_at_once(
    receiver: Receiver, second: Receiver, anna: Follower, words: str
) -> None:
    receiver.answers["RCPT"] = words
    kind = make_type("code", category="critical")
    notification = tell(kind, [anna], version=make_version())
    drain()
    assert stands(notification) == {"sent": 1}
    assert [mail.recipient for mail in second.arrived] == ["anna@example.com"]
    assert not Suppression.objects.exists()


@pytest.mark.reported
def test_one_recipient_who_alone_meets_an_accounts_fault_keeps_it_from_nobody(
    receiver: Receiver, anna: Follower
) -> None:
    receiver.answers["RCPT"] = {"anna@example.com": "554 5.7.1 Relay access denied"}.get
    version = make_version()
    odd = tell(make_type(), [anna], version=version)
    for _ in range(3):
        drain()
        ProviderAccount.objects.update(paused_until=None)
    assert stands(odd) == {"pending": 1}
    assert odd.deliveries.get().due_at > timezone.now() + dt.timedelta(seconds=30)
    others = tell(make_type("more"), people(5), version=version)
    drain()
    assert stands(others) == {"sent": 5}


@pytest.mark.reported
def test_what_a_domain_blocks_waits_and_the_others_go(receiver: Receiver, anna: Follower) -> None:
    words = "550 5.7.1 the very low reputation of the sending domain"
    receiver.answers["RCPT"] = {"anna@example.com": words}.get
    boris = make_follower(email="boris@b.example")
    notification = tell(make_type(), [anna, boris], version=make_version())
    drain()
    assert stands(notification) == {"sent": 1, "pending": 1}
    waits = notification.deliveries.get(status="pending")
    assert timezone.now() + dt.timedelta(minutes=14) < waits.due_at
    assert waits.attempts == 3
    assert SlowDomain.objects.get().domain == "example.com"

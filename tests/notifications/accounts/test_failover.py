"""Two ways out: the second takes over what the first can't take,
and nobody gets a message twice for it (R-18).
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.utils import timezone

from apps.followers.models import Follower
from apps.notifications.accounts import edit
from apps.notifications.accounts.edit import AccountLimits
from apps.notifications.models import Delivery, DeliveryEvent, Notification, ProviderAccount
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.receiver import Receiver

LOG_IN = {"username": "carillon", "password": "wrong"}


@pytest.fixture
def second(receiver: Receiver) -> Iterator[Receiver]:
    """Another server, asked when the account of `receiver` can't be used."""
    with Receiver() as second:
        edit.create_account(
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

"""Several addresses per person: one is written to, the others wait their turn."""

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.addresses import BadAddress
from apps.followers.consent import suppression
from apps.followers.devices.push_devices import AppDevice, register_app
from apps.followers.models import Address, Follower
from apps.followers.people.contacts import AddressTaken
from apps.followers.people.further_addresses import create_address, delete_address, make_primary
from tests.make import TESTER, make_type
from tests.notifications.world import drain as send_all
from tests.notifications.world import make_version, tell
from tests.receiver import Receiver


def add(follower: Follower, value: str, channel: str = "email") -> Address:
    return create_address(
        follower=follower, channel=channel, value=value, by=TESTER, now=timezone.now()
    )


def states(follower: Follower) -> list[tuple[str, bool, str]]:
    return list(follower.addresses.order_by("pk").values_list("value", "primary", "state"))


def test_the_first_of_a_channel_is_primary_and_the_next_waits(anna: Follower) -> None:
    add(anna, "anna@work.example")
    add(anna, "+49 30 901820", "sms")
    assert states(anna) == [
        ("anna@example.com", True, "active"),
        ("anna@work.example", False, "active"),
        ("+4930901820", True, "active"),
    ]
    entry = AuditEntry.objects.filter(kind="follower.changed").latest("id")
    assert entry.data["after"]["addresses"][-1] == "+4930901820 (primary)"


def test_the_same_address_again_changes_nothing_and_somebody_elses_is_refused(
    anna: Follower, boris: Follower
) -> None:
    facts = AuditEntry.objects.count()
    assert add(anna, "ANNA@Example.com") == anna.addresses.get()
    assert AuditEntry.objects.count() == facts
    with pytest.raises(AddressTaken) as refusal:
        add(anna, "boris@example.com")
    assert refusal.value.follower == boris
    with pytest.raises(BadAddress):
        add(anna, "no address")
    assert len(states(anna)) == 1


def test_messages_go_to_the_one_that_is_primary_when_they_are_planned(
    anna: Follower, receiver: Receiver
) -> None:
    second = add(anna, "anna@work.example")
    kind = make_type()
    version = make_version()
    tell(kind, [anna], version=version)
    make_primary(address=second, by=TESTER, now=timezone.now())
    tell(kind, [anna], version=version)
    send_all()
    assert sorted(receiver.recipients) == ["anna@example.com", "anna@work.example"]


def test_a_removed_address_gets_nothing_any_more_and_the_other_takes_over(
    anna: Follower, receiver: Receiver
) -> None:
    add(anna, "anna@work.example")
    kind = make_type()
    version = make_version()
    waiting = tell(kind, [anna], version=version)
    delete_address(address=anna.addresses.get(primary=True), by=TESTER, now=timezone.now())
    assert states(anna) == [("anna@work.example", True, "active")]
    tell(kind, [anna], version=version)
    send_all()
    assert receiver.recipients == ["anna@work.example"]
    assert waiting.deliveries.get().reason == "no_address"


def test_a_suppressed_address_comes_back_suppressed(anna: Follower) -> None:
    now = timezone.now()
    suppression.suppress(
        channel="email", value="anna@old.example", reason="complaint", by=TESTER, now=now
    )
    add(anna, "anna@old.example")
    assert states(anna)[-1] == ("anna@old.example", False, "suppressed")


def test_devices_go_one_by_one_and_none_of_them_is_the_first(anna: Follower) -> None:
    one, other = (
        register_app(
            follower=anna, app=AppDevice(service="fcm", token=token), by=TESTER, now=timezone.now()
        )
        for token in ("a", "b")
    )
    with pytest.raises(BadAddress):
        make_primary(address=one, by=TESTER, now=timezone.now())
    delete_address(address=one, by=TESTER, now=timezone.now())
    assert list(anna.addresses.filter(channel="push").values_list("value", "primary")) == [
        (other.value, False)
    ]

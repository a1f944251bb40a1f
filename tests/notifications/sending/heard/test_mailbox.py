"""The bounce mailbox is read once a minute; no mail is lost, and none is booked twice."""

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import DataError, OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.channels.contract import BadSettings
from apps.channels.returned import imap
from apps.followers.models import Suppression
from apps.lib import crypto
from apps.notifications.messages import links
from apps.notifications.models import BounceMailbox, Delivery, DeliveryEvent, DomainReport
from apps.notifications.sending.heard import mailbox
from tests.channels.doctor.test_reports import TLS, mailed
from tests.channels.returned import letters
from tests.dashboard.pages import as_role, page_of
from tests.imap_server import PASSWORD, ImapServer
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_accounts, make_version, stands, tell
from tests.receiver import Receiver

ADDRESSES = ("anna@example.org", "boris@example.org", "carla@example.org")


class World:
    """Three mails that a server took, and the mailbox to which it sends them back."""

    def __init__(self, imap: ImapServer, receiver: Receiver) -> None:
        self.imap = imap
        make_accounts(receiver, bounce_address="bounce@news.example.com")
        people = [make_follower(email=address) for address in ADDRESSES]
        self.notification = tell(make_type("news"), people, version=make_version())
        drain()
        self.to = {each.recipient: each.sender for each in receiver.arrived}
        self.set_up()

    def set_up(self, **more: Any) -> BounceMailbox:
        now = timezone.now()
        values = {**self.imap.settings, **more}
        return mailbox.set_mailbox(settings=values, enabled=True, by=TESTER, now=now)

    def bounce(self, address: str) -> int:
        said = letters.diagnosed("550 5.1.1 User unknown", "5.1.1")
        raw = said.replace(b"anna@example.org", address.encode())
        return self.imap.put(f"X-Original-To: {self.to[address]}\n".encode() + raw)

    def read(self) -> BounceMailbox:
        mailbox.hurry(now=timezone.now())
        mailbox.read_mailbox()
        return BounceMailbox.objects.get()

    def listed(self) -> list[str]:
        return sorted(Suppression.objects.values_list("key", flat=True))


@pytest.fixture
def world(db: None) -> Iterator[World]:
    with ImapServer() as imap, Receiver() as receiver:
        yield World(imap, receiver)


def test_what_is_new_is_booked_once_and_marked_and_the_rest_is_left_alone(world: World) -> None:
    first = world.bounce(ADDRESSES[0])
    world.imap.put(letters.PERSON.encode() + b"Subject: Hello\n\nA mail of a person.\n")
    row = world.read()
    assert (row.mails, row.booked, row.last_number, row.error) == (2, 1, 2, "")
    assert (world.listed(), world.imap.seen()) == ([ADDRESSES[0]], [first])
    second = world.bounce(ADDRESSES[1])
    row = world.read()
    assert (row.mails, row.booked) == (3, 2)
    assert (world.listed(), world.imap.seen()) == ([*ADDRESSES[:2]], [first, second])
    assert stands(world.notification) == {"failed": 2, "sent": 1}


def test_a_reader_that_dies_goes_on_where_it_was(world: World) -> None:
    for address in ADDRESSES:
        number = world.bounce(address)
    world.imap.dies_at = number
    row = world.read()
    assert row.failures == 1
    assert row.error
    assert row.due_at > timezone.now()
    assert world.listed() == [*ADDRESSES[:2]]
    row = world.read()
    assert (row.failures, row.error, world.listed()) == (0, "", [*ADDRESSES])
    # a mail was booked, and its number not noted
    BounceMailbox.objects.update(last_number=0)
    world.read()
    assert DeliveryEvent.objects.filter(kind="undelivered").count() == 3


def test_a_mailbox_whose_numbers_began_anew_is_read_again_and_nothing_changes(
    world: World,
) -> None:
    world.bounce(ADDRESSES[0])
    world.read()
    world.imap.validity = 8
    world.imap.mails = {}
    world.bounce(ADDRESSES[0])
    world.bounce(ADDRESSES[1])
    row = world.read()
    assert (row.validity, row.last_number, world.listed()) == (8, 2, [*ADDRESSES[:2]])
    assert DeliveryEvent.objects.filter(kind="undelivered").count() == 2


def test_a_bounce_that_is_early_is_read_again_and_those_behind_it_do_not_wait(
    world: World,
) -> None:
    early = Delivery.objects.get(address__key=ADDRESSES[0])
    Delivery.objects.filter(pk=early.pk).update(status="queued", attempts=2)
    world.bounce(ADDRESSES[0])
    world.bounce(ADDRESSES[1])
    assert world.read().last_number == 0
    assert world.listed() == [ADDRESSES[1]]
    assert world.read().mails == 0  # both will be read again
    Delivery.objects.filter(pk=early.pk).update(status="sent", attempts=1)
    row = world.read()
    assert (row.last_number, row.mails, row.booked) == (2, 2, 2)
    assert world.listed() == [*ADDRESSES[:2]]


@pytest.mark.parametrize("wrong", [{"report-id": "a\0b\ud800"}, {"report-id": "x" * 5000}])
def test_a_report_with_what_no_database_stores_does_not_hold_up_the_others(
    world: World, wrong: dict[str, str]
) -> None:
    now = timezone.now().isoformat()
    told = TLS | {"date-range": {"start-datetime": now, "end-datetime": now}} | wrong
    body = json.dumps(told).replace("shop.example", "news.example.com")
    world.imap.put(mailed(body.encode(), "application/tlsrpt+json"))
    world.bounce(ADDRESSES[0])
    row = world.read()
    assert (row.last_number, row.booked, row.error) == (2, 2, "")
    assert (DomainReport.objects.count(), world.listed()) == (1, [ADDRESSES[0]])


def test_a_mail_that_the_database_does_not_take_stays_unread_and_the_next_one_is_booked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise DataError("value too long")

    first = world.bounce(ADDRESSES[0])
    with monkeypatch.context() as patched:
        patched.setattr(mailbox, "receive", full)
        row = world.read()
    assert (row.last_number, row.booked, world.imap.seen()) == (first, 0, [])


def test_whatever_else_stops_the_reading_is_said_on_its_page(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> None:
        raise OperationalError("the disk is full")

    world.bounce(ADDRESSES[0])
    with monkeypatch.context() as patched:
        patched.setattr(mailbox, "receive", broken)
        with pytest.raises(OperationalError):
            world.read()
    row = BounceMailbox.objects.get()
    assert (row.failures, row.lease_until) == (1, None)
    assert "the disk is full" in row.error
    assert world.read().booked == 1


def test_a_wish_about_a_message_that_is_gone_stays_unread(world: World) -> None:
    mail = Delivery.objects.get(address__key=ADDRESSES[0], channel="email")
    to = f"bounce+{links.leave_name(mail.uid)}@news.example.com"
    DeliveryEvent.objects.filter(delivery=mail).delete()
    mail.delete()
    world.imap.put(f"X-Original-To: {to}\nSubject: unsubscribe\n\n".encode())
    row = world.read()
    assert (row.mails, row.booked, world.imap.seen()) == (1, 0, [])


def test_a_mailbox_with_very_many_mails_is_read(world: World) -> None:
    raw = (b"Subject: Hello\r\n\r\n", False)
    world.imap.mails = dict.fromkeys(range(1_000_000, 1_130_000), raw)
    with imap.opened(world.imap.settings) as box:
        assert list(box.after(999_999)) == list(world.imap.mails)
        assert list(box.after(1_129_999)) == []


def test_two_readers_do_not_read_at_once_and_one_that_died_is_replaced(world: World) -> None:
    world.bounce(ADDRESSES[0])
    now = timezone.now()
    BounceMailbox.objects.update(lease_until=now + dt.timedelta(minutes=1), due_at=now)
    assert world.read().mails == 0
    BounceMailbox.objects.update(lease_until=now - dt.timedelta(seconds=1))
    assert world.read().mails == 1


def test_a_forged_address_is_left_and_those_behind_it_are_read(world: World) -> None:
    real = world.to[ADDRESSES[0]]
    forged = re.sub(r"[0-9a-f](?=@)", lambda digit: "01"[digit[0] == "0"], real)
    raw = letters.diagnosed("550 5.1.1 User unknown", "5.1.1")
    world.imap.put(f"X-Original-To: {forged}\n".encode() + raw)
    world.bounce(ADDRESSES[1])
    assert (world.read().last_number, world.listed()) == (2, [ADDRESSES[1]])


def test_its_password_is_encrypted_and_another_server_is_read_from_its_beginning(
    world: World,
) -> None:
    world.bounce(ADDRESSES[0])
    world.read()
    stored = BounceMailbox.objects.get()
    assert PASSWORD not in stored.settings
    changed = mailbox.set_mailbox(
        settings={"folder": "INBOX", "password": ""}, enabled=True, by=TESTER, now=timezone.now()
    )
    assert crypto.decrypt(changed.settings)["password"] == PASSWORD
    assert changed.last_number == 1
    assert world.set_up(folder="Bounces").last_number == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "no host"},
        {"port": 70000},
        {"security": "odd"},
        {"password": "a\r\nb"},
    ],
)
def test_settings_that_can_not_work_are_refused(world: World, wrong: dict[str, Any]) -> None:
    with pytest.raises(BadSettings):
        world.set_up(**wrong)


def test_an_administrator_sets_it_up_and_reads_it_on_its_page(
    client: Client, admin: Any, world: World
) -> None:
    as_role(client, admin)
    BounceMailbox.objects.all().delete()
    path = reverse("dashboard:bounce-mailbox")
    typed = {**world.imap.settings, "enabled": "on"}
    page = page_of(client.post(path, typed, follow=True))
    assert "The mailbox was saved." in page.text
    assert PASSWORD not in page.text
    world.bounce(ADDRESSES[0])
    read = reverse("dashboard:bounce-mailbox-read")
    assert "The mailbox was read." in page_of(client.post(read, follow=True)).text
    assert world.listed() == [ADDRESSES[0]]
    world.imap.deaf = True
    assert "AUTHENTICATIONFAILED" in page_of(client.post(read, follow=True)).text

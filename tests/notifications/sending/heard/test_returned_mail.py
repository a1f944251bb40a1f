"""A mail that comes back is booked on the message that it is about, once, and on its address."""

import datetime as dt
import io
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.channels.contract import BadSettings
from apps.channels.mail.sender import bounce_address_of
from apps.channels.returned.reading import Says
from apps.followers.consent import suppression
from apps.followers.consent.acts import set_preferences
from apps.followers.consent.opt_out import is_out
from apps.followers.consent.record import Proof
from apps.followers.merging.merge import merge
from apps.followers.models import Address, ConsentRecord, Follower, Suppression
from apps.notifications import replay
from apps.notifications.messages import links
from apps.notifications.models import Delivery, DeliveryEvent, Notification
from apps.notifications.sending.heard.provider_reports import TooEarly
from apps.notifications.sending.heard.returned_mail import ForgedReturn, Received, receive
from tests.channels.returned import letters
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_accounts, make_version, stands, tell
from tests.receiver import Receiver


class Sent(NamedTuple):
    """A mail that Anna's server took."""

    notification: Notification
    to: str  # its return address
    raw: str


@pytest.fixture
def sent(db: None) -> Iterator[Sent]:
    anna = make_follower(name="Anna", email=letters.ANNA)
    with Receiver() as receiver:
        make_accounts(receiver, bounce_address="bounce@news.example.com")
        notification = tell(make_type("news"), [anna], version=make_version())
        drain()
        [arrived] = receiver.arrived
        yield Sent(notification, arrived.sender, arrived.raw)


def came(raw: bytes, to: str = "") -> Received:
    return receive(raw=raw, to=to, now=timezone.now())


def listed() -> list[tuple[str, str]]:
    return list(Suppression.objects.values_list("key", "reason"))


HARD = letters.diagnosed("550 5.1.1 User unknown", "5.1.1")
FULL = letters.diagnosed("552 5.2.2 Mailbox full", "5.2.2")


def test_a_mail_has_a_return_address_of_its_own(sent: Sent) -> None:
    local, _, domain = sent.to.partition("@")
    assert (local[:7], len(local) <= 64, domain) == ("bounce+", True, "news.example.com")
    assert "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply" in sent.raw


def test_a_hard_bounce_fails_the_message_and_stops_the_address_once(sent: Sent) -> None:
    changed = [came(HARD, sent.to).changed for _ in range(3)]
    assert changed == [True, False, False]
    assert stands(sent.notification) == {"failed": 1}
    assert listed() == [("anna@example.org", "hard_bounce")]
    assert Address.objects.get(key="anna@example.org").state == "bounced"
    event = DeliveryEvent.objects.get(kind="undelivered")
    assert event.detail["said"] == "550 5.1.1 User unknown"
    assert Delivery.objects.get(channel="email").reason == "undelivered"


def test_a_bounce_with_signs_that_no_database_stores_is_booked(sent: Sent) -> None:
    assert came(HARD.replace(b"User unknown", b"User \0 un\x07known"), sent.to).changed
    assert "\0" not in Delivery.objects.get(channel="email").error
    assert listed() == [("anna@example.org", "hard_bounce")]


def test_a_message_that_was_tried_again_comes_back_again_and_the_old_bounce_does_not_count(
    sent: Sent,
) -> None:
    old = b"Date: Mon, 30 Nov 2020 10:00:00 +0000\n" + HARD
    assert came(old, sent.to).changed
    suppression.release(suppression=Suppression.objects.get(), by=TESTER, now=timezone.now())
    delivery = Delivery.objects.get(channel="email")
    replay.retry_delivery(delivery=delivery, by=TESTER, now=timezone.now())
    drain()
    assert not came(old, sent.to).changed  # a second copy of the first
    assert (stands(sent.notification), listed()) == ({"sent": 1}, [])
    slow = (timezone.now() - dt.timedelta(minutes=1)).strftime("%a, %d %b %Y %H:%M:%S +0000")
    again = f"Date: {slow}\n".encode() + HARD
    assert [came(again, sent.to).changed for _ in range(2)] == [True, False]
    assert stands(sent.notification) == {"failed": 1}
    assert listed() == [("anna@example.org", "hard_bounce")]


def test_a_soft_bounce_fails_the_message_and_leaves_the_address(sent: Sent) -> None:
    assert came(FULL, sent.to.upper()).changed  # servers may change the case
    assert (stands(sent.notification), listed()) == ({"failed": 1}, [])


def test_who_has_mail_sent_on_to_an_address_that_is_gone_keeps_their_own(sent: Sent) -> None:
    elsewhere = HARD.replace(b"rfc822; anna@example.org", b"rfc822; old@example.net")
    assert came(elsewhere, sent.to).changed
    assert (stands(sent.notification), listed()) == ({"failed": 1}, [])


@pytest.mark.parametrize("raw", [letters.LATE, letters.ARRIVED, *letters.AUTO_REPLIES])
def test_delays_receipts_and_auto_replies_change_nothing(sent: Sent, raw: bytes) -> None:
    assert not came(raw, sent.to).changed
    assert (stands(sent.notification), listed()) == ({"sent": 1}, [])


def test_a_complaint_is_matched_by_the_copy_that_comes_with_it(sent: Sent) -> None:
    head, _, tail = letters.COMPLAINT.partition(b"From: News <news@example.com>\n")
    redacted = head.replace(b"Original-Rcpt-To: anna@example.org\n", b"")
    report = redacted + sent.raw.replace("\r\n", "\n").encode() + b"\n--b2--\n"
    assert tail
    found = came(report)
    assert (found.says, found.changed, listed()) == (
        Says.COMPLAINT,
        True,
        [("anna@example.org", "complaint")],
    )
    assert not came(report).changed
    assert stands(sent.notification) == {"delivered": 1}  # who complains has it


def test_a_bounce_that_went_to_another_mailbox_is_matched_by_its_copy(sent: Sent) -> None:
    copied = HARD.replace(b"From: News", f"Return-Path: <{sent.to}>\nFrom: News".encode())
    assert came(copied, "postmaster@example.com").changed
    assert not came(HARD, "postmaster@example.com").changed  # nothing says which message it was


def test_a_bounce_before_the_hand_over_of_a_second_try_is_booked_comes_again(sent: Sent) -> None:
    Delivery.objects.filter(channel="email").update(status="queued", attempts=2)
    with pytest.raises(TooEarly):
        came(HARD, sent.to)
    assert (listed(), DeliveryEvent.objects.count()) == ([], 0)


def command(raw: bytes, to: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    out = io.StringIO()
    call_command("receive_mail", "--to", to, stdout=out)
    return out.getvalue()


def test_the_command_books_and_tells_the_mail_server_by_its_exit_code(
    sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    digit = sent.to[20]
    other = "0"
    if digit == other:
        other = "1"
    forged = f"{sent.to[:20]}{other}{sent.to[21:]}"
    with pytest.raises(CommandError) as refused:
        command(HARD, forged, monkeypatch)
    assert refused.value.returncode == os.EX_NOUSER
    assert listed() == []
    Delivery.objects.filter(channel="email").update(status="queued", attempts=2)
    with pytest.raises(CommandError) as early:
        command(HARD, sent.to, monkeypatch)
    assert early.value.returncode == os.EX_TEMPFAIL
    Delivery.objects.filter(channel="email").update(status="sent")
    assert command(HARD, sent.to, monkeypatch).endswith(": booked.\n")
    assert command(b"Subject: Hello\n\nHello", sent.to, monkeypatch).endswith("nothing to book.\n")


@pytest.mark.parametrize(
    "address", ["bounce", "a+b@example.com", "longer-than-it-may-be@example.com", "b c@example.com"]
)
def test_an_address_for_bounces_that_can_carry_no_name_is_refused(address: str) -> None:
    with pytest.raises(BadSettings, match="at most 15 plain letters"):
        bounce_address_of({"bounce_address": address})


def test_without_an_address_for_bounces_the_sender_gets_them() -> None:
    settings: dict[str, Any] = {"bounce_address": ""}
    assert bounce_address_of(settings) is None


def leaving(sent: Sent) -> str:
    """The address to leave by, as the mail says it."""
    found = re.search(r"<mailto:([^?>]+)\?subject=unsubscribe>", sent.raw)
    assert found
    return found.group(1)


WISH = b"From: Anna <anna@example.org>\nMessage-ID: <%d@example.org>\nSubject: unsubscribe\n\n\n"


def test_a_mail_to_the_address_to_leave_by_opts_out_of_its_type_once(sent: Sent) -> None:
    to = leaving(sent)
    local, _, domain = to.partition("@")
    assert (len(local) <= 64, domain, to != sent.to) == (True, "news.example.com", True)
    assert "/p/unsubscribe/" in sent.raw
    assert [came(WISH % 1, to.upper()).changed for _ in range(3)] == [True, False, False]
    anna = Follower.objects.get()
    assert (is_out(anna, "news"), anna.subscribed) == (True, True)
    record = ConsentRecord.objects.filter(follower=anna).latest("pk")
    assert (record.source, record.actor_kind) == ("mail", "follower")
    set_preferences(
        follower=anna,
        cells={("news", "email"): True},
        mutes={},
        proof=Proof("preference_center", TESTER, timezone.now()),
    )
    assert not came(WISH % 1, to).changed  # the copy of an old wish
    assert not is_out(Follower.objects.get(), "news")
    assert came(WISH % 2, to).changed
    assert is_out(Follower.objects.get(), "news")


def test_a_wish_about_a_mail_to_somebody_who_was_merged_is_that_of_who_stays(
    receiver: Receiver,
) -> None:
    make_accounts(receiver, bounce_address="bounce@news.example.com")
    kept = make_follower(email="anna@example.com")
    gone = make_follower(email="a@example.org")
    tell(make_type("news"), [kept, gone], version=make_version())
    drain()
    theirs = Delivery.objects.get(follower=gone, channel="email").uid
    row = merge(kept=kept, gone=gone, by=TESTER, now=timezone.now())
    to = f"bounce+{links.leave_name(theirs)}@news.example.com"
    assert came(WISH % 1, to).changed
    assert is_out(row, "news")


@pytest.mark.parametrize("raw", [HARD, letters.LATE, *letters.AUTO_REPLIES])
def test_what_a_program_writes_to_that_address_is_nobodys_wish(sent: Sent, raw: bytes) -> None:
    assert not came(raw, leaving(sent)).changed
    assert (is_out(Follower.objects.get(), "news"), listed()) == (False, [])


def test_the_two_addresses_of_a_mail_are_not_each_other(sent: Sent) -> None:
    assert not came(WISH % 1, sent.to).changed
    changed = leaving(sent).replace("+", "+0")[:-1]
    with pytest.raises(ForgedReturn):
        came(WISH % 1, re.sub(r"[0-9a-f](?=@)", lambda m: "01"[m[0] == "0"], leaving(sent)))
    assert not came(WISH % 1, changed).changed
    assert not is_out(Follower.objects.get(), "news")


def test_a_copy_of_a_complaint_undoes_no_release(sent: Sent) -> None:
    assert came(letters.COMPLAINT, sent.to).changed
    suppression.release(suppression=Suppression.objects.get(), by=TESTER, now=timezone.now())
    assert not came(letters.COMPLAINT, sent.to).changed
    assert listed() == []

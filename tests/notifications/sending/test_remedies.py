"""A refusal that says the address is dead puts it on the suppression list in the same moment;
any other does not.
"""

from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.channels.blame import remedy_of
from apps.channels.contract import Outcome, Remedy, Result
from apps.followers.models import Address, ConsentRecord, Suppression
from apps.lib.queue.lanes import Lane
from apps.notifications.messages.row import Row
from apps.notifications.sending import claim, outcomes
from apps.notifications.sending.journal import Journal, Note, of_the_dead
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, stands, tell
from tests.receiver import Receiver


@pytest.fixture
def held(receiver: Receiver) -> Row:
    """Anna's mail in the hands of a sender."""
    notification = tell(
        make_type(), [make_follower(name="Anna", email="anna@example.com")], version=make_version()
    )
    batch = claim.claim(Lane(notification.lane), owner="me", size=5)
    assert batch
    return batch.rows[0]


def suppressed() -> list[tuple[str, str, str]]:
    return list(Suppression.objects.values_list("channel", "key", "reason"))


@pytest.mark.parametrize(
    ("result", "remedy", "reason", "state"),
    [
        (Result.PERMANENT_RECIPIENT, Remedy.BOUNCED, "hard_bounce", "bounced"),
        (Result.PERMANENT_RECIPIENT, Remedy.STOPPED, "stop", "suppressed"),
        (Result.PERMANENT_RECIPIENT, Remedy.NONE, "", "active"),
        (Result.PERMANENT_CONTENT, Remedy.BOUNCED, "", "active"),
        (Result.TRANSIENT, Remedy.BOUNCED, "", "active"),
        (Result.ACCOUNT, Remedy.STOPPED, "", "active"),
    ],
)
def test_only_a_refusal_of_the_recipient_for_good_touches_the_address(
    held: Row, result: Result, remedy: Remedy, reason: str, state: str
) -> None:
    for _ in range(2):  # a second sender that meets the same dead address
        outcomes.record("me", [(held, Outcome(result, "550 5.1.1 unknown", remedy=remedy))])
    entries = []
    said = []
    if reason:
        entries = [("email", "anna@example.com", reason)]
        said = ["550 5.1.1 unknown"]
    assert suppressed() == entries
    assert Address.objects.get().state == state
    proofs = ConsentRecord.objects.filter(act="address_suppressed").values_list("reason", flat=True)
    assert list(proofs) == said


def test_whoever_lost_the_row_touches_nothing(held: Row) -> None:
    gone = Outcome(Result.PERMANENT_RECIPIENT, remedy=Remedy.BOUNCED)
    outcomes.record("somebody else", [(held, gone)])
    assert suppressed() == []
    assert stands(held.notification) == {"queued": 1}


def test_a_successor_learns_the_remedy_from_the_journal_and_still_reads_what_older_senders_wrote(
    settings: Any, tmp_path: Path
) -> None:
    settings.JOURNAL_DIR = tmp_path
    outcome = Outcome(
        Result.PERMANENT_RECIPIENT, "410", "x", remedy=Remedy.GONE, gone_since=1700000000.5
    )
    journal = Journal()
    journal.ended(7, outcome)
    journal._write(b"E", 8, b'["permanent_recipient", "550", "", null, true]')
    journal.leave(clean=False)
    notes: dict[int, Note] = {}
    of_the_dead(lambda _, said: notes.update(said.of))
    assert notes[7].outcome == outcome
    assert notes[8].outcome == Outcome(Result.PERMANENT_RECIPIENT, "550")


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("550 5.1.1 User unknown", Remedy.BOUNCED),
        ("550-5.1.1 The email account that you tried to reach does not exist", Remedy.BOUNCED),
        ("551 5.1.6 The mailbox has moved", Remedy.BOUNCED),
        ("553 5.1.10 null MX", Remedy.BOUNCED),
        ("550 User unknown", Remedy.NONE),
        ("550 5.1.2 bad destination system", Remedy.NONE),
        ("550 5.7.1 5.1.1 blocked", Remedy.NONE),
        ("550 5.7.26 unauthenticated", Remedy.NONE),
        ("550 5.1.10.3 odd", Remedy.NONE),
        ("550 5.1.11 odd", Remedy.NONE),
        ("552 5.2.2 mailbox full", Remedy.NONE),
        ("554 5.1.1 rejected", Remedy.NONE),
        ("450 4.1.1 try later", Remedy.NONE),
    ],
)
def test_a_mail_server_says_by_its_code_that_a_mailbox_does_not_exist(
    said: str, remedy: Remedy
) -> None:
    assert remedy_of(said) is remedy


def test_the_list_is_written_at_the_time_of_the_booking(held: Row) -> None:
    now = timezone.now()
    outcomes.record(
        "me", [(held, Outcome(Result.PERMANENT_RECIPIENT, remedy=Remedy.BOUNCED))], now=now
    )
    assert Suppression.objects.get().created_at == now

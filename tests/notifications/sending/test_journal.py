"""A sender's notes: what is written, what is not, and what whoever reads them makes of it."""

import os
from pathlib import Path
from typing import Any

import pytest

from apps.channels.contract import Outcome, Remedy, Result
from apps.notifications.sending import journal
from apps.notifications.sending.journal import Journal, Note, NotWritten


def died(notes: Journal) -> dict[int, Note]:
    """Give what a successor reads once the owner is gone without a word."""
    notes.leave(clean=False)
    read: dict[str, dict[int, Note]] = {}
    journal.of_the_dead(lambda owner, found: read.update({owner: found}))
    return read[notes.owner]


def test_the_last_word_about_each_message_counts() -> None:
    notes = Journal()
    for delivery in (1, 2, 3, 4):
        notes.preparing(delivery)
    for delivery in (2, 3):
        notes.handing_over(delivery)
    taken = Outcome(Result.ACCEPTED, "250 ok", "q1")
    notes.ended(3, taken)
    notes.given_back(4)
    notes.given_back(5)  # never begun: that says nothing
    assert died(notes) == {1: Note(), 2: Note(handing_over=True), 3: Note(True, taken)}


def test_an_outcome_is_read_as_it_was_written() -> None:
    notes = Journal()
    dead = Result.PERMANENT_RECIPIENT
    gone = Outcome(dead, "410 «gone»", "", None, False, Remedy.GONE, gone_since=1_700_000_000.0)
    notes.ended(1, gone)
    assert died(notes)[1].outcome == gone


def test_a_line_of_before_there_were_remedies_is_still_read() -> None:
    notes = Journal()
    notes._write("E", 1, '["accepted", "250 ok", "q1", null, true]')
    assert died(notes)[1].outcome == Outcome(Result.ACCEPTED, "250 ok", "q1")


def test_on_a_full_disk_nothing_may_leave() -> None:
    notes = Journal()
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, notes._fd)
    os.close(full)
    with pytest.raises(NotWritten, match="can't be written: No space left on device"):
        notes.preparing(1)


def test_a_journal_that_went_away_while_it_was_looked_for_is_nobodys(settings: Any) -> None:
    notes = Journal()
    notes.preparing(1)
    gone = Path(settings.JOURNAL_DIR) / "0-gone.journal"
    gone.symlink_to("nowhere")  # seen in the folder, and not there when it is opened
    assert died(notes) == {1: Note()}

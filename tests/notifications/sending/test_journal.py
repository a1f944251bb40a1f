"""A sender's notes: what is written, what is not, and what whoever reads them makes of it."""

import os
from pathlib import Path
from typing import Any

import pytest

from apps.channels.contract import Outcome, Remedy, Result
from apps.notifications.sending import journal
from apps.notifications.sending.journal import Journal, Note, Notes, NotWritten

DOUBT = Note(handing_over=True, guessed=True)


def read(notes: Journal) -> Notes:
    """Give what a successor reads once the owner is gone without a word."""
    notes.leave(clean=False)
    found: dict[str, Notes] = {}
    journal.of_the_dead(lambda owner, said: found.update({owner: said}))
    return found[notes.owner]


def died(notes: Journal) -> dict[int, Note]:
    """Give the notes of one whose journal has no fault."""
    found = read(notes)
    assert found.unreadable == 0
    return found.of


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


TAKEN = Outcome(Result.ACCEPTED, "250 ok", "q1")


def damaged(damage: bytes, *, before: int = 0, behind: bytes = b"") -> Notes:
    """Read a journal in which 1 was taken, 2 was leaving and 3 in preparation, then the damage.

    `before`: bytes of the end that the damage replaces.
    """
    notes = Journal()
    for delivery in (1, 2, 3):
        notes.preparing(delivery)
    notes.handing_over(1)
    notes.ended(1, TAKEN)
    notes.handing_over(2)
    said = notes._path.read_bytes()
    notes._path.write_bytes(said[: len(said) - before] + damage + behind)
    return read(notes)


@pytest.mark.reported
@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 40,
        b"\0" * 40 + b"\n",
        b"\0\0\0 12 \n",
        b"H 4",
        b"\n",
        b"H four \n",
        b"\xff\xfe\x00H\n",
        b"handed over 4\n",
        b'{"handed": 4}\n',
        b"H 99999999999999999999 \n",
    ],
)
def test_a_line_nobody_can_read_leaves_doubt_of_all_it_may_have_been_about(damage: bytes) -> None:
    found = damaged(damage)
    assert found.unreadable > 0
    assert found.about(1) == Note(True, TAKEN), "that was over"
    assert [found.about(delivery) for delivery in (2, 3, 4)] == [DOUBT] * 3


@pytest.mark.reported
def test_who_is_named_behind_the_damage_is_known_again() -> None:
    found = damaged(b"\0" * 9, behind=b"P 3 \nH 4 \nB 5 \n")
    assert found.about(3) == Note()
    assert found.about(4) == Note(handing_over=True)
    assert found.about(5) is None
    assert found.about(6) == DOUBT


def test_one_that_was_to_be_tried_again_is_in_doubt_behind_the_damage() -> None:
    notes = Journal()
    notes.ended(1, Outcome(Result.TRANSIENT, "450 later"))
    notes._path.write_bytes(notes._path.read_bytes() + b"\0")
    assert read(notes).about(1) == DOUBT


@pytest.mark.reported
@pytest.mark.parametrize(
    "line",
    [
        b'E 2 ["delighted", "250 ok", "q1", null, true, "", null]\n',
        b'E 2 ["accepted", "250 o',
        b'E 2 {"result": "accepted"}\n',
        b"E 2 []\n",
        b"E 2 7\n",
        b"E 2 \n",
        b'E 2 ["transient", "", "", "soon", true, "", null]\n',
        b"S 2 scheduled\n",
    ],
)
def test_a_line_of_another_version_leaves_doubt_of_its_message_only(line: bytes) -> None:
    found = damaged(line)
    assert found.unreadable == 0
    assert found.about(2) == DOUBT
    assert (found.about(3), found.about(4)) == (Note(), None)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b'E 2 ["accepted"]\n', Outcome(Result.ACCEPTED)),
        (b'E 2 ["accepted", "250 ok", "q1"]\n', TAKEN),
        (b'E 2 ["accepted", "250 ok", "q1", null, true, "", null, "new", 7]\n', TAKEN),
        (b'E 2 ["accepted", "250 ok", "q1", null, true, "unheard of", null]\n', TAKEN),
    ],
)
def test_what_another_version_leaves_out_or_adds_stops_nothing(
    line: bytes, outcome: Outcome
) -> None:
    assert damaged(line).about(2) == Note(True, outcome)


@pytest.mark.reported
def test_half_a_line_on_a_full_disk_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Journal()
    notes.preparing(1)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda fd, line: write(fd, line[:3]))
        with pytest.raises(NotWritten, match="could not be written whole"):
            notes.handing_over(2)
    with pytest.raises(NotWritten, match="has had no room"):
        notes.handing_over(2)
    assert died(notes) == {1: Note()}

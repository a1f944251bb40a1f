"""A sender's notes: what is written, what is not, and what whoever reads them makes of it."""

import logging
import mmap
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from apps.channels.contract import Outcome, Remedy, Result
from apps.notifications.sending import journal
from apps.notifications.sending.journal import (
    LINES,
    MORE_ROOM,
    SPARE,
    Journal,
    Note,
    Notes,
    NotWritten,
)

DOUBT = Note(handing_over=True, guessed=True)
TAKEN = Outcome(Result.ACCEPTED, "250 ok", "q1")
LATER = Outcome(Result.TRANSIENT, "450 later")
# a journal as it was written before it had a head: 1 was taken, 2 was leaving, 3 in preparation
OLD = b"".join(
    line + b"\n"
    for line in (
        b"P 1 ",
        b"P 2 ",
        b"P 3 ",
        b"H 1 ",
        b'E 1 ["accepted", "250 ok", "q1", null, true, "", null]',
        b"H 2 ",
    )
)


def read(notes: Journal) -> Notes:
    """Give what a successor reads once the owner is gone without a word."""
    notes.leave(clean=False)
    return found_of(notes.owner)


def found_of(owner: str) -> Notes:
    found: dict[str, Notes] = {}
    journal.of_the_dead(lambda of, said: found.update({of: said}))
    return found[owner]


def died(notes: Journal) -> dict[int, Note]:
    """Give the notes of one whose journal has no fault."""
    found = read(notes)
    assert found.unreadable == 0
    return found.of


def summed(*lines: bytes) -> bytes:
    """Give the lines as they are stored."""
    return b"".join(b"%08x %b\n" % (crc32(line), line) for line in lines)


def one_of_each() -> Journal:
    """Give a journal in which 1 was taken, 2 is leaving and 3 in preparation."""
    notes = Journal()
    for delivery in (1, 2, 3):
        notes.preparing(delivery)
    notes.handing_over(1)
    notes.ended(1, TAKEN)
    notes.handing_over(2)
    return notes


def filled(notes: Journal) -> None:
    """Note so much that there is room for no other message."""
    while notes._room - notes._end > min(SPARE, notes._room // 2):
        notes.handing_over(7)
        notes.given_back(7)


def hand_over_for_ever(notes: Journal) -> None:
    while True:
        notes.handing_over(3)


@contextmanager
def full_disk(notes: Journal) -> Iterator[None]:
    """Let no file become larger than the journal is; Python hears of it as of a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (notes._room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# ------------------------------------------------------------------ what is written
def test_the_last_word_about_each_message_counts() -> None:
    notes = Journal()
    for delivery in (1, 2, 3, 4):
        notes.preparing(delivery)
    for delivery in (2, 3):
        notes.handing_over(delivery)
    notes.ended(3, TAKEN)
    notes.given_back(4)
    notes.given_back(5)  # never begun: that says nothing
    assert died(notes) == {1: Note(), 2: Note(handing_over=True), 3: Note(True, TAKEN)}


def test_a_journal_without_a_line_says_nothing() -> None:
    assert died(Journal()) == {}


def test_an_outcome_is_read_as_it_was_written() -> None:
    notes = Journal()
    dead = Result.PERMANENT_RECIPIENT
    gone = Outcome(dead, "410 «gone»", "", None, False, Remedy.GONE, gone_since=1_700_000_000.0)
    notes.ended(1, gone)
    assert died(notes)[1].outcome == gone


@pytest.mark.parametrize("mappable", [True, False])
def test_a_journal_grows_while_it_is_written(
    mappable: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(fd: int, length: int) -> None:
        raise OSError(19, "No such device")

    caplog.set_level(logging.WARNING, "carillon.journal")
    if not mappable:
        monkeypatch.setattr(mmap, "mmap", refuse)
    notes = Journal()
    long = Outcome(Result.TRANSIENT, "Ж" * 500)
    for delivery in range(100):
        notes.preparing(delivery)
        notes.handing_over(delivery)
        notes.ended(delivery, long)
    assert notes._room > 5 * MORE_ROOM
    assert (notes._map is not None) is mappable
    notes.handing_over(100)
    found = died(notes)
    assert all(found[delivery].outcome == long for delivery in range(100))
    assert found[100] == Note(handing_over=True)
    said = [record.getMessage() for record in caplog.records]
    if mappable:
        assert said == []
    else:
        assert said == [
            "The disk of JOURNAL_DIR can't be mapped into memory (No such device): each line is "
            "written, which takes senders more time."
        ]


# ------------------------------------------------------------------ a full disk
@pytest.mark.reported
def test_on_a_full_disk_nothing_may_leave_and_what_is_on_its_way_is_noted() -> None:
    notes = Journal()
    notes.preparing(1)
    filled(notes)
    with full_disk(notes):
        with pytest.raises(NotWritten, match=r"The journal \S+ can't be written: File too large\."):
            notes.preparing(2)
        notes.handing_over(1)
        notes.ended(1, TAKEN)
        with pytest.raises(NotWritten):
            hand_over_for_ever(notes)
    assert died(notes) == {1: Note(True, TAKEN), 3: Note(True)}


def test_a_journal_goes_on_when_there_is_room_again() -> None:
    notes = Journal()
    filled(notes)
    with full_disk(notes), pytest.raises(NotWritten):
        notes.preparing(1)
    notes.preparing(2)
    assert died(notes) == {2: Note()}


@pytest.mark.parametrize("call", ["pwrite", "open"])
def test_without_room_for_it_no_journal_is_begun(
    call: str, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, call, full)
        with pytest.raises(NotWritten, match="can't be written: No space left on device"):
            Journal()
    assert list(Path(settings.JOURNAL_DIR).iterdir()) == []


def test_room_that_is_given_in_part_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.pwrite
    notes = Journal()
    filled(notes)
    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", lambda fd, said, at: write(fd, said[:1000], at))
        with pytest.raises(NotWritten, match="No space left on device"):
            notes.preparing(1)
    notes.preparing(2)
    assert died(notes) == {2: Note()}


def test_a_line_that_can_not_be_written_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(5, "Input/output error")

    notes = Journal()
    with monkeypatch.context() as disk:
        disk.setattr(os, "pwrite", broken)
        with pytest.raises(NotWritten, match="can't be written: Input/output error"):
            notes.preparing(1)
    assert died(notes) == {}


# ------------------------------------------------------------------ a sudden end
@pytest.mark.parametrize("mapped", [False, True])
def test_the_line_at_which_a_process_was_killed_counts_if_it_is_whole(mapped: bool) -> None:
    line = summed(b"H 1 ")
    for cut in range(len(line) + 1):
        notes = Journal()
        if mapped:
            notes._remap(notes._room)
        notes.preparing(1)
        notes._put(notes._end, line[:cut])
        whole = cut >= len(line) - 1
        assert died(notes) == {1: Note(handing_over=whole)}


def test_a_journal_that_went_away_while_it_was_looked_for_is_nobodys(settings: Any) -> None:
    notes = Journal()
    notes.preparing(1)
    gone = Path(settings.JOURNAL_DIR) / "0-gone.journal"
    gone.symlink_to("nowhere")  # seen in the folder, and not there when it is opened
    assert died(notes) == {1: Note()}


@pytest.mark.reported
def test_a_journal_is_kept_for_a_while_after_the_first_look_however_old_its_last_word(
    settings: Any,
) -> None:
    notes = Journal()
    os.utime(notes._path, (0, 0))  # stores into a mapped file leave no time
    notes.leave(clean=False)
    for _ in range(2):
        found_of(notes.owner)
    os.utime(notes._path, (0, notes._path.stat().st_mtime - journal.SETTLED))
    found_of(notes.owner)
    assert list(Path(settings.JOURNAL_DIR).iterdir()) == []


# ------------------------------------------------------------------ damage
def damaged(damage: bytes, *, behind: bytes = b"") -> Notes:
    """Read a journal in which the damage, and `behind` it, stands where the next lines would."""
    notes = one_of_each()
    notes._put(notes._end, damage + behind)
    end = notes._end + len(damage + behind)
    notes._put(len(journal.HEAD), journal._END.pack(end))
    return read(notes)


@pytest.mark.reported
@pytest.mark.parametrize(
    "damage",
    [
        b"\0" * 40,
        b"\0" * 40 + b"\n",
        b"\0\0\0 12 \n",
        b"H 4",
        b"H 4 \n",
        b"\n",
        b"H four \n",
        b"\xff\xfe\x00H\n",
        b"handed over 4\n",
        b'{"handed": 4}\n',
        b"H 99999999999999999999 \n",
        b"00000000 H 4 \n",
        summed(b"H 4 ").replace(b"4", b"5"),
        summed(b"H 4")[:-1],
    ],
)
def test_a_line_nobody_can_read_leaves_doubt_of_all_it_may_have_been_about(damage: bytes) -> None:
    found = damaged(damage)
    assert found.unreadable > 0
    assert found.about(1) == Note(True, TAKEN), "that was over"
    assert [found.about(delivery) for delivery in (2, 3, 4)] == [DOUBT] * 3


@pytest.mark.reported
def test_who_is_named_behind_the_damage_is_known_again() -> None:
    found = damaged(b"\0" * 9, behind=summed(b"P 3 ", b"H 4 ", b"B 5 "))
    assert found.about(3) == Note()
    assert found.about(4) == Note(handing_over=True)
    assert found.about(5) is None
    assert found.about(6) == DOUBT


def test_one_that_was_to_be_tried_again_is_in_doubt_behind_the_damage() -> None:
    found = damaged(summed(b'E 4 ["transient", "450 later"]') + b"\0")
    assert found.about(4) == DOUBT


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a journal; what its owner has done: `_truth`."""
    from django.test import override_settings

    with override_settings(JOURNAL_DIR=tmp_path_factory.mktemp("journal")):
        notes = one_of_each()
        notes.ended(4, LATER)
        notes.preparing(5)
        notes.given_back(5)
        said = notes._path.read_bytes()
        notes.leave(clean=True)
    return said


def nothing_hidden(found: Notes) -> None:
    """A damaged journal leaves doubt, and says no other thing than that what was."""
    assert found.about(1) in (Note(True, TAKEN), DOUBT)
    assert found.about(2) in (Note(True), DOUBT)
    assert found.about(3) in (Note(), DOUBT)
    assert found.about(4) in (Note(True, LATER), DOUBT)
    assert found.about(5) in (None, DOUBT)
    assert found.about(6) in (None, DOUBT)


def test_what_is_written_is_read(written: bytes) -> None:
    found = journal._read(written)
    assert found.unreadable == 0
    of = [found.about(delivery) for delivery in range(1, 7)]
    assert of == [Note(True, TAKEN), Note(True), Note(), Note(True, LATER), None, None]


@pytest.mark.reported
def test_a_bit_that_has_turned_over_hides_nothing(written: bytes) -> None:
    end = len(written.rstrip(b"\0"))
    for place in range(end):
        for bit in range(8):
            said = bytearray(written)
            said[place] ^= 1 << bit
            found = journal._read(bytes(said))
            nothing_hidden(found)
            if place >= LINES:
                assert found.unreadable > 0


@pytest.mark.reported
def test_a_journal_that_was_cut_short_hides_nothing(written: bytes) -> None:
    end = len(written.rstrip(b"\0"))
    for length in range(end):
        found = journal._read(written[:length])
        nothing_hidden(found)
        assert found.unreadable > 0


@given(data=some.data())
@settings(max_examples=200, deadline=None)
def test_a_page_that_a_disk_has_lost_hides_nothing(written: bytes, data: some.DataObject) -> None:
    end = len(written.rstrip(b"\0"))
    first = data.draw(some.integers(LINES, end - 1) | some.just(0))
    last = data.draw(some.integers(max(first, LINES), end - 1))
    lost = bytes(last + 1 - first)
    found = journal._read(written[:first] + lost + written[last + 1 :])
    nothing_hidden(found)
    assert found.unreadable > 0


@pytest.mark.reported
@pytest.mark.parametrize(
    "line",
    [
        b'E 2 ["delighted", "250 ok", "q1", null, true, "", null]',
        b'E 2 ["accepted", "250 o',
        b'E 2 {"result": "accepted"}',
        b"E 2 []",
        b"E 2 7",
        b"E 2 ",
        b'E 2 ["transient", "", "", "soon", true, "", null]',
        b"S 2 scheduled",
    ],
)
def test_a_line_of_another_version_leaves_doubt_of_its_message_only(line: bytes) -> None:
    found = damaged(summed(line))
    assert found.unreadable == 0
    assert found.about(2) == DOUBT
    assert (found.about(3), found.about(4)) == (Note(), None)


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (b'E 2 ["accepted"]', Outcome(Result.ACCEPTED)),
        (b'E 2 ["accepted", "250 ok", "q1"]', TAKEN),
        (b'E 2 ["accepted", "250 ok", "q1", null, true, "", null, "new", 7]', TAKEN),
        (b'E 2 ["accepted", "250 ok", "q1", null, true, "unheard of", null]', TAKEN),
    ],
)
def test_what_another_version_leaves_out_or_adds_stops_nothing(
    line: bytes, outcome: Outcome
) -> None:
    assert damaged(summed(line)).about(2) == Note(True, outcome)


# ------------------------------------------------------------------ before there were heads
def left(said: bytes) -> Notes:
    """Give what a successor reads in a journal that has these bytes."""
    notes = Journal()
    notes._path.write_bytes(said)
    return read(notes)


def test_a_journal_of_the_version_before_is_read() -> None:
    found = left(OLD)
    assert found.unreadable == 0
    assert found.of == {1: Note(True, TAKEN), 2: Note(True), 3: Note()}
    assert left(b'E 1 ["accepted", "250 ok", "q1", null, true]\n').of == {1: Note(True, TAKEN)}


@pytest.mark.parametrize("damage", [b"\0" * 40, b"\0\0 4 \n", b"H 4", b"\n", b"four 4 \n"])
def test_a_damaged_journal_of_the_version_before_leaves_doubt(damage: bytes) -> None:
    found = left(OLD + damage)
    assert found.unreadable > 0
    assert found.about(1) == Note(True, TAKEN)
    assert [found.about(delivery) for delivery in (2, 3, 4)] == [DOUBT] * 3

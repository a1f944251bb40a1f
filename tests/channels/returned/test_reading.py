"""What a mail that comes back says."""

import pytest

from apps.channels.returned.reading import Reading, Says, read
from tests.channels.returned import letters, servers


def _in_short(found: Reading) -> str:
    one = found.of[0]
    degree = "soft"
    if one.hard:
        degree = "hard"
    return f"{degree} {one.whose}"


@pytest.mark.parametrize("name", letters.REPORTS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_bounce_names_the_address_and_whose_fault_it_is(name: str, line_end: str) -> None:
    raw, expected = letters.REPORTS[name]
    found = read(raw.replace(b"\n", line_end.encode()))
    assert (found.says, _in_short(found), found.of[0].recipient) == (
        Says.BOUNCE,
        expected,
        letters.ANNA,
    )


def test_a_report_in_iso_2022_jp_is_understood() -> None:
    said = "ユーザーは見つかりません".encode("iso-2022-jp").decode("ascii")
    assert _in_short(read(letters.diagnosed(said))) == "hard recipient"


def test_a_delay_is_no_bounce_and_a_receipt_neither() -> None:
    assert read(letters.LATE).says is Says.DELAY
    assert read(letters.LATE_IN_WORDS).says is Says.DELAY
    assert read(letters.ARRIVED).says is Says.ARRIVED


def test_a_complaint_names_who_complains_unless_it_was_blacked_out() -> None:
    found = read(letters.COMPLAINT)
    assert (found.says, found.of[0].recipient) == (Says.COMPLAINT, letters.ANNA)
    redacted = letters.COMPLAINT.replace(b"Original-Rcpt-To: anna@example.org\n", b"")
    found = read(redacted)
    assert (found.says, found.of[0].recipient) == (Says.COMPLAINT, "")
    praise = letters.COMPLAINT.replace(b"Feedback-Type: abuse", b"Feedback-Type: not-spam")
    assert read(praise).says is Says.NOTHING


def test_parts_that_are_encoded_though_they_may_not_be_are_read() -> None:
    bounce = letters.dsn("Status: 5.1.1", "Diagnostic-Code: smtp; 550 5.1.1 no such user")
    found = read(letters.encoded(bounce, "message/delivery-status"))
    assert (found.says, _in_short(found)) == (Says.BOUNCE, "hard recipient")
    unsigned = letters.COMPLAINT.replace(b"Feedback-Type: abuse", b"Feedback-Type: auth-failure")
    for raw, says in [(letters.COMPLAINT, Says.COMPLAINT), (unsigned, Says.NOTHING)]:
        assert read(letters.encoded(raw, "message/feedback-report")).says is says


@pytest.mark.parametrize("raw", letters.AUTO_REPLIES)
def test_a_program_that_answers_for_a_person_bounces_nobody(raw: bytes) -> None:
    assert read(raw).says is Says.AUTO_REPLY


def test_ordinary_mails_say_nothing_though_they_speak_of_bounces() -> None:
    mails = list(letters.ordinary_mails())
    assert len(mails) == 200
    assert [raw for raw in mails if read(raw).says is not Says.NOTHING] == []


def test_a_bounce_that_somebody_sends_on_is_their_mail() -> None:
    bounce = letters.diagnosed("550 5.1.1 User unknown", "5.1.1")
    attached = (
        letters.PERSON.encode()
        + b'Subject: Is this yours?\nContent-Type: multipart/mixed; boundary="c"\n\n'
        + b"--c\nContent-Type: text/plain\n\nSee below.\n--c\nContent-Type: message/rfc822\n\n"
        + bounce
        + b"\n--c--\n"
    )
    assert read(attached).says is Says.NOTHING


def test_two_recipients_are_told_apart() -> None:
    raw = letters.in_words(
        "<anna@example.org>: host mx said: 550 5.1.1 User unknown\n\n"
        "<boris@example.org>: host mx said: 552 5.2.2 Mailbox full\n" + letters.COPY
    )
    found = {one.recipient: one.hard for one in read(raw).of}
    assert found == {"anna@example.org": True, "boris@example.org": False}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff" * 500,
        b"From: MAILER-DAEMON\nContent-Type: multipart/report; boundary=x\n\n--x",
        b"Content-Type: multipart/mixed; boundary=a\n\n"
        + b"--a\nContent-Type: message/rfc822\n\n" * 900,
        letters.HEAD.encode() + b"Subject: failed\n\n550 user " + b"-" * 50_000,
        letters.HEAD.encode() + b"Subject: failed\n\n550 " + b"mailbox a " * 5_000,
        letters.HEAD.encode() + b"Subject: failed\n\n" + b"a" * 50_000 + b"@" + b"b." * 20_000,
        letters.HEAD.encode() + b"Content-Type: text/plain; charset=nonsense\n\n550 5.1.1 no user",
    ],
)
def test_whatever_comes_is_read_without_an_error(raw: bytes) -> None:
    assert read(raw).says in (Says.NOTHING, Says.BOUNCE)


def test_a_report_that_is_cut_off_is_read_as_far_as_it_goes() -> None:
    whole = letters.diagnosed("550 5.1.1 User unknown", "5.1.1")
    cut = whole[: whole.index(b"--b1\nContent-Type: message/rfc822")]
    assert read(cut).of[0].hard


@pytest.mark.parametrize(
    ("name", "said"),
    [("Final-Recipient", "rfc822; " + "a" * 300_000), ("Diagnostic-Code", "user" + "." * 300_000)],
    ids=["an address without end", "an answer without end"],
)
def test_a_report_that_is_made_to_keep_us_busy_is_read_like_others(name: str, said: str) -> None:
    """It took hours: each way in which the row of signs could be read was tried."""
    lines = ["Content-Type: message/delivery-status", "", "Reporting-MTA: dns; a.example", ""]
    lines += [f"{name}: {said}", "Action: failed", "Status: 5.1.1", ""]
    found = read("\n".join(lines).encode())
    assert found.says in (Says.BOUNCE, Says.NOTHING)


@pytest.mark.parametrize("name", servers.SERVERS)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_servers_that_the_rules_were_not_made_on_are_understood(name: str, line_end: str) -> None:
    raw, expected = servers.SERVERS[name]
    found = read(raw.replace(b"\n", line_end.encode()))
    assert (found.says, _in_short(found), found.of[0].recipient) == (
        Says.BOUNCE,
        expected,
        letters.ANNA,
    )

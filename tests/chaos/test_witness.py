"""The witness of the chaos runs: what it calls an open transaction is one,
and its faults are always the same ones.
"""

import smtplib
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.log import Log
from tests.chaos.receiver import Witness, fate
from tests.patience import until


@pytest.mark.parametrize(
    ("steps", "cut_off"),
    [
        ("", False),
        ("envelope", True),
        ("envelope content answer", False),
        ("envelope content answer quit", False),
        ("envelope content", True),
        ("envelope content wait", True),
    ],
)
def test_a_transaction_is_open_from_mail_until_its_answer_was_read(
    tmp_path: Path, steps: str, cut_off: bool
) -> None:
    path = tmp_path / "log"
    with Witness(0, path, faults={}, seed=1, slowness=0) as witness:
        client = smtplib.SMTP("127.0.0.1", witness.port)
        client.ehlo()
        if "envelope" in steps:
            client.mail("a@example.com")
            client.rcpt("b@example.com")
        if "content" in steps:
            client.docmd("DATA")
            client.send("Subject: x\r\nMessage-ID: <1@x>\r\n\r\nHello\r\n.\r\n")
        if "answer" in steps:
            client.getreply()
        if "wait" in steps:  # the answer has come, and nobody reads it
            until(lambda: Log(path).read().kept, "the mail is kept")
            time.sleep(0.05)
        if "quit" in steps:
            client.quit()
        else:
            client.file.close()  # type: ignore[union-attr]
            client.sock.close()  # type: ignore[union-attr]
        ends = until(lambda: Log(path).read().ends, "the connection has ended")
    assert [end.open for end in ends] == [cut_off]
    assert len(Log(path).read().kept) == ("content" in steps)


def test_a_recipient_always_meets_the_same_fault_and_shares_are_kept() -> None:
    shares = {"CONNECT 421": 0.5, "RCPT 4xx": 0.1, "DOT 5xx": 0.1}
    met = Counter(fate(shares, 7, f"p{n}@example.com") for n in range(2000))
    assert met == Counter(fate(shares, 7, f"p{n}@example.com") for n in range(2000))
    assert set(met) == {"", "RCPT 4xx", "DOT 5xx"}
    assert all(150 < met[fault] < 250 for fault in ("RCPT 4xx", "DOT 5xx"))


def test_a_fault_is_met_once_and_a_refusal_every_time(tmp_path: Path) -> None:
    faults = {"RCPT 4xx": 0.5, "RCPT 5xx": 0.5}
    codes = []
    with (
        Witness(0, tmp_path / "log", faults=faults, seed=1, slowness=0) as witness,
        smtplib.SMTP("127.0.0.1", witness.port) as client,
    ):
        client.ehlo()
        for _ in range(2):
            for number in range(4):
                who = f"p{number}@example.com"
                client.mail("a@example.com")
                codes.append((fate(faults, 1, who), client.rcpt(who)[0]))
                client.rset()
    assert set(codes[:4]) == {("RCPT 4xx", 450), ("RCPT 5xx", 550)}
    assert set(codes[4:]) == {("RCPT 4xx", 250), ("RCPT 5xx", 550)}

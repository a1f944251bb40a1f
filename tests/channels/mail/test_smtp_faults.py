"""Every fault at every stage, in the middle of three mails: what it means,
and that its neighbours go out once.
"""

import itertools
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.channels.contract import Outcome, Result
from apps.channels.mail.smtp import Smtp
from tests.channels.basket import Basket, a_mail
from tests.patience import PATIENCE, shortly
from tests.receiver import DROP, Receiver

FIRST = "anna@example.com"
HURT = "boris@example.com"
LAST = "chen@example.com"
SENT = (Result.ACCEPTED, True)
LATER = (Result.TRANSIENT, False)
LATER_CHARGED = (Result.TRANSIENT, True)
OURS = (Result.ACCOUNT, False)
ADDRESS = (Result.PERMANENT_RECIPIENT, True)
CONTENT = (Result.PERMANENT_CONTENT, True)
BLOCKED = (Result.BLOCKED, True)
USED_UP = (Result.ACCOUNT, True)
DOUBT = (Result.IN_DOUBT, True)

FAULTS = {
    "4xx": "451 4.3.0 later",
    "5xx": "550 never",
    "block": "550 5.7.1 never",
    "quota": "550 5.4.5 Daily user sending limit exceeded",
    "421": "421 4.3.2 closing",
    "drop": DROP,
    "garbage": "ever tried, ever failed",
    "multiline": "550-never\r\n550-and\r\n550 never",
}
# RFC 5321 4.2.1 and 3.8; a connection that ends where it was idle before is opened again,
# at no cost to anybody.
MEANS = {
    "CONNECT": {
        "4xx": OURS,
        "5xx": OURS,
        "block": OURS,
        "quota": OURS,
        "421": OURS,
        "drop": OURS,
        "garbage": OURS,
        "multiline": OURS,
    },
    "MAIL": {
        "4xx": LATER,
        "5xx": OURS,
        "block": OURS,
        "quota": OURS,
        "421": SENT,
        "drop": SENT,
        "garbage": LATER,
        "multiline": OURS,
    },
    "RCPT": {
        "4xx": LATER_CHARGED,
        "5xx": ADDRESS,
        "block": BLOCKED,
        "quota": USED_UP,
        "421": LATER,
        "drop": LATER,
        "garbage": LATER,
        "multiline": ADDRESS,
    },
    "DATA": {
        "4xx": LATER,
        "5xx": CONTENT,
        "block": BLOCKED,
        "quota": USED_UP,
        "421": LATER,
        "drop": LATER,
        "garbage": LATER,
        "multiline": CONTENT,
    },
    "DOT": {
        "4xx": LATER_CHARGED,
        "5xx": CONTENT,
        "block": BLOCKED,
        "quota": USED_UP,
        "421": LATER,
        "drop": DOUBT,
        "garbage": DOUBT,
        "multiline": CONTENT,
    },
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
        assert receiver.hasty == [], "a command came before it might"


def second_time(answer: str) -> Any:
    count = itertools.count(1)
    return lambda _: answer if next(count) == 2 else None


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", MEANS)
def test_a_fault_is_charged_to_what_it_was_about_and_its_neighbours_go_out_once(
    receiver: Receiver, stage: str, fault: str, pipelining: bool
) -> None:
    if not pipelining:
        receiver.extensions.remove("PIPELINING")
    receiver.answers[stage] = second_time(FAULTS[fault])
    expected = MEANS[stage][fault]
    basket = Basket(a_mail(to) for to in (FIRST, HURT, LAST))
    with Smtp.open(receiver.settings(per_connection=1 if stage == "CONNECT" else 500)) as session:
        session.work(basket)
        assert basket.empty_handed
        outcome = basket.outcomes[HURT]
        assert (outcome.result, outcome.charged) == expected, outcome.detail
        if (
            expected[0] is Result.ACCOUNT
        ):  # nobody else is tried until the account is looked at; then the session goes on
            assert [mail.to for mail in basket.waiting] == [LAST]
            later = Basket(basket.waiting)
            session.work(later)
            assert later.results == [SENT]
        else:
            assert basket.outcomes[FIRST].result is basket.outcomes[LAST].result is Result.ACCEPTED
    arrived = expected == SENT or (stage, fault) == ("DOT", "drop")
    assert receiver.recipients == [FIRST, *([HURT] if arrived else []), LAST]
    if stage != "CONNECT":
        closes = fault in ("421", "drop", "garbage")
        # the next one's envelope was out already
        closes |= pipelining and (stage, fault) == ("DOT", "quota")
        assert receiver.connections == (2 if closes else 1), (
            "one goes on talking where sense is talked"
        )
    if fault not in ("drop", "garbage") and expected != SENT:
        assert FAULTS[fault].splitlines()[-1] in outcome.detail, "the server's own words are kept"


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
def test_answers_of_many_lines_are_understood_at_every_stage(
    receiver: Receiver, pipelining: bool
) -> None:
    if not pipelining:
        receiver.extensions.remove("PIPELINING")
    receiver.answers |= {
        stage: f"{code}-first\r\n{code}-\r\n{code} last"
        for stage, code in {"CONNECT": 220, "MAIL": 250, "RCPT": 250, "DATA": 354}.items()
    }
    basket = Basket(a_mail(to) for to in (FIRST, HURT, LAST))
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.results == [SENT] * 3
    assert receiver.recipients == [FIRST, HURT, LAST]


@pytest.mark.parametrize("stage", ["RCPT", "DATA", "BODY"])
def test_a_server_that_always_breaks_off_is_asked_once_for_each_mail(
    receiver: Receiver, stage: str
) -> None:
    receiver.answers[stage] = DROP
    basket = Basket(a_mail(to) for to in (FIRST, HURT, LAST))
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.results == [DOUBT if stage == "BODY" else LATER] * 3
    assert receiver.connections == 3
    assert receiver.arrived == []


def test_a_server_that_always_hangs_up_at_the_first_command_is_the_accounts_fault(
    receiver: Receiver,
) -> None:
    receiver.answers["MAIL"] = DROP
    basket = Basket(a_mail(to) for to in (FIRST, HURT, LAST))
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.results == [OURS]
    assert receiver.connections == 1


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
def test_a_server_that_closes_after_so_many_mails_gets_the_rest_on_new_connections(
    receiver: Receiver, pipelining: bool
) -> None:
    if not pipelining:
        receiver.extensions.remove("PIPELINING")
    count = itertools.count(1)
    receiver.answers["MAIL"] = lambda _: "421 4.7.0 too many" if next(count) % 4 == 0 else None
    everybody = [f"p{number}@example.com" for number in range(8)]
    basket = Basket(a_mail(to) for to in everybody)
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.results == [SENT] * 8
    assert receiver.recipients == everybody
    assert receiver.connections == 3


@pytest.mark.parametrize("refused", [HURT, LAST])
def test_a_server_that_wants_content_for_a_refused_recipient_gets_a_lone_dot(
    receiver: Receiver, refused: str
) -> None:
    receiver.takes_data_for_nobody = True
    receiver.answers["RCPT"] = lambda address: (
        "550 5.1.1 no such user" if address == refused else None
    )
    everybody = [FIRST, HURT, LAST]
    basket = Basket(a_mail(to) for to in everybody)
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert [basket.outcomes[to].result for to in everybody] == [
        Result.PERMANENT_RECIPIENT if to == refused else Result.ACCEPTED for to in everybody
    ]
    assert receiver.recipients == [to for to in everybody if to != refused]
    assert (receiver.connections, receiver.heard[-1]) == (1, "QUIT")


def test_any_chunking_of_the_answers_gives_the_same_outcomes() -> None:
    everybody = [f"p{number}@example.com" for number in range(6)]
    bad = {
        ("RCPT", "p1@example.com"): "450-4.2.0 later\r\n450 4.2.0 greylisted",
        ("DATA", "p2@example.com"): "554 5.6.0 no",
        ("DOT", "p3@example.com"): "452-4.3.1 full\r\n452-4.3.1 really\r\n452 4.3.1 full",
        ("DOT", "p4@example.com"): "what",
    }

    def outcomes(receiver: Receiver, chunks: list[int], pipelining: bool) -> dict[str, Outcome]:
        receiver.arrived.clear()
        if chunks:
            receiver.chunks = itertools.cycle(chunks)
        else:
            receiver.chunks = None
        if pipelining:
            receiver.extensions = ["PIPELINING"]
        else:
            receiver.extensions = []
        basket = Basket(a_mail(to) for to in everybody)
        with Smtp.open(receiver.settings()) as session:
            session.work(basket)
        assert basket.empty_handed
        assert receiver.recipients == ["p0@example.com", "p5@example.com"]
        return {
            to: Outcome(each.result, charged=each.charged) for to, each in basket.outcomes.items()
        }

    with Receiver() as receiver:
        for stage in ("RCPT", "DATA", "DOT"):
            receiver.answers[stage] = lambda address, stage=stage: bad.get((stage, address))
        whole = outcomes(receiver, [], True)
        assert [each.result for each in whole.values()] == [
            Result.ACCEPTED,
            Result.TRANSIENT,
            Result.PERMANENT_CONTENT,
            Result.TRANSIENT,
            Result.IN_DOUBT,
            Result.ACCEPTED,
        ]

        @settings(max_examples=50, deadline=None, database=None)
        @given(
            chunks=st.lists(st.integers(1, 60), min_size=1, max_size=12), pipelining=st.booleans()
        )
        def is_the_same(chunks: list[int], pipelining: bool) -> None:
            assert outcomes(receiver, chunks, pipelining) == whole

        is_the_same()


# ---- servers that are too odd for the receiver
GOES_ON = "…"


class Parrot:
    """Says the same to each command, whatever came before. With BODY, it reads no content."""

    def __init__(self, **words: str) -> None:
        self.words: dict[str, str] = {
            "CONNECT": "220 parrot",
            "EHLO": "250-parrot\r\n250 PIPELINING",
            "RSET": "250 OK",
            "QUIT": "221 Bye",
            "MAIL": "250 OK",
            "RCPT": "250 OK",
            "DATA": "354 Go",
            "DOT": "250 OK",
        } | words
        self.heard: list[str] = []
        self.silence = threading.Event()
        parrot = self

        class Conversation(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                parrot.heard.append("CONNECT")
                self.say("CONNECT")
                for line in self.rfile:
                    verb = line.split()[0].decode()
                    parrot.heard.append(verb)
                    self.say(verb)
                    if verb == "DATA" and parrot.words["DATA"].startswith("354"):
                        if "BODY" in parrot.words:
                            parrot.silence.wait(2 * PATIENCE)
                        while (line := self.rfile.readline()) != b".\r\n":
                            if not line:
                                return
                        parrot.heard.append("DOT")
                        self.say("DOT")

            def say(self, verb: str) -> None:
                words = parrot.words.get(verb, "502 What?") + "\r\n"
                self.wfile.write(words.partition(GOES_ON)[0].encode("latin-1"))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                """The other side went away: what else."""

        self._server = Server(("127.0.0.1", 0), Conversation)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    def settings(self, **more: Any) -> dict[str, Any]:
        host, port = self._server.server_address[:2]
        return {
            "host": host,
            "port": port,
            "security": "none",
            "from_name": "Carillon",
            "from_address": "hello@carillon.example",
            "timeout": PATIENCE,
        } | more

    def __enter__(self) -> "Parrot":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.silence.set()
        self._server.shutdown()
        self._server.server_close()


def test_where_the_sender_is_refused_but_content_is_wanted_no_empty_mail_is_made() -> None:
    with Parrot(MAIL="451 4.3.0 later") as parrot:
        basket = Basket([a_mail(FIRST), a_mail(LAST)])
        with Smtp.open(parrot.settings()) as session:
            session.work(basket)
    assert basket.results == [LATER, LATER]
    assert "DOT" not in parrot.heard
    assert parrot.heard.count("CONNECT") == 2


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ({"RCPT": "250-fine\r\n550 or not"}, ADDRESS),  # the last line decides
        ({"RCPT": "250 " + "x" * 100_000}, LATER),
        ({"RCPT": "250-x\r\n" * 20_000 + "250 x"}, LATER),
        ({"DOT": "250 " + "x" * 100_000}, DOUBT),
        ({"DOT": "250-thank you\r\nvery much"}, DOUBT),
        ({"DOT": "25O OK"}, DOUBT),
        ({"DOT": "\xff\xfe\x00"}, DOUBT),
        ({"DOT": "200 OK"}, DOUBT),
        ({"DOT": "354 more"}, DOUBT),
        ({"DATA": "250 OK"}, LATER),
        ({"DATA": "354 Go\r\n250 Got it"}, LATER),  # a yes before there was anything to say yes to
        ({"MAIL": "250 OK\r\n250 OK"}, LATER),
        ({"CONNECT": "250 hello"}, OURS),
        ({"EHLO": "421 4.3.2 not now"}, OURS),
        ({"EHLO": "500 What?", "HELO": "250 parrot"}, SENT),
        ({"EHLO": "500 What?", "HELO": "500 What?"}, OURS),
        ({"EHLO": "250-parrot\r\n250-SIZE plenty\r\n250 \xe9"}, SENT),
    ],
)
def test_odd_answers_are_never_taken_for_a_yes(
    words: dict[str, str], result: tuple[Result, bool]
) -> None:
    with Parrot(**words) as parrot:
        basket = Basket([a_mail(FIRST)])
        with Smtp.open(parrot.settings()) as session:
            session.work(basket)
    assert basket.results == [result], basket.outcomes


def test_what_a_server_says_unasked_between_two_mails_is_not_taken_for_an_answer() -> None:
    with (
        Parrot(DOT="250 OK\r\n421 4.4.2 idle for too long") as parrot,
        Smtp.open(parrot.settings()) as session,
    ):
        assert [session.send(a_mail(to)).result for to in (FIRST, LAST)] == [Result.ACCEPTED] * 2
    assert parrot.heard.count("DOT") == parrot.heard.count("CONNECT") == 2


def test_an_answer_without_end_is_given_up_for_its_length_not_after_ten_minutes() -> None:
    with (
        Parrot(DOT="250 " + "x" * 100_000 + GOES_ON) as parrot,
        Smtp.open(parrot.settings()) as session,
    ):
        outcome = session.send(a_mail(FIRST))
    assert outcome.result is Result.IN_DOUBT
    assert "longer than 64 kB" in outcome.detail


def test_content_the_server_does_not_take_can_not_have_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket.socket, "send", few_bytes_then_broken(socket.socket.send))
    with Parrot() as parrot:
        basket = Basket([a_mail(FIRST, text="x" * 200_000), a_mail(LAST)])
        with Smtp.open(parrot.settings()) as session:
            session.work(basket)
    assert basket.results == [LATER, SENT]
    assert "broke off at body" in basket.outcomes[FIRST].detail
    assert parrot.heard.count("DOT") == 1


def few_bytes_then_broken(send: Any) -> Any:
    """The kernel takes 100 kB of a long write, then the network is gone."""
    broken: list[socket.socket] = []

    def sends(self: socket.socket, data: Any, *flags: int) -> int:
        if self in broken:
            raise BrokenPipeError(32, "Broken pipe")
        if len(data) > 100_000:
            broken.append(self)
        return int(send(self, data[:100_000], *flags))

    return sends


def test_a_server_that_stops_reading_in_mid_content_has_not_got_the_mail() -> None:
    with (
        Parrot(BODY="not read") as parrot,
        Smtp.open(parrot.settings(timeout=shortly())) as session,
    ):
        basket = Basket(
            [a_mail(FIRST, text="x" * 20_000_000)]
        )  # more than the buffers on the way hold
        session.work(basket)
    assert basket.results == [LATER]
    assert "broke off at body" in basket.outcomes[FIRST].detail

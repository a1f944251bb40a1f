"""SMTP against a server that misbehaves in every way: what was it about,
and may it be tried again?
"""

import datetime as dt
import threading
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.channels.contract import BadSettings, Result
from apps.channels.mail.mime import as_bytes
from apps.channels.mail.smtp import Smtp
from apps.channels.messages import Mail, Sender
from apps.channels.pieces import Pieces, ReaderToken, Static
from tests.channels.basket import Basket, a_mail
from tests.patience import PATIENCE, shortly, until
from tests.receiver import DROP, Receiver, unused_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def test_mail_arrives_as_written_and_the_servers_words_are_kept(receiver: Receiver) -> None:
    with Smtp.open(receiver.settings()) as session:
        outcome = session.send(
            a_mail(
                subject="Grüße 🎉 " + "ü" * 200,
                headers={"List-Unsubscribe": f"<https://e.test/{'x' * 300}>"},
            )
        )
    assert outcome.result is Result.ACCEPTED
    assert outcome.provider_id.startswith("2.0.0 Ok: queued as")
    [arrived] = receiver.arrived
    assert (arrived.sender, arrived.recipient) == ("hello@carillon.example", "anna@example.com")
    mail = arrived.mail
    assert mail["Subject"] == "Grüße 🎉 " + "ü" * 200
    assert mail["Message-ID"] == "<one@carillon.example>"
    assert mail["List-Unsubscribe"] == f"<https://e.test/{'x' * 300}>"
    assert mail["Date"].datetime == dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
    text = mail.get_body(("plain",)).get_content()
    assert text.splitlines() == ["Hello Anna", ".", "..a line with dots"]
    assert mail.get_body(("html",)).get_content().strip() == "<p>Hello Anna</p>"


def test_one_connection_carries_many_mails_up_to_the_limit(receiver: Receiver) -> None:
    with Smtp.open(receiver.settings(per_connection=2)) as session:
        results = [session.send(a_mail()).result for _ in range(5)]
    assert results == [Result.ACCEPTED] * 5
    assert receiver.connections == 3


@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelined", "lock-step"])
def test_a_flow_goes_out_in_order_over_connections_of_so_many_mails(
    receiver: Receiver, pipelining: bool
) -> None:
    if not pipelining:
        receiver.extensions.remove("PIPELINING")
    everybody = [f"p{number}@example.com" for number in range(7)]
    basket = Basket(a_mail(to) for to in everybody)
    with Smtp.open(receiver.settings(per_connection=3)) as session:
        session.work(basket)
        assert basket.empty_handed
        assert {outcome.result for outcome in basket.outcomes.values()} == {Result.ACCEPTED}
        session.work(Basket([a_mail("later@example.com")]))
    assert receiver.recipients == [*everybody, "later@example.com"]
    assert receiver.connections == 3
    assert receiver.heard.count("QUIT") == 3
    assert receiver.hasty == [], "a command came before it might"


@pytest.mark.parametrize(("pipelining", "turns_a_mail"), [(True, 1), (False, 4)])
def test_a_mail_costs_one_round_trip_as_the_next_envelope_goes_with_its_content(
    receiver: Receiver, pipelining: bool, turns_a_mail: int
) -> None:
    if not pipelining:
        receiver.extensions.remove("PIPELINING")
    with Smtp.open(receiver.settings()) as session:
        session.send(a_mail())
        before = receiver.turns
        session.work(Basket(a_mail(f"p{number}@example.com") for number in range(10)))
    if pipelining:
        first_envelope = 1
        quit_ = 1
    else:
        first_envelope = 0
        quit_ = 1
    assert receiver.turns - before == first_envelope + turns_a_mail * 10 + quit_


def test_a_mail_whose_envelope_waits_behind_a_slow_answer_is_given_back_and_goes_out_once(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(Basket):
        returned: list[str] = []

        def give_back(self, message: Mail) -> None:
            self.returned.append(message.to)
            super().give_back(message)

    monkeypatch.setattr("apps.channels.mail.smtp.LONELY_SECONDS", 0.1)

    def slow_for_anna(to: str) -> None:
        if to == "anna@example.com":
            until(lambda: len(basket.returned) == 2, "the others are given back")
            monkeypatch.setattr("apps.channels.mail.smtp.LONELY_SECONDS", PATIENCE)

    receiver.answers["DOT"] = slow_for_anna
    everybody = ["anna@example.com", "boris@example.com", "chen@example.com"]
    basket = Watched(a_mail(to) for to in everybody)
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.returned == ["chen@example.com", "boris@example.com"], (
        "the one that is next comes first again"
    )
    assert basket.empty_handed
    assert receiver.recipients == everybody


def test_a_mail_that_can_not_be_written_costs_only_itself(receiver: Receiver) -> None:
    basket = Basket(
        [
            a_mail("anna@example.com"),
            a_mail("b@example.com", subject="x\ny"),
            a_mail("chen@example.com"),
        ]
    )
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    assert basket.outcomes["b@example.com"].result is Result.PERMANENT_CONTENT
    assert receiver.recipients == ["anna@example.com", "chen@example.com"]


def test_a_session_whose_flow_broke_begins_anew(receiver: Receiver) -> None:
    """The journal's disk may be full just when a mail should leave;
    the server then waits for content.
    """

    class FullDisk(Basket):
        def leaving(self, message: object) -> None:
            raise OSError("No space left on device")

    with Smtp.open(receiver.settings()) as session:
        with pytest.raises(OSError, match="No space"):
            session.work(FullDisk([a_mail("anna@example.com"), a_mail("boris@example.com")]))
        assert session.send(a_mail("chen@example.com")).result is Result.ACCEPTED
    assert receiver.recipients == ["chen@example.com"]


@pytest.mark.parametrize(("asked", "may"), [("", 4), (1, 1), ("20", 20), (500, 50), (-3, 1)])
def test_a_sender_opens_as_many_connections_as_the_account_says_up_to_fifty(
    asked: object, may: int
) -> None:
    assert Smtp.connections({"connections": asked}) == may


@pytest.mark.parametrize(
    ("stage", "answer", "result", "charged"),
    [
        ("MAIL", "451 4.3.0 later", Result.TRANSIENT, False),
        ("MAIL", "550 5.7.1 we don't like you", Result.ACCOUNT, False),
        ("RCPT", "450 4.2.0 greylisted", Result.TRANSIENT, True),
        ("RCPT", "550 5.1.1 no such user", Result.PERMANENT_RECIPIENT, True),
        ("RCPT", "421 4.3.2 shutting down", Result.TRANSIENT, False),
        ("DATA", "451 4.3.0 later", Result.TRANSIENT, False),
        ("DATA", "554 5.6.0 no", Result.PERMANENT_CONTENT, True),
        ("DATA", "554 5.7.1 no", Result.BLOCKED, True),
        ("RCPT", "550 5.4.5 Daily user sending limit exceeded", Result.ACCOUNT, True),
        ("DOT", "451 4.3.0 later", Result.TRANSIENT, True),
        ("DOT", "554 5.7.1 looks like spam", Result.PERMANENT_CONTENT, True),
        ("DOT", "421 4.3.2 shutting down", Result.TRANSIENT, False),
        ("RCPT", "550-5.1.1 no\r\n550 5.1.1 such user", Result.PERMANENT_RECIPIENT, True),
        ("RCPT", "999 what", Result.TRANSIENT, False),
        ("RCPT", DROP, Result.TRANSIENT, False),
        ("BODY", DROP, Result.IN_DOUBT, True),
        ("DOT", "accept", Result.IN_DOUBT, True),
        ("CONNECT", "554 5.7.1 go away", Result.ACCOUNT, False),
        ("CONNECT", DROP, Result.ACCOUNT, False),
    ],
)
def test_each_answer_is_charged_to_what_it_was_about(
    receiver: Receiver, stage: str, answer: str, result: Result, charged: bool
) -> None:
    receiver.answers[stage] = answer
    with Smtp.open(receiver.settings()) as session:
        outcome = session.send(a_mail())
        assert (outcome.result, outcome.charged) == (result, charged), outcome.detail
        receiver.answers.clear()
        assert session.send(a_mail("next@example.com")).result is Result.ACCEPTED, (
            "a neighbour is not hurt"
        )
    assert receiver.recipients[-1] == "next@example.com"


def test_a_connection_the_server_closed_while_idle_costs_nobody_anything(
    receiver: Receiver,
) -> None:
    with Smtp.open(receiver.settings()) as session:
        session.send(a_mail())
        receiver.answers["MAIL"] = lambda _: DROP if receiver.connections == 1 else None
        assert session.send(a_mail("boris@example.com")).result is Result.ACCEPTED
    assert receiver.recipients == ["anna@example.com", "boris@example.com"]
    assert receiver.connections == 2


@pytest.mark.reported
@pytest.mark.parametrize(
    ("address", "why"),
    [
        (
            "",
            "The From address “” can't be used: it needs a domain, and plain letters before the @.",
        ),
        (
            "News",
            "The From address “News” can't be used: it needs a domain, and plain letters before"
            " the @.",
        ),
        (
            "né@example.com",
            "The From address “né@example.com” can't be used: it needs a domain, and plain letters"
            " before the @.",
        ),
        (
            "news@exämple..com",
            "The From address “news@exämple..com” can't be used: it needs a domain, and plain"
            " letters before the @.",
        ),
        *(
            (
                two,
                f"“{two}” is not one address. Write a single From address, for example"
                " news@example.com.",
            )
            for two in (
                "a@example.com, b@example.com",
                "a@example.com;b@example.com",
                "a@example.com b@example.com",
                "John@Home@example.com",
            )
        ),
        (
            "News <n@example.com>",
            "Write the From address alone, without < and >. The name has a field of its own.",
        ),
        (
            "n@example.com\r\nBcc: x@example.com",
            "The From name and address may not hold a line break or another control character."
            " Write each in one line.",
        ),
    ],
)
def test_a_sender_no_mail_can_be_from_is_refused_at_once(
    receiver: Receiver, address: str, why: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        Smtp.open(receiver.settings(from_address=address))
    assert str(refused.value) == why


@pytest.mark.reported
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\x00", "\u2028", "\t"])
def test_a_name_that_would_begin_another_header_is_refused(receiver: Receiver, break_: str) -> None:
    with pytest.raises(BadSettings, match="may not hold a line break"):
        Smtp.open(receiver.settings(from_name=f"News{break_}Bcc: x@example.com"))


def test_a_wrong_password_is_the_accounts_fault_and_says_so(receiver: Receiver) -> None:
    receiver.extensions.append("AUTH PLAIN LOGIN")
    receiver.answers["AUTH"] = "535 5.7.8 bad credentials"
    with Smtp.open(receiver.settings(username="u", password="wrong")) as session:
        outcome = session.send(a_mail())
    assert outcome.result is Result.ACCOUNT
    assert "refused user name and password: 535 5.7.8 bad credentials" in outcome.detail
    assert receiver.arrived == []


def test_a_server_that_is_down_is_the_accounts_fault_and_names_the_server() -> None:
    port = unused_port()
    with Smtp.open(
        {"host": "127.0.0.1", "port": port, "timeout": PATIENCE, "from_address": "news@example.com"}
    ) as session:
        outcome = session.send(a_mail())
    assert outcome.result is Result.ACCOUNT
    assert f"127.0.0.1:{port} can't be reached" in outcome.detail


def test_no_answer_after_the_whole_mail_is_doubt_not_failure(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def never(_: str) -> None:
        over.wait(PATIENCE)

    receiver.answers["DOT"] = never
    with Smtp.open(receiver.settings()) as session:
        session._dot_timeout = 0.5
        outcome = session.send(a_mail())
        over.set()
    assert outcome.result is Result.IN_DOUBT
    assert "time" in outcome.detail


def test_the_final_dot_is_answered_when_the_server_is_ready(receiver: Receiver) -> None:
    patience = shortly()
    receiver.slowness = 2 * patience
    with Smtp.open(receiver.settings(timeout=patience)) as session:
        assert session.send(a_mail()).result is Result.ACCEPTED


def test_a_non_ascii_local_part_goes_out_unchanged_where_the_server_offers_smtputf8(
    receiver: Receiver,
) -> None:
    with Smtp.open(receiver.settings()) as session:
        assert session.send(a_mail("дмитрий@почта.рф")).result is Result.ACCEPTED
        assert session.send(a_mail("anna@münchen.example")).result is Result.ACCEPTED
    assert receiver.recipients == ["дмитрий@xn--80a1acny.xn--p1ai", "anna@xn--mnchen-3ya.example"]
    assert "To: Anna <дмитрий@xn--80a1acny.xn--p1ai>" in receiver.arrived[0].raw


def test_a_non_ascii_local_part_is_refused_with_the_reason_where_it_is_not_offered(
    receiver: Receiver,
) -> None:
    receiver.extensions = ["8BITMIME"]
    with Smtp.open(receiver.settings()) as session:
        outcome = session.send(a_mail("дмитрий@example.com"))
        assert session.send(a_mail()).result is Result.ACCEPTED
    assert outcome.result is Result.PERMANENT_RECIPIENT
    assert "SMTPUTF8" in outcome.detail
    assert receiver.recipients == ["anna@example.com"]


@pytest.mark.parametrize("field", ["subject", "to_name", "from_name"])
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\x00", "\u2028"])
def test_a_line_break_in_a_header_never_leaves(receiver: Receiver, field: str, break_: str) -> None:
    value = f"x{break_}Bcc: victim@example.com"
    if field == "from_name":
        mail = a_mail(sender=Sender(value, "hello@carillon.example"))
    else:
        mail = a_mail(**{field: value})
    with Smtp.open(receiver.settings()) as session:
        outcome = session.send(mail)
    assert outcome.result is Result.PERMANENT_CONTENT
    assert receiver.arrived == []


@pytest.mark.parametrize(
    "to", ["a@example.com>\r\nRCPT TO:<victim@example.com", "a@e.test> SIZE=1 <", "a b@e.test"]
)
def test_an_address_can_not_bring_commands_with_it(receiver: Receiver, to: str) -> None:
    with Smtp.open(receiver.settings()) as session:
        assert session.send(a_mail(to)).result is Result.PERMANENT_CONTENT
    assert receiver.heard == []


HOSTILE = st.lists(
    st.sampled_from(["\r", "\n", "\r\n", ".", "..", "x", "\x85", "\x0c", "=", " ", "é"])
).map("".join)


@given(text=HOSTILE, pieces=st.lists(st.one_of(HOSTILE, HOSTILE.map(Static)), max_size=6))
@example(text=".\r\nMAIL FROM:<smuggler@example.com>", pieces=[])
@example(
    text="one\r.\rtwo\n.\nthree\r\n.\r\nfour",
    pieces=["x" * 74, ".", Static("\n"), Static("."), "." * 80],
)
def test_no_bare_line_end_and_no_lone_dot_ever_leaves(text: str, pieces: list[str]) -> None:
    token = ReaderToken("s" * 75)
    for html in (
        "",
        text,
        Pieces(pieces),
        Pieces([token, ".", *pieces, Static("."), token, Static(".")]),
    ):
        sent = as_bytes(a_mail(text=text, html=html))
        assert sent.endswith(b"\r\n")
        assert sent.count(b"\n") == sent.count(b"\r") == sent.count(b"\r\n")
        lines = sent.split(b"\r\n")
        assert not any(line.startswith(b".") for line in lines)
        assert max(map(len, lines[lines.index(b"") :])) <= 76


def test_eight_bits_are_announced_only_where_they_are(receiver: Receiver) -> None:
    with Smtp.open(receiver.settings()) as session:
        session.work(
            Basket([a_mail("anna@example.com", text="Grüße"), a_mail("дмитрий@example.com")])
        )
    first, second = [line for line in receiver.heard if line.startswith("MAIL")]
    assert "BODY" not in first
    assert "SMTPUTF8" not in first
    assert "SMTPUTF8 BODY=8BITMIME" in second


def test_a_mail_larger_than_the_server_takes_is_not_even_offered(receiver: Receiver) -> None:
    receiver.largest = 2000
    everybody = ["anna@example.com", "boris@example.com", "chen@example.com"]
    basket = Basket(a_mail(to, text="x" * (3000 if "boris" in to else 3)) for to in everybody)
    with Smtp.open(receiver.settings()) as session:
        session.work(basket)
    outcome = basket.outcomes["boris@example.com"]
    assert outcome.result is Result.PERMANENT_CONTENT
    assert "takes at most 2000" in outcome.detail
    assert receiver.recipients == ["anna@example.com", "chen@example.com"]
    assert len([line for line in receiver.heard if line.startswith("MAIL")]) == 2


@pytest.mark.parametrize("largest", [0, 20_000_000])
def test_the_size_is_told_where_the_server_asks_for_it(receiver: Receiver, largest: int) -> None:
    receiver.largest = largest
    with Smtp.open(receiver.settings()) as session:
        session.send(a_mail())
    [told] = [line.partition("SIZE=")[2] for line in receiver.heard if line.startswith("MAIL")]
    assert told == (str(receiver.arrived[0].size) if largest else "")


def test_long_lines_and_long_words_stay_within_998_octets() -> None:
    mail = a_mail(html="<p>" + "x" * 25_000 + "</p>", text="ж" * 5000, subject="w" * 900)
    assert max(len(line) for line in as_bytes(mail).split(b"\r\n")) <= 998


def test_missing_settings_are_named() -> None:
    with pytest.raises(BadSettings, match="no host"):
        Smtp.open({"host": ""})
    with pytest.raises(BadSettings, match="no port 99999"):
        Smtp.open({"host": "mail.example", "port": 99999, "from_address": "a@example.com"})
    with pytest.raises(BadSettings, match="Encryption 'ssl3'"):
        Smtp.open({"host": "mail.example.com", "security": "ssl3"})


@pytest.mark.reported
def test_mail_goes_to_the_domain_that_was_written_and_to_no_other(receiver: Receiver) -> None:
    mail = a_mail("anna@faß.example", sender=Sender("News", "n@faß.example"))
    with Smtp.open(receiver.settings(host="LOCALHOST.")) as session:
        assert session.send(mail).result is Result.ACCEPTED
    [arrived] = receiver.arrived
    assert arrived.sender == "n@xn--fa-hia.example"
    assert arrived.recipient == "anna@xn--fa-hia.example"
    assert "From: News <n@xn--fa-hia.example>" in arrived.raw
    assert "To: Anna <anna@xn--fa-hia.example>" in arrived.raw


@pytest.mark.reported
def test_a_host_that_holds_more_than_a_name_is_refused_when_it_is_saved() -> None:
    with pytest.raises(BadSettings) as refused:
        Smtp.open({"host": "smtp.example.com:587", "from_address": "n@example.com"})
    assert str(refused.value) == (
        "The host “smtp.example.com:587” is no name of a host: it holds a colon. Write the server's"
        " name alone, for example smtp.example.com."
    )

"""Many messages in one call: each reader gets to the letter what a call of their own would have
brought.
"""

import string
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.channels.contract import Outcome, Result
from apps.channels.esp.session import EspSession
from apps.channels.mail.mime import envelope
from apps.channels.messages import Mail
from apps.channels.pieces import Pieces, ReaderToken, Static
from apps.channels.registry import provider
from tests.channels.basket import a_mail
from tests.channels.flow import Handed
from tests.fake_esp import LOST, SAYS, Answer, Arrived, FakeEsp

MERGING = ["mailgun", "sendgrid", "amazon_ses"]  # the others write each message of a call out whole
HERE = "a-reader's-token-stands-here"
NEWSLETTER = [
    Static("<style>@media (max-width: 9em) { a { color: red }}</style><p>Dear "),
    Static(
        f', 100% off & more: <a href="https://c.example/c/{HERE}/1">shop</a> '
        f'<a href="https://c.example/c/{HERE}/2">'
    ),
    Static("</a> Привет, "),
    Static(' – yours</p><a href="https://c.example/u/'),
    Static(f'">bye</a><img src="https://c.example/o/{HERE}.gif">'),
]  # fmt: skip


def signed(pieces: Sequence[str], token: str) -> Pieces:
    """The pieces with a reader's token in its places."""
    done: list[str] = []
    for piece in pieces:
        if not isinstance(piece, Static):
            done.append(piece)
            continue
        first, *others = piece.split(HERE)
        done.append(Static(first))
        for other in others:
            done += [ReaderToken(token), Static(other)]
    return Pieces(done)


def letter(number: int, static: Sequence[Static] = tuple(NEWSLETTER), **fields: Any) -> Mail:
    """To one of the readers: name, city and links are their own, the rest is everyone's."""
    name = f"Reader {number} <&amp;> Ж"
    city = ["Ulm", "Köln", 'a "quoted" \\ town'][number % 3]
    own = iter([name, city, name, f"token{number:03}"])
    pieces = [piece for each in static for piece in (each, next(own, None)) if piece is not None]
    values: dict[str, Any] = {
        "to_name": f"Reader, {number}",
        "subject": f"News for {city}",
        "text": f"Dear {name},\n\nsee https://c.example/c/{number}\n",
        "html": signed(pieces, f"{number:03}".ljust(75, "s")),
        "message_id": f"<{number}@carillon.example>",
        "headers": {
            "List-Id": "<news.carillon.example>",
            "List-Unsubscribe": f"<https://carillon.example/u/{number}/>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    }
    return a_mail(f"reader{number}@example.com", **(values | fields))


def letters(number: int, **fields: Any) -> list[Mail]:
    return [letter(each, **fields) for each in range(number)]


def worked_off(fake: FakeEsp, esp: str, mails: Sequence[Mail], **options: Any) -> Handed:
    flow = Handed(mails)
    with provider(esp).open(fake.settings(esp, **options)) as session:
        session.work(flow)
    assert flow.kept_the_rules()
    assert set(flow.ends) <= set(flow.left), "said that it leaves"
    return flow


def in_mailbox(arrived: Arrived) -> tuple[object, ...]:
    """What the reader sees. A line break at the very end is the transport's."""
    headers = {
        name: arrived.headers[name]
        for name in ("list-id", "list-unsubscribe", "list-unsubscribe-post")
    }
    bodies = (arrived.text.rstrip("\n"), arrived.html.rstrip("\n"))
    return (arrived.to, arrived.name, arrived.subject, *bodies, arrived.delivery, headers)


def as_meant(mail: Mail) -> tuple[object, ...]:
    headers = {name.lower(): value for name, value in mail.headers.items()}
    bodies = (mail.text.rstrip("\n"), str(mail.html))
    return (mail.to, mail.to_name, mail.subject, *bodies, str(mail.delivery), headers)


def test_a_call_of_many_brings_each_reader_what_a_call_of_their_own_brings(
    esp: str, fake: FakeEsp
) -> None:
    mails = letters(25)
    together = worked_off(fake, esp, mails)
    assert len(fake.calls) == 1
    alone = worked_off(fake, esp, mails, batch=1)
    assert len(fake.calls) == 26
    for flow in (together, alone):
        assert {outcome.result for outcome in flow.outcomes} == {Result.ACCEPTED}
        assert all(outcome.provider_id for outcome in flow.outcomes)
    assert [in_mailbox(each) for each in fake.arrived[:25]] == [as_meant(mail) for mail in mails]
    assert [in_mailbox(each) for each in fake.arrived[25:]] == [as_meant(mail) for mail in mails]
    if esp not in ("brevo", "amazon_ses"):
        assert [each.headers["message-id"] for each in fake.arrived] == [
            mail.message_id for mail in mails * 2
        ]


@pytest.mark.parametrize("esp", MERGING)
def test_what_is_the_same_for_all_is_said_once(esp: str, fake: FakeEsp) -> None:
    long = Static("<p>" + "said once " * 2000 + "</p>")
    worked_off(fake, esp, letters(20, static=(*NEWSLETTER[:4], long)))
    assert len(fake.calls[0].body) < 3 * len(long)
    assert len(fake.arrived) == 20


@pytest.mark.parametrize("kind", ["recipient", "content"])
def test_one_bad_message_of_25_is_found_and_the_others_arrive_once(
    esp: str, fake: FakeEsp, kind: str
) -> None:
    mails = letters(25)
    fake.bad = {"reader7@example.com": kind}
    flow = worked_off(fake, esp, mails)
    expected = Result.PERMANENT_CONTENT
    if kind == "recipient":
        expected = Result.PERMANENT_RECIPIENT
    assert flow.ends[mails[7].delivery].result is expected, flow.ends[mails[7].delivery].detail
    assert sorted(each.to for each in fake.arrived) == sorted(
        mail.to for mail in mails if mail is not mails[7]
    )
    results = [outcome.result for outcome in flow.outcomes]
    assert results.count(Result.ACCEPTED) == 24
    assert len(fake.calls) == 1 if esp in ("postmark", "amazon_ses") else len(fake.calls) <= 11


@pytest.mark.parametrize(
    ("fault", "result", "ended"),
    [
        (LOST, Result.IN_DOUBT, 5),
        (Answer(504, ""), Result.IN_DOUBT, 5),
        (Answer(503, ""), Result.TRANSIENT, 5),
        (Answer(429, "", {"Retry-After": "9"}), Result.THROTTLED, 1),
    ],
)
def test_a_fault_of_the_call_is_everyones_but_a_throttle_is_said_once(
    esp: str, fake: FakeEsp, fault: Answer | str, result: Result, ended: int
) -> None:
    fake.faults = [fault]
    flow = worked_off(fake, esp, letters(5))
    assert [outcome.result for outcome in flow.outcomes] == [result] * ended
    assert len(flow.back) == 5 - ended
    assert len(fake.calls) == 1


def test_an_account_fault_of_a_call_of_many_is_said_once_and_the_rest_goes_back(
    esp: str, fake: FakeEsp
) -> None:
    fake.faults = [SAYS[esp]["account"]]
    flow = worked_off(
        fake, esp, [*letters(5), *letters(3, static=[Static("<p>Another letter</p>")])]
    )
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCOUNT]
    assert len(flow.back) == 7
    assert len(flow.left) == 5, "the other letter never left"


def test_an_account_fault_while_looking_for_the_bad_one_stops_there(fake: FakeEsp) -> None:
    fake.faults = [SAYS["mailgun"]["recipient"], None, SAYS["mailgun"]["account"]]
    flow = worked_off(fake, "mailgun", letters(8))
    results = [outcome.result for outcome in flow.outcomes]
    assert results == [Result.ACCEPTED] * 4 + [Result.ACCOUNT]
    assert len(flow.back) == 3


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("reader@example.com", "READER@example.com"),
        ("anna@münchen.example", "anna@xn--mnchen-3ya.example"),
    ],
)
def test_no_address_is_twice_in_a_call(esp: str, fake: FakeEsp, one: str, same: str) -> None:
    mails = [replace(letter(1), to=one), replace(letter(2), to=same), letter(3)]
    flow = worked_off(fake, esp, mails)
    assert {outcome.result for outcome in flow.outcomes} == {Result.ACCEPTED}
    assert len(fake.calls) == 2
    wanted = [as_meant(replace(mail, to=envelope(mail.to))) for mail in mails]
    assert sorted(map(str, map(in_mailbox, fake.arrived))) == sorted(map(str, wanted))


@pytest.mark.parametrize("esp", MERGING)
def test_letters_of_two_languages_share_a_call_with_their_own(esp: str, fake: FakeEsp) -> None:
    russian = [Static("<p>Здравствуйте, "), Static("!</p>")]
    mails = [letter(number, static=russian if number % 2 else NEWSLETTER) for number in range(10)]
    worked_off(fake, esp, mails)
    assert len(fake.calls) == 2
    assert sorted(map(str, map(in_mailbox, fake.arrived))) == sorted(map(str, map(as_meant, mails)))


SIGNS = {"mailgun": "%recipient.f0%", "sendgrid": "-c.f0-", "amazon_ses": "{{f0}}"}


@pytest.mark.parametrize("place", ["static", "own", "subject", "text", "name", "header"])
@pytest.mark.parametrize("esp", MERGING)
def test_a_letter_with_the_esps_own_merge_sign_goes_alone_and_unharmed(
    esp: str, fake: FakeEsp, place: str
) -> None:
    sign = SIGNS[esp]
    changes: dict[str, Any] = {
        "static": {"static": [*NEWSLETTER[:3], Static(f" write {sign} "), *NEWSLETTER[3:]]},
        "own": {"html": signed([NEWSLETTER[0], f"my name is {sign}", NEWSLETTER[4]], "s" * 75)},
        "subject": {"subject": sign},
        "text": {"text": f"write {sign}"},
        "name": {"to_name": sign},
        "header": {"headers": {**letter(0).headers, "List-Id": f"<{sign}.example>"}},
    }[place]
    mails = [letter(0), letter(1, **changes), letter(2)]
    flow = worked_off(fake, esp, mails)
    assert {outcome.result for outcome in flow.outcomes} == {Result.ACCEPTED}
    assert sorted(map(str, map(in_mailbox, fake.arrived))) == sorted(map(str, map(as_meant, mails)))
    assert len(fake.calls) == 3 if place == "static" else len(fake.calls) >= 2


CROWDED = st.text("{}%-\\cf0. recipient" + string.ascii_lowercase, max_size=6)


@pytest.mark.parametrize("esp", MERGING)
def test_whatever_stands_around_a_field_the_reader_gets_what_was_meant(esp: str) -> None:
    odd_names = CROWDED | st.just(f"x{HERE}")
    with FakeEsp() as fake, provider(esp).open(fake.settings(esp)) as session:

        @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
        @given(
            static=st.lists(CROWDED, min_size=1, max_size=4),
            own=st.lists(odd_names, min_size=8, max_size=8),
            stamped=st.booleans(),
        )
        def each(static: list[str], own: list[str], stamped: bool) -> None:
            shared = [Static(f"{text}/{HERE}/{text}") for text in static]
            mails = []
            for number in range(2):
                values = own[number * 4 :]
                pieces = [piece for pair in zip(shared, values, strict=False) for piece in pair]
                html = signed(pieces, f"{number}".ljust(75, "s") * stamped)
                mails.append(
                    letter(number, html=html, subject=values[0] or "-", text=values[1] or "-")
                )
            fake.arrived.clear()
            session.work(Handed(mails))
            assert {each.delivery: each.html.strip() for each in fake.arrived} == {
                str(mail.delivery): str(mail.html).strip() for mail in mails
            }
            assert [each.subject.strip() for each in fake.arrived] == [
                mail.subject.strip() for mail in mails
            ]

        each()


def test_a_readers_part_that_is_too_long_for_sendgrid_goes_alone(fake: FakeEsp) -> None:
    mails = [letter(0), letter(1, text="long " * 2500), letter(2)]
    flow = worked_off(fake, "sendgrid", mails)
    assert {outcome.result for outcome in flow.outcomes} == {Result.ACCEPTED}
    assert sorted(map(str, map(in_mailbox, fake.arrived))) == sorted(map(str, map(as_meant, mails)))
    assert len(fake.calls) == 3, "none was refused"


def test_a_call_does_not_grow_beyond_what_the_esp_takes(
    esp: str, fake: FakeEsp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider(esp).session, "largest", 12_000)  # type: ignore[attr-defined]
    worked_off(fake, esp, letters(60))
    assert len(fake.arrived) == 60
    assert len(fake.calls) > 2
    assert max(len(call.body) for call in fake.calls) < 40_000


def test_no_more_is_taken_than_the_account_allows_for_a_call(esp: str, fake: FakeEsp) -> None:
    worked_off(fake, esp, letters(10), batch=4)
    assert [sum(1 for each in fake.arrived if each.call == call) for call in (1, 2, 3)] == [4, 4, 2]


def test_ses_keys_that_may_not_send_to_many_at_once_send_one_by_one(fake: FakeEsp) -> None:
    fake.no_bulk = True
    flow = worked_off(fake, "amazon_ses", letters(6), batch=3)
    assert {outcome.result for outcome in flow.outcomes} == {Result.ACCEPTED}
    assert len(fake.calls) == 7, "it tried a call of many once"
    assert len(fake.arrived) == 6


def test_postmark_tells_of_each_and_what_was_taken_stays_taken(fake: FakeEsp) -> None:
    taken = {"ErrorCode": 0, "Message": "OK", "MessageID": "x"}
    refused = {"ErrorCode": 405, "Message": "no credits"}
    fake.faults = [
        Answer(
            200,
            [
                taken,
                refused,
                taken,
                refused,
                {"ErrorCode": 300, "Message": "Invalid 'To' address: 'x'."},
            ],
        )
    ]
    flow = worked_off(fake, "postmark", letters(5))
    results = [outcome.result for outcome in flow.outcomes]
    assert results == [Result.ACCEPTED, Result.ACCOUNT, Result.ACCEPTED, Result.PERMANENT_RECIPIENT]
    assert len(flow.back) == 1


@pytest.mark.parametrize(
    ("esp", "answer"),
    [
        ("postmark", [{"ErrorCode": 0, "Message": "OK", "MessageID": "x"}]),
        ("postmark", 5),
        ("brevo", {"messageIds": ["<1@x>"]}),
        ("brevo", {}),
        ("mailgun", {"message": "Thanks"}),
        ("amazon_ses", {"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "1"}]}),
        ("amazon_ses", {}),
    ],
)
def test_an_answer_that_does_not_tell_of_each_leaves_all_in_doubt(
    fake: FakeEsp, esp: str, answer: Any
) -> None:
    fake.faults = [Answer(200, answer)]
    flow = worked_off(fake, esp, letters(3))
    assert [outcome.result for outcome in flow.outcomes] == [Result.IN_DOUBT] * 3


def test_ses_tells_of_each_in_its_own_words(fake: FakeEsp) -> None:
    said = {
        "SUCCESS": Result.ACCEPTED,
        "MESSAGE_REJECTED": Result.PERMANENT_CONTENT,
        "INVALID_PARAMETER": Result.PERMANENT_CONTENT,
        "TRANSIENT_FAILURE": Result.TRANSIENT,
        "FAILED": Result.TRANSIENT,
        "ACCOUNT_THROTTLED": Result.THROTTLED,
    }
    results = [{"Status": status, "MessageId": "1"} for status in said]
    fake.faults = [Answer(200, {"BulkEmailEntryResults": results})]
    flow = worked_off(fake, "amazon_ses", letters(len(said)))
    assert [outcome.result for outcome in flow.outcomes] == list(said.values())
    fake.faults = [
        Answer(200, {"BulkEmailEntryResults": [{"Status": "ACCOUNT_SENDING_PAUSED"}] * 3})
    ]
    flow = worked_off(fake, "amazon_ses", letters(3))
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCOUNT]


def test_a_session_is_not_greedy_where_messages_go_alone(fake: FakeEsp) -> None:
    """So that a pause or an opt-out waits for one call, not for a hundred."""
    flow = Handed([a_mail(f"reader{number}@example.com") for number in range(3)])
    seen: list[int] = []

    class Watched(provider("mailgun").session):  # type: ignore[misc]
        def _call(self, mails: Sequence[Mail]) -> Outcome | list[Outcome]:
            seen.append(len(flow.waiting))
            return EspSession._call(self, mails)

    with Watched(provider("mailgun"), fake.settings("mailgun")) as session:
        session.work(flow)
    assert seen == [2, 1, 0]

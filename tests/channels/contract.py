"""What every provider promises, as functions over its other side;
and what follows for a message from each fault.

A provider registers in SIDES how a server on this machine speaks its language and breaks.
test_contract.py asks each one the same things. `python -m tests.channels` writes the table of
docs/reliability.md anew.
"""

import datetime as dt
import os
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.conf import settings as site
from django.core.mail.backends.smtp import EmailBackend

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result
from apps.channels.https import webhook
from apps.channels.messages import VoiceMessage
from apps.channels.push import apns, fcm_token
from apps.channels.registry import provider
from apps.followers.devices import webhook_calls
from apps.followers.models import Category, Channel, DoubtPolicy
from apps.lib.ids import uuid7
from apps.notifications.accounts import breaker
from apps.notifications.models import DeliveryStatus
from apps.notifications.sending.outcomes import TIRED_AFTER, Attempt, Next, decide, shortest_retry
from tests import fake_push, fake_sms
from tests.channels.basket import a_mail
from tests.channels.flow import Handed
from tests.channels.https.test_webhook import FakeReceiver, a_message
from tests.channels.push_messages import a_push
from tests.channels.sms.test_session import a_text
from tests.fake_apns import FakeApns, says
from tests.fake_esp import DIALECTS, SAYS, SILENT, Answer, FakeEsp
from tests.fake_push import FakePush
from tests.fake_sms import FakeSms
from tests.patience import PATIENCE, shortly
from tests.receiver import Receiver, unused_port

NOWHERE = "http://127.0.0.1:{}/"


class Fault(StrEnum):
    THROTTLED = "429"
    BROKEN = "5xx"
    LOST = "time-out after it was taken"
    RECIPIENT = "permanent: recipient"
    CONTENT = "permanent: content"
    ACCOUNT = "account error"
    UNREACHABLE = "connection refused"


@dataclass(frozen=True)
class Side:
    """The other side of one provider.

    `meets(fault)`: the next message meets it;
    gives the settings that differ and the message to send.
    """

    key: str
    settings: Mapping[str, Any]
    message: Callable[[int], Any]
    meets: Callable[[Fault], tuple[dict[str, Any], Any]]
    arrived: Callable[[], int]
    answers: dict[str, Any] = field(default_factory=dict)  # of a mail server, by stage

    @property
    def kind(self) -> type[Provider]:
        return provider(self.key)

    def outcome(self, fault: Fault) -> Outcome:
        changes, message = self.meets(fault)
        with self.kind.open({**self.settings, **changes}) as session:
            return session.send(message)


# ------------------------------------------------------------------ sides
def _called(
    fake: FakeEsp,
    key: str,
    message: Callable[[int], Any],
    words: Mapping[Fault, Answer],
    **values: Any,
) -> Side:
    """Of a provider that is called over HTTPS."""
    usual = {
        Fault.THROTTLED: Answer(429, {}, {"Retry-After": "17"}),
        Fault.BROKEN: Answer(500, {"message": "oops"}),
    }

    def meets(fault: Fault) -> tuple[dict[str, Any], Any]:
        if fault is Fault.UNREACHABLE:
            return {"api_url": NOWHERE.format(unused_port())}, message(0)
        fake.faults = [SILENT if fault is Fault.LOST else (usual | dict(words))[fault]]
        return {"timeout": shortly()} if fault is Fault.LOST else {}, message(0)

    return Side(key, values or fake.settings(key), message, meets, lambda: len(fake.arrived))


def _esp(key: str, stack: ExitStack) -> Side:
    names = {Fault.RECIPIENT: "recipient", Fault.CONTENT: "content", Fault.ACCOUNT: "account"}
    fake = stack.enter_context(FakeEsp())
    return _called(
        fake,
        key,
        lambda number: a_mail(f"p{number}@example.com"),
        {f: SAYS[key][n] for f, n in names.items()},
    )


def _phone(key: str, stack: ExitStack) -> Side:
    names = {Fault.RECIPIENT: "recipient", Fault.CONTENT: "content", Fault.ACCOUNT: "account"}
    fake = stack.enter_context(FakeSms())
    words = {
        fault: fake_sms.SAYS[key.removesuffix("_voice")][name] for fault, name in names.items()
    }

    def message(number: int) -> Any:
        to = f"+4915112340{number:03}"
        if key == "twilio_voice":
            return VoiceMessage(uuid7(), to, "Hello", "en")
        return a_text(to)

    return _called(fake, key, message, words)


def _fcm(key: str, stack: ExitStack) -> Side:
    names = {
        Fault.THROTTLED: "quota_17", Fault.BROKEN: "internal", Fault.RECIPIENT: "unregistered",
        Fault.CONTENT: "content", Fault.ACCOUNT: "denied",
    }  # fmt: skip
    fake = stack.enter_context(FakePush())
    stack.enter_context(mock.patch.object(fcm_token, "_held", {}))
    return _called(
        fake,
        key,
        lambda number: a_push(f"device-{number}"),
        {f: fake_push.SAYS[n] for f, n in names.items()},
    )


def _apns(key: str, stack: ExitStack) -> Side:
    answers = {
        Fault.THROTTLED: says(429, "TooManyRequests"),
        Fault.BROKEN: says(500, "InternalServerError"),
        Fault.RECIPIENT: says(410, "Unregistered", timestamp=1_700_000_000_123),
        Fault.CONTENT: says(413, "PayloadTooLarge"),
        Fault.ACCOUNT: says(403, "InvalidProviderToken"),
    }
    fake = stack.enter_context(FakeApns(Path(stack.enter_context(tempfile.TemporaryDirectory()))))
    stack.enter_context(mock.patch.dict(os.environ, {"SSL_CERT_FILE": fake.authority}))
    stack.enter_context(mock.patch.object(apns, "_tokens", {}))

    def message(number: int) -> Any:
        return a_push(f"{number:02}" * 32)

    def meets(fault: Fault) -> tuple[dict[str, Any], Any]:
        if fault is Fault.UNREACHABLE:
            return {"api_url": f"https://127.0.0.1:{unused_port()}"}, message(0)
        fake.faults = [SILENT if fault is Fault.LOST else answers[fault]]
        return {"timeout": shortly()} if fault is Fault.LOST else {}, message(0)

    return Side(key, fake.settings(), message, meets, lambda: len(fake.arrived))


def _web_push(key: str, stack: ExitStack) -> Side:
    words = {
        Fault.RECIPIENT: Answer(410, ""),
        Fault.CONTENT: Answer(413, ""),
        Fault.ACCOUNT: Answer(403, "no key"),
    }
    fake = stack.enter_context(FakePush())

    def message(number: int) -> Any:
        browser = fake.browser()
        return a_push(browser.endpoint, details=browser.keys() | {"server_key": ""})

    side = _called(fake, key, message, words)
    return _elsewhere(
        side, lambda url: a_push(url, details=fake.browser().keys() | {"server_key": ""})
    )


def _webhook(key: str, stack: ExitStack) -> Side:
    words = {
        Fault.RECIPIENT: Answer(410, ""),
        Fault.CONTENT: Answer(422, "no"),
        Fault.ACCOUNT: Answer(401, "no"),
    }
    fake = stack.enter_context(FakeReceiver())
    stack.enter_context(mock.patch.object(webhook, "_resting", {}))
    secret = webhook.new_secret()

    def message(number: int) -> Any:
        return a_message(f"{fake.url}/hook/{len(fake.calls)}-{number}", secret)

    side = _called(fake, key, message, words, signing_key=webhook.new_key(), timeout=PATIENCE)
    side = _elsewhere(side, lambda url: a_message(url, secret))
    return Side(key, side.settings, message, side.meets, lambda: len(fake.calls))


def _elsewhere(side: Side, message: Callable[[str], Any]) -> Side:
    """Where the address to call belongs to the recipient."""

    def meets(fault: Fault) -> tuple[dict[str, Any], Any]:
        if fault is Fault.UNREACHABLE:
            return {}, message(NOWHERE.format(unused_port()))
        return side.meets(fault)

    return Side(side.key, side.settings, side.message, meets, side.arrived)


_SMTP = {
    Fault.THROTTLED: ("RCPT", "450 4.7.1 rate limited, slow down"),
    Fault.BROKEN: ("DOT", "451 4.3.0 local error"),
    Fault.LOST: ("DOT", "accept"),
    Fault.RECIPIENT: ("RCPT", "550 5.1.1 no such user"),
    Fault.CONTENT: ("DOT", "554 5.6.0 we take no such mail"),
    Fault.ACCOUNT: ("AUTH", "535 5.7.8 wrong password"),
}


class _DjangosOwn(EmailBackend):
    """Led to the server of the test: where to is no setting of the account."""

    place: dict[str, Any] = {}

    def __init__(self, **more: Any) -> None:
        super().__init__(**{**more, **self.place, "timeout": PATIENCE})


def _mail_server(key: str, stack: ExitStack) -> Side:
    receiver = stack.enter_context(Receiver())
    receiver.extensions.append("AUTH PLAIN")
    log_in = {"username": "carillon", "password": "s3cret-of-the-account"}
    if key == "django_mail":
        _DjangosOwn.place = {
            "host": receiver.host,
            "port": receiver.port,
            "username": "carillon",
            "password": "s3cret",
        }
        values: dict[str, Any] = {
            "backend": f"{__name__}.{_DjangosOwn.__name__}",
            "from_name": "Carillon",
            "from_address": "hello@carillon.example",
        }
    else:
        values = receiver.settings(**log_in)

    def meets(fault: Fault) -> tuple[dict[str, Any], Any]:
        message(0)
        if fault is Fault.UNREACHABLE:
            _DjangosOwn.place["port"] = unused_port()
            return {"port": unused_port()}, a_mail()
        stage, words = _SMTP[fault]
        receiver.answers[stage] = words
        return {}, a_mail()

    def message(number: int) -> Any:
        receiver.answers.clear()
        if key == "django_mail":
            _DjangosOwn.place["port"] = receiver.port
        return a_mail(f"p{number}@example.com")

    return Side(key, values, message, meets, lambda: len(receiver.arrived), receiver.answers)


# How each provider's other side is made. One that is local has none: its database is ours.
SIDES: dict[str, Callable[[str, ExitStack], Side]] = {
    "smtp": _mail_server,
    "django_mail": _mail_server,
    **dict.fromkeys(DIALECTS, _esp),
    **dict.fromkeys(FakeSms.dialects, _phone),
    "fcm": _fcm,
    "apns": _apns,
    "web_push": _web_push,
    "webhook": _webhook,
}


def local() -> list[str]:
    return [key for key in site.PROVIDERS if provider(key).local]


@contextmanager
def side_of(key: str) -> Iterator[Side]:
    with ExitStack() as stack:
        yield SIDES[key](key, stack)


# ------------------------------------------------------------------ what is promised
def declares_itself(kind: type[Provider]) -> None:
    """All that pages, forms and checks need."""
    assert re.fullmatch(r"[a-z][a-z0-9_]*", kind.key)
    assert kind.label
    assert kind.channel in Channel.values
    names = [setting.name for setting in kind.settings]
    assert len(names) == len(set(names))
    assert kind.channel != Channel.EMAIL or "from_address" in names, (
        "who writes is asked of the account"
    )
    for setting in kind.settings:
        assert setting.label, setting
        assert setting.kind in ("text", "integer", "flag", "choice", "secret"), setting
        assert bool(setting.options) == (setting.kind == "choice"), setting
        assert not (setting.kind == "secret" and setting.default), "a secret for everybody"
    assert kind.connections({}) >= 1


def names_what_is_missing(
    kind: type[Provider], values: Mapping[str, Any], check: Callable[..., Any]
) -> None:
    """`check(kind, values)` raises BadSettings with the label of each required setting that is left
    out.
    """
    for setting in kind.settings:
        if setting.required:
            with pytest.raises(BadSettings, match=re.escape(setting.label)):
                check(kind, {**values, setting.name: ""})


def hands_over_many(side: Side) -> None:
    """One session, several messages, each ended once and accepted; closing is quiet,
    also twice and unused.
    """
    flow = Handed([side.message(number) for number in range(5)])
    before = side.arrived()
    session = side.kind.open(side.settings)
    session.work(flow)
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCEPTED] * 5, flow.outcomes
    assert flow.kept_the_rules()
    assert set(flow.left) == set(flow.ends), "it said of each that it leaves"
    assert side.arrived() - before == 5
    session.close()
    session.close()
    side.kind.open(side.settings).close()


def survives(side: Side, fault: Fault) -> None:
    """With a fault in its way a session raises nothing and gives back or ends all it took."""
    changes, message = side.meets(fault)
    with side.kind.open({**side.settings, **changes}) as session:
        flow = Handed([message])
        session.work(flow)
    assert flow.kept_the_rules()
    assert len(flow.ends) + len(flow.back) == 1


def tells_no_secret(side: Side, outcome: Outcome) -> None:
    for setting in side.kind.settings:
        value = str(side.settings.get(setting.name) or "")
        if setting.kind == "secret" and value:
            assert value not in f"{outcome.detail}{outcome.provider_id}"


# ------------------------------------------------------------------ what follows
NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Consequence:
    """Of one hand-over, in words: for the message, the account, the next channel, the address."""

    understood: str
    retry: str
    failover: str
    fallback: str
    suppression: str


def consequence(outcome: Outcome) -> Consequence:
    """By the functions that decide it when a message is really sent."""
    step = _next(outcome)
    again = _next(outcome, doubted_before=True)
    state = breaker.after(breaker.State(), [outcome], now=NOW)
    understood = outcome.result.replace("_", " ") + ("" if outcome.charged else ", uncharged")
    if step.status == DeliveryStatus.FAILED:
        retry = "no: failed"
        failover = "no"
    elif outcome.result is Result.IN_DOUBT:
        assert (
            again.status
            == _next(outcome, policy=DoubtPolicy.HOLD).status
            == DeliveryStatus.IN_DOUBT
        )
        retry = "once, same id; or held, as the type says"
        failover = "no: it may have arrived"
    elif state.paused_until:
        wait = (state.paused_until - NOW).total_seconds()
        asked = "when an account is free"
        if outcome.retry_after:
            asked = f"when it asked for ({outcome.retry_after:g} s)"
        retry = asked
        failover = f"at once; this account rests {wait:g} s"
    else:
        wait = (step.due_at - NOW).total_seconds()
        retry = f"after {shortest_retry(outcome):g} s and more, each time longer"
        if outcome.retry_after:
            retry = f"after {wait:g} s, as asked"
        failover = f"after {TIRED_AFTER} tries"
    fallback = "when its time is up"
    if step.status == DeliveryStatus.FAILED:
        fallback = "at once"
    suppression = {
        Remedy.NONE: "no",
        Remedy.GONE: "this token goes, a URL is switched off",
        Remedy.FAILING: f"the URL is switched off after {webhook_calls.FAILING.days} days of it",
    }.get(outcome.remedy, "the address, for good")
    return Consequence(understood, retry, failover, fallback, suppression)


def _next(
    outcome: Outcome, *, policy: str = DoubtPolicy.RESEND, doubted_before: bool = False
) -> Next:
    attempt = Attempt(
        reason="allowed",
        attempts=1,
        since=NOW,
        expires_at=None,
        category=Category.INFORMATIONAL,
        doubt_policy=policy,
        doubted_before=doubted_before,
    )
    return decide(outcome, attempt=attempt, now=NOW)


# ------------------------------------------------------------------ the table
BEGIN = "<!-- faults: written by python -m tests.channels -->"
END = "<!-- end of faults -->"
PAGE = Path(site.BASE_DIR) / "docs" / "reliability.md"


def table(outcomes: Mapping[tuple[str, Fault], Outcome]) -> str:
    """One row for each fault and consequence, with the providers of which it is true."""
    lines = [
        (
            "| what happens | to | understood as | sent again | another account | next channel |"
            " address suppressed |"
        ),
        "|---|---|---|---|---|---|---|",
    ]
    for fault in Fault:
        rows: dict[Consequence, list[str]] = defaultdict(list)
        for (key, each), outcome in outcomes.items():
            if each is fault:
                rows[consequence(outcome)].append(provider(key).label)
        for row, labels in rows.items():
            cells = [
                fault,
                ", ".join(labels),
                row.understood,
                row.retry,
                row.failover,
                row.fallback,
                row.suppression,
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def written() -> str:
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def all_outcomes() -> dict[tuple[str, Fault], Outcome]:
    found = {}
    for key in (key for key in site.PROVIDERS if key in SIDES):
        with side_of(key) as side:
            found |= {(key, fault): side.outcome(fault) for fault in Fault}
    return found


def write() -> None:
    head, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n\n{table(all_outcomes())}\n\n{END}{rest.partition(END)[2]}")

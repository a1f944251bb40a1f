"""Send, wait, gather or skip: the order of the rules,
and that switching something off never sends. No database.
"""

import datetime as dt
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.followers.consent.verdict import AddressFacts, FollowerFacts, TypeFacts, Verdict, judge
from apps.notifications.decide.decision import (
    EXPLANATIONS,
    Act,
    ChainState,
    Decision,
    Facts,
    SpentCap,
    Why,
    decide,
)
from apps.notifications.decide.quiet_hours import Habits

NOW = dt.datetime(2026, 5, 4, 23, 0, tzinfo=dt.UTC)  # a Monday night
HOUR = dt.timedelta(hours=1)
ADDRESS = AddressFacts(needed=True, state="active", suppressed=False)
KIND = TypeFacts(
    active=True, offered=True, critical=False, commercial=True, locked_on=False, default_on=True
)
PERSON = FollowerFacts(subscribed=True, channel_muted=False, own_choice=None)
ALLOWED = judge(ADDRESS, KIND, PERSON)
ASLEEP = {day: (dt.time(22), dt.time(7)) for day in range(7)}
UTC = ZoneInfo("UTC")


def facts(**fields: Any) -> Facts:
    values = {
        "verdict": ALLOWED,
        "critical": False,
        "silent": False,
        "digestible": False,
        "due_since": NOW,
    }
    return Facts(**{**values, **fields})


def habits(**fields: Any) -> Habits:
    return Habits(zone=UTC, **fields)


MORNING = dt.datetime(2026, 5, 5, 7, 0, tzinfo=dt.UTC)
LADDER: list[tuple[dict[str, Any], Decision]] = [  # each is met while all below it are met, too
    (
        {"verdict": judge(ADDRESS, KIND, replace(PERSON, subscribed=False))},
        Decision(Act.SKIP, "unsubscribed"),
    ),
    ({"expires_at": NOW}, Decision(Act.SKIP, Why.EXPIRED)),
    ({"earlier": ChainState.REACHED}, Decision(Act.SKIP, Why.REACHED_ELSEWHERE)),
    (
        {"earlier": ChainState.TRYING, "chain_at": NOW + HOUR},
        Decision(Act.WAIT, Why.EARLIER_CHANNEL, NOW + HOUR),
    ),
    (
        {"habits": habits(quiet=ASLEEP, paused_until=NOW + HOUR)},
        Decision(Act.WAIT, Why.PAUSED, NOW + HOUR),
    ),
    ({"habits": habits(quiet=ASLEEP)}, Decision(Act.WAIT, Why.QUIET_HOURS, MORNING)),
    (
        {"habits": habits(cadence="daily"), "digestible": True},
        Decision(Act.HOLD, Why.DIGEST, MORNING + HOUR),
    ),
    ({"throttled": True}, Decision(Act.SKIP, Why.THROTTLED)),
    ({"capped": SpentCap(NOW + 2 * HOUR, "defer")}, Decision(Act.WAIT, Why.CAPPED, NOW + 2 * HOUR)),
    ({}, Decision(Act.SEND, "default_on")),
]


@pytest.mark.parametrize("rung", range(len(LADDER)))
def test_the_first_rule_that_applies_decides(rung: int) -> None:
    fields: dict[str, Any] = {}
    for conditions, _ in reversed(LADDER[rung:]):
        fields |= conditions
    if fields.get("habits") != LADDER[6][0]["habits"]:
        fields["digestible"] = False
    assert decide(facts(**fields), now=NOW) == LADDER[rung][1]


@pytest.mark.parametrize("rung", range(4, len(LADDER)))
def test_a_critical_message_passes_all_that_is_about_when_and_how_many(rung: int) -> None:
    assert decide(facts(**LADDER[rung][0], critical=True), now=NOW).act is Act.SEND


@pytest.mark.parametrize(
    ("fields", "decision"),
    [
        pytest.param(
            {"silent": True, "habits": habits(quiet=ASLEEP, paused_until=NOW + HOUR)},
            Decision(Act.SEND, "default_on"),
            id="an inbox disturbs nobody",
        ),
        pytest.param(
            {"digestible": True, "habits": habits(quiet=ASLEEP)},
            Decision(Act.HOLD, Why.QUIET_HOURS, MORNING),
            id="the night's are gathered",
        ),
        pytest.param(
            {"habits": habits(quiet=ASLEEP, lag=dt.timedelta(seconds=90))},
            Decision(Act.WAIT, Why.QUIET_HOURS, MORNING + dt.timedelta(seconds=90)),
            id="each a bit after",
        ),
        pytest.param(
            {
                "habits": habits(quiet=ASLEEP, lag=dt.timedelta(seconds=90)),
                "expires_at": MORNING + dt.timedelta(seconds=60),
            },
            Decision(Act.WAIT, Why.QUIET_HOURS, MORNING),
            id="but not so late that it expires",
        ),
        pytest.param(
            {"habits": habits(quiet=ASLEEP), "expires_at": MORNING},
            Decision(Act.SKIP, Why.EXPIRED_WHILE_WAITING),
            id="a code that dies at night",
        ),
        pytest.param(
            {"earlier": ChainState.TRYING, "chain_at": NOW + 2 * HOUR, "expires_at": NOW + HOUR},
            Decision(Act.WAIT, Why.EARLIER_CHANNEL, NOW + HOUR),
            id="the earlier channel may fail before",
        ),
        pytest.param(
            {"earlier": ChainState.TRYING, "chain_at": NOW},
            Decision(Act.SEND, "default_on"),
            id="its turn",
        ),
        pytest.param(
            {"digestible": True, "habits": habits(cadence="daily"), "due_since": NOW - 24 * HOUR},
            Decision(Act.SEND, "default_on"),
            id="its digest has been made",
        ),
        pytest.param(
            {"habits": habits(cadence="daily")},
            Decision(Act.SEND, "default_on"),
            id="a type not gathered",
        ),
        pytest.param(
            {"capped": SpentCap(NOW + HOUR, "drop")}, Decision(Act.SKIP, Why.CAPPED), id="dropped"
        ),
        pytest.param(
            {"capped": SpentCap(NOW + HOUR, "digest"), "digestible": True},
            Decision(Act.HOLD, Why.CAPPED, NOW + HOUR),
            id="gathered for being too many",
        ),
        pytest.param(
            {"capped": SpentCap(NOW + HOUR, "digest")},
            Decision(Act.WAIT, Why.CAPPED, NOW + HOUR),
            id="or not",
        ),
        pytest.param(
            {"capped": SpentCap(NOW + HOUR, "defer"), "expires_at": NOW + HOUR},
            Decision(Act.SKIP, Why.EXPIRED_WHILE_WAITING),
            id="no place before it expires",
        ),
    ],
)
def test_cases_of_one_rule(fields: dict[str, Any], decision: Decision) -> None:
    assert decide(facts(**fields), now=NOW) == decision


def test_whoever_leaves_one_minute_a_day_is_written_to_in_it() -> None:
    """Up to two minutes later, as for the others, would be in the next night, and so each day."""
    nearly_always = {day: (dt.time(0, 1), dt.time(0, 0)) for day in range(7)}
    wishes = habits(quiet=nearly_always, lag=dt.timedelta(seconds=90))
    midnight = NOW + HOUR
    assert decide(facts(habits=wishes), now=NOW) == Decision(Act.WAIT, Why.QUIET_HOURS, midnight)
    assert decide(facts(habits=wishes), now=midnight).act is Act.SEND


def test_every_reason_has_its_words() -> None:
    assert set(EXPLANATIONS) == set(Why)


# ------------------------------------------------------------------ properties
HOURS = st.integers(-48, 48).map(lambda hours: NOW + hours * HOUR)
TIMES = st.integers(0, 23).map(dt.time)
RHYTHMS = st.builds(
    Habits,
    zone=st.sampled_from(["Pacific/Apia", "America/St_Johns", "UTC"]).map(ZoneInfo),
    quiet=st.dictionaries(st.integers(0, 6), st.tuples(TIMES, TIMES)),
    cadence=st.sampled_from(["instant", "hourly", "daily", "weekly"]),
    paused_until=st.none() | HOURS,
)
WORDS = st.builds(
    FollowerFacts,
    subscribed=st.booleans(),
    channel_muted=st.booleans(),
    own_choice=st.none() | st.booleans(),
)
KINDS = st.builds(
    TypeFacts,
    active=st.booleans(),
    offered=st.booleans(),
    critical=st.booleans(),
    commercial=st.booleans(),
    locked_on=st.booleans(),
    default_on=st.booleans(),
).filter(
    lambda kind: not (kind.commercial and (kind.critical or kind.locked_on))
)  # refused by the database
LIMITS = st.builds(SpentCap, free_at=st.integers(1, 48).map(lambda h: NOW + h * HOUR),
                   outcome=st.sampled_from(["defer", "digest", "drop"]))  # fmt: skip
FACTS = st.builds(
    Facts,
    verdict=st.just(ALLOWED),
    critical=st.just(False),
    silent=st.booleans(),
    digestible=st.booleans(),
    due_since=HOURS,
    expires_at=st.none() | HOURS,
    earlier=st.sampled_from(ChainState),
    chain_at=HOURS,
    habits=st.none() | RHYTHMS,
    throttled=st.booleans(),
    capped=st.none() | LIMITS,
)


def sent(
    base: Facts, address: AddressFacts, kind: TypeFacts, person: FollowerFacts, **changes: Any
) -> bool:
    verdict = judge(address, kind, person)
    return (
        decide(replace(base, verdict=verdict, critical=kind.critical, **changes), now=NOW).act
        is Act.SEND
    )


@given(
    base=FACTS,
    kind=KINDS,
    person=WORDS,
    rhythm=RHYTHMS,
    limit=LIMITS,
    off=st.sampled_from(
        ["mute", "cell", "unsubscribe", "quiet", "pause", "cap", "throttle", "cadence"]
    ),
)
def test_switching_anything_off_never_makes_a_message_go(
    base: Facts, kind: TypeFacts, person: FollowerFacts, rhythm: Habits, limit: SpentCap, off: str
) -> None:
    had = base.habits or Habits(zone=rhythm.zone)
    before = sent(base, ADDRESS, kind, person)
    match off:
        case "mute":
            after = sent(base, ADDRESS, kind, replace(person, channel_muted=True))
        case "cell":
            after = sent(base, ADDRESS, kind, replace(person, own_choice=False))
        case "unsubscribe":
            after = sent(base, ADDRESS, kind, replace(person, subscribed=False))
        case "quiet":  # windows where there were none
            after = sent(
                base,
                ADDRESS,
                kind,
                person,
                habits=replace(had, quiet={**rhythm.quiet, **had.quiet}),
            )
        case "pause":
            until = max(filter(None, (rhythm.paused_until, had.paused_until)), default=None)
            after = sent(base, ADDRESS, kind, person, habits=replace(had, paused_until=until))
        case "cap":
            after = sent(base, ADDRESS, kind, person, capped=base.capped or limit)
        case "throttle":
            after = sent(base, ADDRESS, kind, person, throttled=True)
        case _:  # from at once to now and then
            if had.cadence == "instant":
                rarer = rhythm.cadence
            else:
                rarer = had.cadence
            after = sent(base, ADDRESS, kind, person, habits=replace(had, cadence=rarer))
    assert before or not after


@given(
    base=FACTS,
    kind=KINDS,
    person=WORDS,
    state=st.sampled_from(["", "gone", "suppressed", "bounced", "unconfirmed", "off"]),
)
def test_no_message_not_even_a_critical_one_goes_to_an_address_that_is_out(
    base: Facts, kind: TypeFacts, person: FollowerFacts, state: str
) -> None:
    assert not sent(base, replace(ADDRESS, state=state), kind, person)
    assert not sent(
        base,
        replace(ADDRESS, suppressed=True),
        replace(kind, critical=True, commercial=False),
        person,
    )


@given(kind=KINDS, person=WORDS)
def test_what_an_administrator_locked_on_no_word_of_the_follower_switches_off(
    kind: TypeFacts, person: FollowerFacts
) -> None:
    locked = replace(kind, active=True, offered=True, commercial=False, locked_on=True)
    assert sent(facts(), ADDRESS, locked, person)


@given(base=FACTS, words=st.tuples(KINDS, WORDS))
def test_what_waits_waits_for_a_time_to_come_and_before_it_expires(
    base: Facts, words: tuple[TypeFacts, FollowerFacts]
) -> None:
    kind, person = words
    verdict: Verdict = judge(ADDRESS, kind, person)
    decision = decide(replace(base, verdict=verdict, critical=kind.critical), now=NOW)
    assert (decision.at is not None) == (decision.act in (Act.WAIT, Act.HOLD))
    if decision.at:
        assert decision.at > NOW
        assert not base.expires_at or decision.at <= base.expires_at
    if decision.act is Act.HOLD:
        assert base.digestible

"""The law of contact holds for every combination of facts."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from apps.followers.consent.verdict import (
    EXPLANATIONS,
    AddressFacts,
    FollowerFacts,
    Reason,
    TypeFacts,
    judge,
)
from apps.followers.models import AddressState

addresses = st.builds(
    AddressFacts,
    needed=st.booleans(),
    state=st.sampled_from(["", *AddressState.values]),
    suppressed=st.booleans(),
)
kinds = st.builds(TypeFacts, **{name: st.booleans() for name in TypeFacts.__slots__})
people = st.builds(
    FollowerFacts,
    subscribed=st.booleans(),
    channel_muted=st.booleans(),
    own_choice=st.sampled_from([None, True, False]),
)
USABLE = AddressFacts(needed=True, state="active", suppressed=False)


@given(addresses, kinds, people)
def test_switching_anything_off_never_causes_a_message(
    address: AddressFacts, kind: TypeFacts, person: FollowerFacts
) -> None:
    before = judge(address, kind, person).allow
    quieter = [
        judge(address, kind, replace(person, subscribed=False)),
        judge(address, kind, replace(person, channel_muted=True)),
        judge(address, kind, replace(person, own_choice=False)),
        judge(address, replace(kind, active=False), person),
        judge(address, replace(kind, offered=False), person),
        judge(replace(address, suppressed=True), kind, person),
    ]
    assert before or not any(verdict.allow for verdict in quieter)


@given(addresses, kinds, people)
def test_a_suppressed_address_gets_nothing_however_important(
    address: AddressFacts, kind: TypeFacts, person: FollowerFacts
) -> None:
    suppressed = replace(address, needed=True, suppressed=True)
    assert not judge(
        suppressed, replace(kind, critical=True, active=True, offered=True), person
    ).allow


@given(kinds, people)
def test_a_lock_holds_against_everything_a_follower_says(
    kind: TypeFacts, person: FollowerFacts
) -> None:
    locked = replace(kind, active=True, offered=True, locked_on=True)
    assert judge(USABLE, locked, person).allow


@given(addresses, kinds, people)
def test_what_critical_means_does_not_depend_on_the_follower(
    address: AddressFacts, kind: TypeFacts, person: FollowerFacts
) -> None:
    critical = replace(kind, critical=True)
    silent = FollowerFacts(subscribed=True, channel_muted=False, own_choice=None)
    assert judge(address, critical, person) == judge(address, critical, silent)


@given(kinds, people)
def test_a_global_opt_out_touches_commercial_messages_only(
    kind: TypeFacts, person: FollowerFacts
) -> None:
    plain = replace(kind, commercial=False)
    assert judge(USABLE, plain, replace(person, subscribed=False)) == judge(USABLE, plain, person)


@given(addresses, kinds, people)
def test_every_verdict_has_a_reason_that_can_be_explained(
    address: AddressFacts, kind: TypeFacts, person: FollowerFacts
) -> None:
    assert EXPLANATIONS[judge(address, kind, person).reason]
    assert set(EXPLANATIONS) == set(Reason)

"""What followers say is stored once, proven, told, and can be taken back."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.consent.acts import (
    Locked,
    UnknownCell,
    Words,
    resubscribe,
    set_preferences,
    unsubscribe,
)
from apps.followers.consent.matrix import matrix
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import release, suppress
from apps.followers.consent.verdict import Reason
from apps.followers.models import (
    AddressState,
    Channel,
    ChannelMute,
    ConsentRecord,
    Follower,
    NotificationType,
    Preference,
    Suppression,
)
from apps.lib.actor import Actor, ActorKind
from tests.make import make_type

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
ANNA_HERSELF = Actor(ActorKind.FOLLOWER, label="follower", ip="203.0.113.9")


def said(follower: Follower, **words: Any) -> Any:
    proof = Proof(
        source=words.pop("source", "preference_center"),
        by=words.pop("by", ANNA_HERSELF),
        now=words.pop("now", NOW),
        wording=words.pop("wording", ""),
    )
    values: dict[str, Any] = {"cells": {}, "mutes": {}, "proof": proof}
    return set_preferences(follower=follower, **(values | words))


def proofs(follower: Follower) -> list[str]:
    return list(
        follower.consent_records.exclude(source="test").order_by("id").values_list("act", flat=True)
    )


def facts(kind: str) -> int:
    return AuditEntry.objects.filter(kind=kind).count()


def cell(follower: Follower, key: str, channel: str) -> Any:
    row = next(row for row in matrix(follower) if row.key == key)
    return next(cell for cell in row.cells if cell.channel == channel)


# ---- the global word
def test_unsubscribing_is_stored_proven_and_told(anna: Follower) -> None:
    changed = unsubscribe(
        follower=anna,
        reason="Too many",
        proof=Proof(
            source="preference_center",
            by=ANNA_HERSELF,
            now=NOW,
            wording="2026-11",
            user_agent="Firefox",
        ),
    )
    assert changed
    stored = Follower.objects.get(pk=anna.pk)
    assert (stored.subscribed, stored.unsubscribed_at) == (False, NOW)
    assert changed.follower.subscribed is False
    proof = anna.consent_records.first()
    assert proof is not None
    assert (proof.act, proof.source, proof.scope) == (
        "unsubscribed",
        "preference_center",
        {"all": True},
    )
    assert (proof.reason, proof.wording, proof.user_agent) == ("Too many", "2026-11", "Firefox")
    assert (proof.ip, proof.actor_kind, proof.at) == ("203.0.113.9", "follower", NOW)
    assert AuditEntry.objects.get(kind="follower.unsubscribed").subject_id == str(anna.uid)


def test_unsubscribing_twice_succeeds_and_changes_nothing_more(anna: Follower) -> None:
    stale = Follower.objects.get(pk=anna.pk)
    assert unsubscribe(follower=anna, proof=Proof(source="one_click", by=ANNA_HERSELF, now=NOW))
    later = NOW + dt.timedelta(hours=1)
    assert not unsubscribe(
        follower=anna, proof=Proof(source="one_click", by=ANNA_HERSELF, now=later)
    )
    again = unsubscribe(follower=stale, proof=Proof(source="one_click", by=ANNA_HERSELF, now=later))
    assert not again
    assert again.follower.unsubscribed_at == NOW
    assert proofs(anna) == ["unsubscribed"]
    assert facts("follower.unsubscribed") == 1


def test_resubscribing_keeps_cells_and_switches_as_they_were(boris: Follower) -> None:
    make_type("news")
    said(boris, cells={("news", "email"): False}, mutes={"in_app": True})
    proof = Proof(source="preference_center", by=ANNA_HERSELF, now=NOW)
    assert resubscribe(follower=boris, proof=proof)
    assert not resubscribe(follower=boris, proof=proof)
    stored = Follower.objects.get(pk=boris.pk)
    assert (stored.subscribed, stored.subscribed_at, stored.unsubscribed_at) == (True, NOW, None)
    assert cell(boris, "news", "email").own is False
    assert cell(stored, "news", "in_app").reason == Reason.CHANNEL_OFF
    assert proofs(boris) == ["preferences_changed", "subscribed"]


# ---- cells and switches
def test_a_cell_and_a_channel_are_switched_off_with_one_proof(anna: Follower) -> None:
    make_type("news")
    change = said(anna, cells={("news", "email"): False}, mutes={"in_app": True}, wording="2026-11")
    assert change
    assert not Preference.objects.get(follower=anna).allowed
    assert ChannelMute.objects.get(follower=anna).channel == "in_app"
    proof = ConsentRecord.objects.get(follower=anna, act="preferences_changed")
    assert proof.scope == {
        "cells": [{"type": "news", "channel": "email", "before": None, "after": False}],
        "channels": [{"channel": "in_app", "muted_before": False, "muted_after": True}],
    }
    assert AuditEntry.objects.get(kind="preferences.changed").data["cells"] == proof.scope["cells"]


def test_saying_the_same_again_leaves_no_second_trace(anna: Follower) -> None:
    make_type("news")
    words = {"cells": {("news", "email"): False}, "mutes": {"email": True}, "subscribed": False}
    assert said(anna, **words)
    again = said(anna, **words)
    assert not again
    assert again.before == again.after == Words()
    assert proofs(anna) == ["preferences_changed", "unsubscribed"]
    assert facts("preferences.changed") == facts("follower.unsubscribed") == 1


def test_giving_before_back_undoes_exactly_what_was_done(anna: Follower) -> None:
    make_type("news")
    make_type("offers")
    said(anna, cells={("offers", "email"): False})
    before = list(
        Preference.objects.order_by("pk").values_list(
            "notification_type__key", "channel", "allowed"
        )
    )
    change = said(
        anna,
        cells={("news", "email"): False, ("offers", "email"): True},
        mutes={"in_app": True},
        subscribed=False,
    )
    # through JSON and back, as the signed undo token carries it
    words = Words.from_json(change.before.as_json())
    assert words == change.before
    undone = said(anna, cells=words.cells, mutes=words.mutes, subscribed=words.subscribed)
    assert undone.after == change.before
    assert undone.before == change.after
    after = list(
        Preference.objects.order_by("pk").values_list(
            "notification_type__key", "channel", "allowed"
        )
    )
    assert after == before
    assert not ChannelMute.objects.exists()
    assert Follower.objects.get(pk=anna.pk).subscribed


def test_a_default_is_never_written_down(anna: Follower) -> None:
    make_type("news")
    said(anna, cells={("news", "email"): None}, mutes={"email": False}, subscribed=True)
    assert not Preference.objects.exists()
    assert proofs(anna) == []


def test_a_later_default_does_not_override_an_own_word(anna: Follower) -> None:
    kind = make_type("news", default_channels=[])
    said(anna, cells={("news", "email"): True})
    assert cell(anna, "news", "email").reason == Reason.PREFERENCE_ON
    assert cell(anna, "news", "in_app").reason == Reason.DEFAULT_OFF
    NotificationType.objects.filter(pk=kind.pk).update(default_channels=["in_app"])
    assert cell(anna, "news", "email").reason == Reason.PREFERENCE_ON
    assert cell(anna, "news", "in_app").reason == Reason.DEFAULT_ON


@pytest.mark.parametrize(
    "fields",
    [{"category": "critical"}, {"category": "informational", "locked_channels": ["email"]}],
    ids=["critical", "locked"],
)
def test_a_cell_that_must_stay_on_is_refused_and_nothing_else_changes(
    anna: Follower, fields: dict[str, Any]
) -> None:
    make_type("alarm", **fields)
    make_type("news")
    with pytest.raises(Locked, match="alarm on email") as caught:
        said(
            anna,
            cells={("alarm", "email"): False, ("news", "email"): False},
            mutes={"email": True},
            subscribed=False,
        )
    assert caught.value.cells == [("alarm", "email")]
    assert not Preference.objects.exists()
    assert proofs(anna) == []
    assert Follower.objects.get(pk=anna.pk).subscribed


def test_a_locked_cell_may_still_be_agreed_to(anna: Follower) -> None:
    make_type("alarm", category="critical")
    assert said(anna, cells={("alarm", "email"): True})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"cells": {("nothing", "email"): False}}, "no message type 'nothing'"),
        (
            {"cells": {("news", "sms"): False}},
            "not offered on 'sms'. It is offered on: email, in_app",
        ),
        ({"mutes": {"pigeon": True}}, "no channel 'pigeon'"),
    ],
)
def test_a_cell_that_is_not_there_is_refused_with_what_is(
    anna: Follower, words: Any, message: str
) -> None:
    make_type("news")
    with pytest.raises(UnknownCell, match=message):
        said(anna, **words)


# ---- the matrix
def test_the_matrix_shows_ordered_active_types_in_the_followers_language(anna: Follower) -> None:
    make_type("late", position=2)
    make_type("gone", active=False)
    make_type(
        "early",
        position=1,
        translations={"ru": {"name": "Новости", "description": "Раз в месяц"}, "pt": {"name": "N"}},
    )
    assert [row.key for row in matrix(anna)] == ["early", "late"]
    assert (matrix(anna, "ru")[0].name, matrix(anna, "ru")[0].description) == (
        "Новости",
        "Раз в месяц",
    )
    assert matrix(anna, "pt-BR")[0].name == "N"
    assert matrix(anna, "fi")[0].name == "Early"


def test_the_columns_are_channels_that_can_be_sent_today(anna: Follower, settings: Any) -> None:
    settings.PROVIDERS = {key: settings.PROVIDERS[key] for key in ("smtp", "in_app")}
    make_type("news", channels=["in_app", "email", "sms"])
    make_type("mail_only", channels=["email"])
    rows = matrix(anna)
    assert [[cell.channel for cell in row.cells] for row in rows] == [["email", "in_app"]] * 2
    assert [cell.offered for cell in rows[0].cells] == [True, False]


def test_every_cell_says_what_applies_and_why(anna: Follower, dana: Follower) -> None:
    make_type("news")
    make_type("alarm", category="critical")
    assert cell(anna, "alarm", "email").source == "type"
    assert not cell(anna, "alarm", "email").editable
    assert cell(anna, "news", "email").explanation == "is on by default"
    said(anna, mutes={"email": True})
    muted = cell(anna, "news", "email")
    assert (muted.on, muted.wanted, muted.reason, muted.source) == (
        False,
        True,
        Reason.CHANNEL_OFF,
        "channel",
    )
    proof = Proof(source="staff", by=ANNA_HERSELF, now=NOW)
    anna = unsubscribe(follower=anna, proof=proof).follower
    assert cell(anna, "news", "email").reason == Reason.UNSUBSCRIBED
    assert cell(anna, "alarm", "email").on
    assert cell(dana, "alarm", "email").reason == Reason.NO_ADDRESS
    assert cell(dana, "alarm", "in_app").on


# ---- suppression
@pytest.mark.parametrize(
    ("reason", "state"), [("hard_bounce", "bounced"), ("complaint", "suppressed")]
)
def test_a_suppressed_address_gets_nothing_not_even_critical(
    anna: Follower, reason: str, state: str
) -> None:
    make_type("alarm", category="critical")
    suppress(
        channel="email",
        value=" Anna@Example.com",
        reason=reason,
        note="550",
        by=ANNA_HERSELF,
        now=NOW,
    )
    assert anna.addresses.get().state == state
    assert cell(anna, "alarm", "email").reason == Reason.ADDRESS_SUPPRESSED
    assert proofs(anna) == ["address_suppressed"]
    assert AuditEntry.objects.get(kind="address.suppressed").subject_id == str(anna.uid)


def test_suppressing_and_releasing_twice_change_nothing_more(anna: Follower) -> None:
    first = suppress(
        channel="email", value="anna@example.com", reason="manual", by=ANNA_HERSELF, now=NOW
    )
    second = suppress(
        channel="email", value="ANNA@example.com", reason="complaint", by=ANNA_HERSELF, now=NOW
    )
    assert (second.pk, second.reason) == (first.pk, "manual")
    release(suppression=first, by=ANNA_HERSELF, now=NOW)
    release(suppression=second, by=ANNA_HERSELF, now=NOW)
    assert anna.addresses.get().state == AddressState.ACTIVE
    assert not Suppression.objects.exists()
    assert proofs(anna) == ["address_suppressed", "address_released"]
    assert facts("address.suppressed") == facts("address.released") == 1


def test_releasing_does_not_confirm_an_unconfirmed_address(anna: Follower) -> None:
    anna.addresses.update(state=AddressState.UNCONFIRMED)
    entry = suppress(
        channel="email", value="anna@example.com", reason="manual", by=ANNA_HERSELF, now=NOW
    )
    release(suppression=entry, by=ANNA_HERSELF, now=NOW)
    assert anna.addresses.get().state == AddressState.UNCONFIRMED


def test_an_address_that_nobody_has_can_be_suppressed(db: None) -> None:
    suppress(
        channel=Channel.SMS,
        value="+4915112345678",
        reason="stop",
        by=ANNA_HERSELF,
        now=timezone.now(),
    )
    assert AuditEntry.objects.get(kind="address.suppressed").subject_label == "+4915112345678"

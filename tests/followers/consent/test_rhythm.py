"""Quiet hours, digests and a pause: kept as said, refused with help, and proven."""

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from apps.accounts.models import AuditEntry
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, as_json, from_json, rhythm_of, set_rhythm, zone_of
from apps.followers.models import ConsentRecord, Follower, Rhythm
from apps.followers.profile_fields import BadFollower
from apps.lib.partial import given
from tests.make import TESTER

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
NIGHTS = {"0": ["22:00", "07:00"], "6": ["20:30", "09:00"]}


def wish(follower: Follower, **wishes: Any) -> Any:
    return set_rhythm(
        follower=follower,
        values=Wishes(**wishes),
        proof=Proof(source="preference_center", by=TESTER, now=NOW),
    )


def test_what_a_follower_wishes_is_kept_with_its_proof(anna: Follower) -> None:
    turn = wish(anna, quiet=NIGHTS, cadence="weekly", digest_at="18:30", digest_weekday=4)
    row = rhythm_of(anna)
    assert (row.quiet, row.cadence, row.digest_at, row.digest_weekday) == (
        NIGHTS,
        "weekly",
        dt.time(18, 30),
        4,
    )
    after = {"quiet": NIGHTS, "cadence": "weekly", "digest_at": "18:30", "digest_weekday": 4}
    proof = ConsentRecord.objects.get(follower=anna, act="rhythm_changed")
    assert (proof.scope["after"], proof.source) == (after, "preference_center")
    assert proof.scope["before"] == {
        "quiet": {},
        "cadence": "instant",
        "digest_at": "08:00",
        "digest_weekday": 0,
    }
    assert AuditEntry.objects.get(kind="delivery_preferences.changed").data["after"] == after
    assert as_json(turn.after) == after


def test_only_what_differs_is_written(anna: Follower) -> None:
    assert not wish(
        anna, cadence="instant", quiet=None, digest_at=None, digest_weekday=None, paused_until=None
    )
    wish(anna, cadence="daily", quiet=NIGHTS)
    turn = wish(anna, cadence="daily", quiet={})
    assert given(turn.after) == {"quiet": {}}
    assert ConsentRecord.objects.filter(act="rhythm_changed").count() == 2


def test_giving_back_what_was_undoes_it_and_leaves_nothing_behind(anna: Follower) -> None:
    turn = wish(anna, quiet=NIGHTS, paused_until=NOW + dt.timedelta(hours=1))
    wish(anna, **given(from_json(as_json(turn.before))))
    assert not Rhythm.objects.exists()  # no row: the defaults
    assert (rhythm_of(anna).quiet, rhythm_of(anna).paused_until) == ({}, None)
    again = from_json(as_json(turn.after))
    assert wish(anna, **given(again)).after == turn.after


@pytest.mark.parametrize(
    ("field", "value", "help"),
    [
        ("quiet", {"0": ["22:00", "22:00"]}, "have no length"),
        ("quiet", {"7": ["22:00", "07:00"]}, "0 (Monday) to 6 (Sunday)"),
        ("quiet", {"0": ["22:00"]}, 'such as ["22:00", "07:00"]'),
        ("quiet", {"0": "22"}, 'such as ["22:00", "07:00"]'),
        ("quiet", {"0": ["24:00", "07:00"]}, "Write it as HH:MM"),
        ("quiet", {"0": [22, 7]}, "Write it as HH:MM"),
        ("cadence", "yearly", "instant, hourly, daily, weekly"),
        ("digest_at", "8", "Write it as HH:MM"),
        ("digest_at", "0\N{ARABIC-INDIC DIGIT THREE}:00", "Write it as HH:MM"),
        ("digest_weekday", 7, "0 (Monday) to 6 (Sunday)"),
        ("paused_until", NOW, "in the future"),
        ("paused_until", NOW + dt.timedelta(days=367), "within a year"),
    ],
)
def test_what_nobody_can_wish_is_refused_and_nothing_is_kept(
    anna: Follower, field: str, value: Any, help: str
) -> None:
    with pytest.raises(BadFollower) as refused:
        wish(anna, **{"cadence": "daily", field: value})
    assert help in str(refused.value)
    assert refused.value.field == field
    assert not Rhythm.objects.exists()


def test_a_zone_nobody_knows_is_the_sites(anna: Follower) -> None:
    assert zone_of(anna) == ZoneInfo("Europe/Berlin")
    anna.time_zone = "Mars/Olympus"
    assert zone_of(anna) == ZoneInfo("UTC")

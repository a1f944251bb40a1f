"""Quiet hours, digests and a pause over the API."""

from typing import Any

import pytest

from apps.followers.models import ConsentRecord, Follower

pytestmark = pytest.mark.django_db


def test_delivery_preferences_are_the_defaults_until_they_are_set(api: Any, anna: Follower) -> None:
    path = f"/api/v1/followers/{anna.uid}/delivery-preferences"
    unsaid = api.get(path).json()
    assert unsaid == {
        "time_zone": "Europe/Berlin",
        "quiet_hours": {},
        "digest_frequency": "instant",
        "digest_at": "08:00",
        "digest_weekday": 0,
        "paused_until": None,
    }
    said = {
        "quiet_hours": {"5": ["21:00", "09:30"]},
        "digest_frequency": "daily",
        "digest_at": "18:30",
    }
    assert api.patch(path, said).json() == unsaid | said
    assert api.get(path).json() == unsaid | said
    assert ConsentRecord.objects.filter(follower=anna).first().source == "api"
    assert (
        api.patch(path, {"quiet_hours": None, "digest_frequency": None, "digest_at": None}).json()
        == unsaid
    )


def test_a_pause_comes_back_in_utc_and_ends_with_null(api: Any, anna: Follower) -> None:
    path = f"/api/v1/followers/{anna.uid}/delivery-preferences"
    year = ConsentRecord.objects.get(follower=anna).at.year + 1
    paused = api.patch(path, {"paused_until": f"{year}-01-01T00:30:00+01:00"}).json()
    assert paused["paused_until"] == f"{year - 1}-12-31T23:30:00Z"
    assert api.patch(path, {"paused_until": None}).json()["paused_until"] is None


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"quiet_hours": {"0": ["22:00", "22:00"]}}, "quiet_hours"),
        ({"quiet_hours": {"monday": ["22:00", "07:00"]}}, "quiet_hours"),
        ({"quiet_hours": {"0": ["22:00"]}}, "quiet_hours"),
        ({"quiet_hours": "nights"}, "quiet_hours"),
        ({"digest_frequency": "yearly"}, "digest_frequency"),
        ({"digest_at": "8 am"}, "digest_at"),
        ({"digest_weekday": 7}, "digest_weekday"),
        ({"paused_until": "2020-01-01T00:00:00Z"}, "paused_until"),
        ({"pause": None}, "pause"),
    ],
)
def test_delivery_preferences_nobody_can_have_are_refused(
    api: Any, problem: Any, anna: Follower, said: dict[str, Any], field: str
) -> None:
    refused = problem(api.patch(f"/api/v1/followers/{anna.uid}/delivery-preferences", said), 400)
    assert refused["errors"][0]["field"].split(".")[0] == field

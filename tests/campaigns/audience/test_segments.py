"""Segments are created, changed and deleted, each refused with the reason."""

from typing import Any

import pytest

from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.segments import (
    SegmentNameTaken,
    SegmentValues,
    change_segment,
    create_segment,
    delete_segment,
)
from apps.campaigns.models import Segment
from tests.campaigns.world import NOW
from tests.make import TESTER

RUSSIAN = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
pytestmark = pytest.mark.django_db


@pytest.fixture
def russians() -> Any:
    return create_segment(values=SegmentValues(name="Russian", rules=RUSSIAN), by=TESTER, now=NOW)


def test_a_segment_is_refused_when_its_name_is_taken_or_its_rules_are_wrong(russians: Any) -> None:
    with pytest.raises(SegmentNameTaken, match="already a segment called “Russian”"):
        create_segment(values=SegmentValues(name="Russian", rules=RUSSIAN), by=TESTER, now=NOW)
    with pytest.raises(BadRules, match="There is no tag “gold”"):
        create_segment(
            values=SegmentValues(
                name="Gold", rules={"all": [{"field": "tag", "op": "is", "value": "gold"}]}
            ),
            by=TESTER,
            now=NOW,
        )


def test_a_refused_change_leaves_the_callers_object_as_it_was(russians: Any) -> None:
    with pytest.raises(BadRules):
        change_segment(
            segment=russians, values=SegmentValues(name="Other", rules={}), by=TESTER, now=NOW
        )
    assert (russians.name, russians.rules) == ("Russian", RUSSIAN)


def test_two_who_change_different_things_of_a_segment_both_have_their_way(russians: Any) -> None:
    also = Segment.objects.get(pk=russians.pk)
    change_segment(segment=russians, values=SegmentValues(name="RU"), by=TESTER, now=NOW)
    fresh = change_segment(
        segment=also, values=SegmentValues(description="By language"), by=TESTER, now=NOW
    )
    assert (fresh.name, fresh.description) == ("RU", "By language")


def test_a_segment_nobody_uses_can_be_deleted(russians: Any) -> None:
    delete_segment(segment=russians, by=TESTER, now=NOW)
    with pytest.raises(BadAudience, match="There is no segment"):
        Audience.parse({"segments": [str(russians.uid)]})

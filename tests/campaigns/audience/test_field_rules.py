"""What rules may ask of a custom field."""

from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.audience.sql import rules_to_q
from apps.followers.models import Follower
from tests.followers.fields.world import make_field
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db


def write(key: str, op: str, value: Any = None) -> Any:
    rules = {"all": [{"field": f"metadata.{key}", "op": op, "value": value}]}
    values = SegmentValues(name="Mine", rules=rules)
    create_segment(values=values, by=TESTER, now=timezone.now())
    return rules


@pytest.mark.parametrize(
    ("kind", "op", "value", "said"),
    [
        ("choice", "contains", "pro", "can't be compared by “contains”. Use one of: is, is not"),
        ("choice", "in", ["pro", "gold"], "choose one of: pro, free."),
        ("choice", "is", "Professional", "is kept as “pro”. Write that instead"),
        ("choices", "is", "pro", "can't be compared by “is”"),
        ("choices", "contains", "pro, free", "It: compare with one value at a time."),
        ("choices", "contains", ",", "It: compare with one value at a time."),
        ("boolean", "is", "yes", "is kept as “True”. Write that instead"),
        ("number", "is", "many", "write a number"),
        ("date", "is", "soon", "write a date"),
    ],
)
def test_a_rule_that_can_find_nobody_is_refused(kind: str, op: str, value: Any, said: str) -> None:
    make_field("it", kind)
    with pytest.raises(BadRules, match=said):
        write("it", op, value)


@pytest.mark.parametrize(
    ("kind", "kept", "op", "value"),
    [
        ("choice", "pro", "in", ["PRO"]),
        ("choices", ["pro", "free"], "contains", "free"),
        ("boolean", True, "is", "true"),
        ("number", 7, "gt", 5),
        ("date", "2026-05-31", "after", "2026-05-30"),
        ("text", "Riga", "contains", "ig"),
    ],
)
def test_a_rule_that_fits_finds_who_has_it(kind: str, kept: Any, op: str, value: Any) -> None:
    make_field("it", kind)
    selma = make_follower(name="Selma", metadata={"it": kept})
    make_follower(name="Otto")
    rules = write("it", op, value)
    assert list(Follower.objects.filter(rules_to_q(rules))) == [selma]

"""What must be true of an event, judged without a database."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.campaigns.events import conditions
from apps.campaigns.events.conditions import BadConditions
from tests.campaigns.events.world import PAID


@pytest.mark.parametrize(
    ("field", "op", "value", "true"),
    [
        ("data.total", "greater", 100, True),
        ("data.total", "greater", "120.5", False),
        ("data.total", "less", 121, True),
        ("data.status", "less", 121, False),
        ("data.status", "is", "paid", True),
        ("data.total", "is", "120.50", True),
        ("data.gift", "is", True, True),
        ("data.gift", "is", "true", True),
        ("data.gift", "is", 1, False),
        ("data.gift", "greater", 0, False),
        ("data.status", "contains", "AI", True),
        ("data.items.0.sku", "is", "lamp", True),
        ("data.items.1.sku", "exists", None, False),
        ("data.items.1.sku", "not_exists", None, True),
        ("data.missing.deeper", "is_not", "x", True),
        ("follower.tags", "contains", "VIP", True),
        ("follower.metadata.plan", "is", "pro", True),
        ("event.name", "is", "order.paid", True),
    ],
)
def test_a_condition_is_true_or_false_of_what_is_there(
    field: str, op: str, value: Any, true: bool
) -> None:
    seen = {
        "event": {"name": "order.paid"},
        "data": PAID,
        "follower": {"tags": ["vip"], "metadata": {"plan": "Pro"}},
    }
    asked = conditions.parse({"all": [{"field": field, "op": op, "value": value}]})
    judgement = conditions.judge(asked, seen)
    assert judgement.matches is true
    assert field in judgement.because


SCALARS = st.one_of(st.text("ab1", min_size=1, max_size=2), st.integers(-2, 2), st.booleans())
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(["data.a", "data.b"]),
            "op": st.sampled_from(["is", "is_not", "contains"]),
            "value": SCALARS,
        }
    ),
    min_size=1,
    max_size=4,
)


@given(rows=ROWS, data=st.dictionaries(st.sampled_from("ab"), SCALARS))
def test_all_is_every_one_any_is_at_least_one_and_not_is_the_opposite(
    rows: list[dict[str, Any]], data: dict[str, Any]
) -> None:
    seen = {"data": data}

    def true(row: dict[str, Any]) -> bool:
        return conditions.judge(conditions.parse({"all": [row]}), seen).matches

    assert conditions.judge(conditions.parse({"all": rows}), seen).matches is all(map(true, rows))
    assert conditions.judge(conditions.parse({"any": rows}), seen).matches is any(map(true, rows))
    for row in rows:
        assert true(row | {"op": "is"}) is not true(row | {"op": "is_not"})


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"all": [], "any": []},
        {"all": [{"field": "total", "op": "is", "value": 1}]},
        {"all": [{"field": "data..x", "op": "is", "value": 1}]},
        {"all": [{"field": "data.x", "op": "like", "value": 1}]},
        {"all": [{"field": "data.x", "op": ["is"], "value": 1}]},
        {"all": [{"field": "data.x", "op": "greater", "value": "many"}]},
        {"all": [{"field": "data.x", "op": "greater", "value": 10**400}]},
        {"all": [{"field": "data.x", "op": "is"}]},
        {"all": [{"field": "data.x", "op": "is", "value": 1, "note": "?"}]},
    ],
)
def test_conditions_that_can_not_be_judged_are_refused(data: Any) -> None:
    with pytest.raises(BadConditions):
        conditions.parse(data)

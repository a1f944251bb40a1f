"""Custom fields over the API, and followers who are judged by them."""

from typing import Any

import pytest

from apps.followers.models import CustomField

pytestmark = pytest.mark.django_db
PATH = "/api/v1/fields"
PLAN = {
    "key": "plan",
    "type": "choice",
    "labels": {"en": "Plan"},
    "options": [{"value": "pro", "labels": {"en": "Professional"}}, {"value": "free"}],
}


def test_a_field_is_defined_read_changed_and_deleted(api: Any, problem: Any) -> None:
    made = api.post(PATH, PLAN)
    assert made.status_code == 201
    assert made.json()["options"][1] == {"value": "free", "labels": {}}
    assert api.get(PATH).json()["results"] == [made.json()]
    changed = api.patch(f"{PATH}/plan", {"public": True}).json()
    assert changed | {"public": False, "updated_at": made.json()["updated_at"]} == made.json()
    problem(api.post(PATH, PLAN | {"key": "Plan"}), 409, field="key")
    assert api.delete(f"{PATH}/plan").status_code == 204
    problem(api.get(f"{PATH}/plan"), 404)


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"key": "2nd"}, "key"),
        ({"key": "email"}, "key"),
        ({"type": "colour"}, "type"),
        ({"labels": {"ru": "Тариф"}}, "labels"),
        ({"options": []}, "options"),
        ({"options": [{"labels": {}}]}, "options.0.value"),
    ],
)
def test_a_field_that_cannot_be_is_refused(
    api: Any, problem: Any, sent: dict[str, Any], field: str
) -> None:
    problem(api.post(PATH, PLAN | sent), 400, field=field)
    assert not CustomField.objects.exists()


def test_a_follower_is_told_each_value_that_does_not_fit(api: Any, problem: Any) -> None:
    api.post(PATH, PLAN)
    api.post(PATH, {"key": "orders", "type": "number", "labels": {"en": "Orders"}})
    anna = {
        "email": "anna@example.com",
        "metadata": {"plan": "Professional", "orders": "7", "x": 1},
    }
    made = api.post("/api/v1/followers", anna).json()
    assert made["metadata"] == {"plan": "pro", "orders": 7, "x": 1}
    path = f"/api/v1/followers/{made['id']}"
    answer = api.patch(path, {"metadata": {"plan": "gold", "orders": "many"}})
    problem(answer, 400)
    assert [(each["field"], each["detail"]) for each in answer.json()["errors"]] == [
        ("metadata.plan", "Plan: choose one of: pro, free."),
        ("metadata.orders", "Orders: write a number, such as 12.5."),
    ]
    many = api.post(
        "/api/v1/followers/bulk", {"followers": [anna, {**anna, "metadata": {"plan": 1}}]}
    )
    assert [each["result"] for each in many.json()["results"]] == ["updated", "refused"]

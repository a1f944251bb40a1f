"""Custom fields in the dashboard, and on the page of a follower."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.followers.models import CustomField, Follower
from tests.dashboard.pages import as_role, page_of
from tests.followers.fields.world import make_field
from tests.make import make_follower

TYPED = {
    "key": "plan",
    "kind": "choice",
    "label_en": "Plan",
    "label_ru": "Тариф",
    "options": "pro | Professional | Профи\n\nfree",
    "public": "on",
    "position": "",
}


def test_an_editor_defines_changes_and_deletes_a_field(client: Client, editor: Any) -> None:
    as_role(client, editor).post(reverse("dashboard:field-add"), TYPED)
    field = CustomField.objects.get()
    assert field.options == [
        {"value": "pro", "labels": {"en": "Professional", "ru": "Профи"}},
        {"value": "free", "labels": {}},
    ]
    assert "Professional, free" in page_of(client.get(reverse("dashboard:fields"))).text
    page = client.get(reverse("dashboard:field", args=[field.pk]))
    assert page.context["form"]["options"].value() == "pro | Professional | Профи\nfree"
    client.post(reverse("dashboard:field", args=[field.pk]), TYPED | {"options": "pro\ngold"})
    field.refresh_from_db()
    assert field.values == ["pro", "gold"]
    client.post(reverse("dashboard:field-delete", args=[field.pk]))
    assert not CustomField.objects.exists()


def test_what_cannot_be_stands_at_its_field(client: Client, editor: Any) -> None:
    page = page_of(
        as_role(client, editor).post(reverse("dashboard:field-add"), TYPED | {"options": ""})
    )
    assert "Write the values of the list, at least one." in page.text


@pytest.mark.django_db
def test_a_viewer_reads_them_and_changes_nothing(client: Client, viewer: Any) -> None:
    page = page_of(as_role(client, viewer).get(reverse("dashboard:fields")))
    assert "No custom fields yet" in page.text
    assert client.post(reverse("dashboard:field-add"), TYPED).status_code == 403


def test_a_followers_fields_have_inputs_of_their_own(client: Client, editor: Any) -> None:
    selma = make_follower(name="Selma", metadata={"plan": "gold", "shoe": 41, "orders": 3})
    plan = make_field()
    orders = make_field("orders", "number")
    makes = make_field("makes", "choices")
    path = reverse("dashboard:follower-edit", args=[selma.uid])
    shown = as_role(client, editor).get(path).context["form"]
    typed = {each.html_name: each.value() or "" for each in shown}
    typed |= {f"field-{orders.pk}": "4,5", f"field-{makes.pk}": ["free"], "metadata": '{"hat": 1}'}
    client.post(path, typed)
    # what nobody touched stays, though it is no value of the list
    assert Follower.objects.get().metadata == {
        "plan": "gold",
        "orders": 4.5,
        "makes": ["free"],
        "hat": 1,
    }
    page = page_of(client.get(reverse("dashboard:follower", args=[selma.uid])))
    assert "Makes free" in page.text
    refused = page_of(client.post(path, typed | {f"field-{orders.pk}": "many"}))
    assert "Orders: write a number" in refused.text
    client.post(path, typed | {f"field-{plan.pk}": ""})
    assert "plan" not in Follower.objects.get().metadata

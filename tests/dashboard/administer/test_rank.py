"""Nobody touches the account of somebody whom they don't outrank, and the tables are to look at."""

from typing import Any

import pytest
from django.apps import apps
from django.test import Client
from django.urls import reverse

from apps.accounts.actors import of_user
from apps.accounts.models import User
from apps.accounts.staff import BadStaff, StaffValues, change_staff, create_staff
from apps.dashboard.admin import Pages
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.make import make_follower, make_staff

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
PASSWORD = "correct-horse-battery"
FORM = {
    "name": "Root",
    "email": "root@staff.example",
    "role": "admin",
    "time_zone": "UTC",
    "password": "",
}


@pytest.fixture
def root(db: None) -> User:
    root = make_staff("root", role="viewer")
    root.is_superuser = root.is_staff = True
    root.save()
    return root


@pytest.fixture
def bert(db: None) -> User:
    return make_staff("bert", role="admin")


@pytest.mark.parametrize("above", ["root", "bert"])
@pytest.mark.parametrize(
    "change",
    [
        {"password": "taken-over-41"},
        {"email": "ada@evil.example"},
        {"role": "viewer"},
        {"name": "Somebody Else"},
    ],
)
def test_an_administrator_changes_nobody_of_their_own_rank_or_above(
    above: str, change: dict[str, str], client: Client, admin: User, request: Any
) -> None:
    person = request.getfixturevalue(above)
    before = User.objects.filter(pk=person.pk).values().get()
    same = FORM | {"name": person.first_name, "email": person.email, "role": person.role}
    answer = as_role(client, admin).post(f"/staff/{person.uid}/", same | change)
    assert f"{person.username} stands as high as you or higher." in page_of(answer).text
    client.post(f"/staff/{person.uid}/switch/", {"active": "no"})
    assert User.objects.filter(pk=person.pk).values().get() == before
    assert f"/staff/{person.uid}/" not in page_of(client.get("/staff/")).links


def test_a_superuser_changes_an_administrator(client: Client, admin: User, root: User) -> None:
    as_role(client, root).post(f"/staff/{admin.uid}/switch/", {"active": "no"})
    make_staff("bert", role="admin")
    client.post(f"/staff/{admin.uid}/switch/", {"active": "no"})
    assert not User.objects.get(pk=admin.pk).is_active


def test_nobody_gives_a_role_above_their_own(sender: User) -> None:
    values = StaffValues(role="admin", password="a-long-phrase-41")
    with pytest.raises(BadStaff, match="This role is above your own"):
        create_staff(username="nina", values=values, by=of_user(sender), now=sender.date_joined)
    with pytest.raises(BadStaff, match="stands as high as you or higher"):
        change_staff(
            user=make_staff("other", role="sender"),
            values=StaffValues(active=False),
            by=of_user(sender),
            now=sender.date_joined,
        )


# ------------------------------------------------------------------ one's own account
def test_ones_own_email_changes_with_the_password_only(client: Client, viewer: User) -> None:
    as_role(client, viewer)
    fields = {"name": "Vera", "email": "new@staff.example", "time_zone": "UTC"}
    for wrong in ({}, {"password": "wrong"}):
        answer = client.post("/account/", fields | wrong)
        assert "Type the password that you have now." in answer.content.decode()
    assert User.objects.get().email == "vera@staff.example"
    assert client.post("/account/", fields | {"password": PASSWORD}).status_code == 302
    assert User.objects.get().email == "new@staff.example"


def test_ones_own_password_can_not_be_guessed_at_leisure(client: Client, viewer: User) -> None:
    as_role(client, viewer)
    new = {"new_password1": "another-horse-staple", "new_password2": "another-horse-staple"}
    answers = [
        client.post("/account/password/", {"old_password": f"guess-{number}"} | new)
        for number in range(8)
    ]
    assert answers[-1].status_code == 429
    assert User.objects.get().check_password(PASSWORD)


def test_the_staff_page_is_no_way_round_that_question(client: Client, admin: User) -> None:
    same = FORM | {"name": "Ada", "email": admin.email}
    for change in ({"password": "taken-over-41"}, {"email": "other@staff.example"}):
        answer = as_role(client, admin).post(f"/staff/{admin.uid}/", same | change)
        assert "under Your account" in page_of(answer).text
    fresh = User.objects.get(pk=admin.pk)
    assert fresh.check_password(PASSWORD)
    assert fresh.email == "ada@staff.example"


# ------------------------------------------------------------------ the tables
def test_a_table_of_millions_is_not_counted_to_its_end(
    client: Client, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_role(client, root)
    for number in range(1, 4):
        make_follower(name=f"Number {number}")
    where = reverse("admin:followers_follower_changelist")
    assert "3 followers" in page_of(client.get(where)).text
    monkeypatch.setattr(Pages, "COUNTED", 2)
    rows = page_of(client.get(where)).text
    assert "2+ followers" in rows
    assert rows.index("Number 2") < rows.index("Number 1")


def test_the_tables_of_operators_can_be_looked_at_and_not_changed(
    client: Client, root: User, receiver: Any
) -> None:
    make_campaign("May")
    as_role(client, root)
    for model in apps.get_models():
        table = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        if not model.__module__.startswith("apps."):
            continue
        assert client.get(reverse(f"{table}_changelist")).status_code == 200, table
        assert client.get(reverse(f"{table}_add")).status_code == 403, table
        row = model._default_manager.first()
        if row is None:
            continue
        assert client.get(reverse(f"{table}_change", args=[row.pk])).status_code == 200, table
        assert client.post(reverse(f"{table}_change", args=[row.pk]), {}).status_code == 403
        delete = reverse(f"{table}_delete", args=[row.pk])
        assert client.post(delete, {"post": "yes"}).status_code == 403
        assert model._default_manager.filter(pk=row.pk).exists()


def test_the_tables_hold_no_packages_and_no_second_door(client: Client, root: User) -> None:
    page = page_of(as_role(client, root).get("/admin/"))
    for foreign in ("django_q", "axes", "auth/group"):
        assert not any(f"/admin/{foreign}" in link for link in page.links)
    assert client.get("/admin/django_q/schedule/add/").status_code == 404
    assert client.get("/admin/password_change/")["Location"] == "/account/password/"
    assert Client().get("/admin/login/?next=/admin/")["Location"] == "/login/?next=/admin/"


def test_hashes_and_secrets_are_on_no_table(client: Client, root: User) -> None:
    html = as_role(client, root).get(f"/admin/accounts/user/{root.pk}/change/").content.decode()
    assert root.password not in html
    assert "md5$" not in html

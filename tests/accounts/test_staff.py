"""Staff accounts: made, changed, never left without an administrator."""

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry, User
from apps.accounts.staff import BadStaff, StaffValues, change_staff, create_staff
from tests.make import TESTER, make_staff

GOOD = {
    "username": "nina",
    "email": "nina@staff.example",
    "password": "a-long-phrase-41",
    "role": "editor",
}


def create(**fields):
    said = GOOD | fields
    return create_staff(
        username=said.pop("username"), values=StaffValues(**said), by=TESTER, now=timezone.now()
    )


def change(user, **changes):
    return change_staff(user=user, values=StaffValues(**changes), by=TESTER, now=timezone.now())


def test_a_new_person_can_log_in_and_the_history_knows(db, client):
    user = create(name="Nina van Dyk")
    assert (user.first_name, user.last_name) == ("Nina", "van Dyk")
    assert (
        client.post("/login/", {"username": "nina", "password": GOOD["password"]}).status_code
        == 302
    )
    kinds = AuditEntry.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["staff.created", "staff.logged_in"]


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"password": "nina"}, "password", "too short"),
        ({"role": "boss"}, "role", "is not a role"),
        ({"time_zone": "Mars/Base"}, "time_zone", "is not a time zone"),
    ],
)
def test_a_bad_value_is_refused_with_its_field_and_nothing_is_kept(db, fields, field, words):
    with pytest.raises(BadStaff, match=words) as refused:
        create(**fields)
    assert refused.value.field == field
    assert not User.objects.exists()


def test_a_taken_user_name_is_refused(db):
    create()
    with pytest.raises(BadStaff, match="already an account named nina"):
        create()


def test_a_change_is_recorded_with_before_and_after_and_no_change_is_not(db):
    user = create()
    change(user, role="editor")
    assert AuditEntry.objects.filter(kind="staff.changed").count() == 0
    change(user, role="sender", time_zone="Asia/Tokyo")
    entry = AuditEntry.objects.get(kind="staff.changed")
    assert entry.data["role"] == {"before": "editor", "after": "sender"}


def test_the_last_administrator_stays_until_there_is_another(admin):
    for changes in ({"role": "viewer"}, {"active": False}):
        with pytest.raises(BadStaff, match="last administrator"):
            change(admin, **changes)
    make_staff("bert", role="admin")
    assert change(admin, role="viewer").role == "viewer"

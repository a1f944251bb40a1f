"""Keys are shown once, stored hashed, and end when they should."""

import datetime as dt
import re
from importlib import import_module

import pytest
from django.apps import apps
from django.db.models import ProtectedError

from apps.accounts import keys
from apps.accounts.actors import of_user
from apps.accounts.models import ApiKey, AuditEntry, User
from apps.accounts.permissions import Scope
from apps.lib.actor import Actor, ActorKind
from tests.make import TESTER

NOW = dt.datetime(2026, 5, 4, 12, tzinfo=dt.UTC)
pytestmark = pytest.mark.django_db


def issue(**values: object) -> tuple[ApiKey, str]:
    return keys.issue(
        **({"name": "Shop", "scopes": [Scope.FOLLOWERS_READ], "by": TESTER, "now": NOW} | values)
    )


def test_a_key_opens_what_it_was_issued_for_and_its_text_is_not_stored() -> None:
    key, text = issue()
    assert re.fullmatch(r"car_live_[a-z2-7]{8}_[0-9a-f]{64}", text)
    assert keys.authenticate(text, now=NOW) == key
    secret = text.rpartition("_")[2]
    assert all(secret not in str(value) for value in ApiKey.objects.values_list().get())
    assert all(
        secret not in str(value) for row in AuditEntry.objects.values_list() for value in row
    )


@pytest.mark.parametrize(
    "spoil",
    [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: "", lambda t: "a\0"],
)
def test_a_key_that_is_not_whole_is_refused(spoil) -> None:
    _, text = issue()
    with pytest.raises(keys.BadKey, match="not known"):
        keys.authenticate(spoil(text), now=NOW)


def test_the_prefix_of_one_key_with_the_secret_of_another_is_refused() -> None:
    _, one = issue()
    _, other = issue()
    with pytest.raises(keys.BadKey):
        keys.authenticate(one.rpartition("_")[0] + "_" + other.rpartition("_")[2], now=NOW)


def test_a_revoked_key_is_refused_and_told_so_once() -> None:
    key, text = issue()
    keys.revoke(key=key, by=TESTER, now=NOW)
    keys.revoke(key=key, by=TESTER, now=NOW + dt.timedelta(hours=1))
    assert ApiKey.objects.get().revoked_at == NOW
    assert AuditEntry.objects.filter(kind="api_key.revoked").count() == 1
    with pytest.raises(keys.BadKey, match="revoked"):
        keys.authenticate(text, now=NOW)


def test_a_key_is_good_until_the_moment_it_expires() -> None:
    _, text = issue(expires_at=NOW + dt.timedelta(days=1))
    keys.authenticate(text, now=NOW + dt.timedelta(hours=23, minutes=59))
    with pytest.raises(keys.BadKey, match="expired"):
        keys.authenticate(text, now=NOW + dt.timedelta(days=1))


def test_the_last_use_is_noted_at_most_once_a_minute() -> None:
    _, text = issue()
    for seconds, noted in [(0, 0), (59, 0), (60, 60), (61, 60)]:
        keys.authenticate(text, now=NOW + dt.timedelta(seconds=seconds))
        assert ApiKey.objects.get().last_used_at == NOW + dt.timedelta(seconds=noted)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["everything"]}, "scopes"),
        ({"expires_at": NOW}, "expires_at"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_issued(values: dict[str, object], field: str) -> None:
    with pytest.raises(keys.BadKeyRequest) as refused:
        issue(**values)
    assert refused.value.field == field
    assert not ApiKey.objects.exists()


def test_staff_give_no_more_than_their_role_has(editor, admin) -> None:
    with pytest.raises(keys.BadKeyRequest, match="campaigns:send"):
        issue(scopes=[Scope.CAMPAIGNS_SEND], by=of_user(editor))
    key, _ = issue(scopes=[Scope.CAMPAIGNS_SEND, Scope.FOLLOWERS_READ], by=of_user(admin))
    assert key.created_by == admin
    assert key.scopes == ["followers:read", "campaigns:send"]


@pytest.mark.reported
def test_whoever_issued_a_key_is_not_deleted_from_beneath_it(sender: User) -> None:
    key, text = issue(scopes=[Scope.FOLLOWERS_READ], by=of_user(sender))
    keys.revoke(key=key, by=TESTER, now=NOW)  # the list goes on to say whose it was
    with pytest.raises(ProtectedError):
        sender.delete()
    key.refresh_from_db()
    assert key.created_by == sender
    User.objects.filter(pk=sender.pk).update(is_active=False)
    with pytest.raises(keys.BadKey):
        keys.authenticate(text, now=NOW)


@pytest.mark.reported
def test_a_key_that_lost_its_maker_is_revoked_and_that_of_a_command_stays(sender: User) -> None:
    lost, _ = issue(by=of_user(sender))
    ordered, _ = issue(by=Actor(ActorKind.COMMAND, label="create_key"))
    ApiKey.objects.update(created_by=None)
    import_module("apps.accounts.migrations.0002_keys_keep_their_makers").revoke_orphans(apps, None)
    lost.refresh_from_db()
    ordered.refresh_from_db()
    assert lost.revoked_at
    assert ordered.revoked_at is None

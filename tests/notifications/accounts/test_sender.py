"""Whom mails are from: a name and an address, typed, stored and sent as they are."""

from importlib import import_module

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from apps.channels.contract import Result
from apps.lib import crypto
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.accounts.try_out import try_account
from apps.notifications.models import ProviderAccount
from notifications_project import env
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, tell
from tests.receiver import Receiver

NAMES = ["John@Home", "News: weekly", "Smith, John", "ООО «Ромашка», отдел", 'The "Bells"']


@pytest.mark.reported
@pytest.mark.parametrize("name", NAMES)
def test_campaigns_and_tests_leave_from_the_name_and_the_address_that_were_typed(
    receiver: Receiver, name: str
) -> None:
    now = timezone.now()
    account = ProviderAccount.objects.get(channel="email")
    values = AccountValues(settings={"from_name": name, "from_address": "n@example.com"})
    account = change_account(account=account, values=values, by=TESTER, now=now)
    tell(make_type("news"), [make_follower(email="anna@example.com")], version=make_version())
    drain()
    outcome = try_account(account=account, to="boris@example.com", by=TESTER, now=now)
    assert outcome.result is Result.ACCEPTED
    assert receiver.recipients == ["anna@example.com", "boris@example.com"]
    for arrived in receiver.arrived:
        assert arrived.sender == "n@example.com"
        [writer] = arrived.mail["From"].addresses
        assert (writer.display_name, writer.addr_spec) == (name, "n@example.com")


@pytest.mark.reported
@pytest.mark.parametrize(
    ("stored", "name", "address"),
    [
        ("News <n@example.com>", "News", "n@example.com"),
        ("n@example.com", "", "n@example.com"),
        ("John@Home <n@example.com>", "John@Home", "n@example.com"),
        ("News: weekly <n@example.com>", "News: weekly", "n@example.com"),
        ('"Smith, \\"J\\"" <n@example.com>', 'Smith, "J"', "n@example.com"),
        ("A <a@example.com> B <b@example.com>", "A <a@example.com> B", "b@example.com"),
        ("<n@example.com>", "", "n@example.com"),
    ],
)
def test_a_sender_that_was_stored_as_one_text_is_carried_over(
    receiver: Receiver, stored: str, name: str, address: str
) -> None:
    account = ProviderAccount.objects.get(channel="email")
    settings = settings_of(account)
    kept = {"host": settings["host"], "password": "secret"}
    account.settings = crypto.encrypt(kept | {"sender": stored})
    account.save()
    lost = ProviderAccount.objects.get(channel="in_app")
    lost.channel = "email"
    lost.settings = "nobody can read this"
    lost.save()
    migration = import_module("apps.notifications.migrations.0003_sender_in_two_fields")
    for _ in range(2):
        migration.divide(apps, None)
    account.refresh_from_db()
    assert crypto.decrypt(account.settings) == kept | {"from_name": name, "from_address": address}
    lost.refresh_from_db()
    assert lost.settings == "nobody can read this"


@pytest.mark.reported
@pytest.mark.parametrize(
    ("name", "address", "sender"),
    [
        (None, "n@example.com", ("Carillon", "n@example.com")),
        ("John@Home", "n@faß.example", ("John@Home", "n@xn--fa-hia.example")),
        ("", "n@example.com", ("", "n@example.com")),
        (None, "John@Home <n@example.com>", ("John@Home", "n@example.com")),
        (None, '"Smith, John" <n@example.com>', ("Smith, John", "n@example.com")),
        (None, None, ("Carillon", "hello@carillon.example")),
    ],
)
def test_the_environment_names_the_first_sender(
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    address: str | None,
    sender: tuple[str, str],
) -> None:
    for variable, value in (("FROM_NAME", name), ("FROM", address)):
        monkeypatch.delenv(variable, raising=False)
        if value is not None:
            monkeypatch.setenv(variable, value)
    found = env.mailbox(
        "FROM", "hello@carillon.example", named="FROM_NAME", default_name="Carillon"
    )
    assert found == sender


@pytest.mark.parametrize("address", ["News", "a@example.com, b@example.com", "a b@example.com", ""])
def test_an_environment_without_one_sender_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FROM", address)
    with pytest.raises(ImproperlyConfigured) as refused:
        env.mailbox("FROM", "x@example.com", named="FROM_NAME", default_name="")
    assert str(refused.value) == (
        f"FROM={address!r} is not one address. Write it as news@example.com, and the name into"
        " FROM_NAME."
    )

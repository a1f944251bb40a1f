"""Whoever starts with something wrong says it in one sentence, and what to do."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.lib import crypto
from apps.notifications.models import ProviderAccount
from apps.ops.management.commands import worker
from apps.ops.start import faults as start
from tests.notifications.world import make_accounts
from tests.receiver import Receiver

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


def sentences() -> list[str]:
    return [fault.sentence for fault in start.faults()]


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a worker did after it had looked."""
    done: list[str] = []

    class Idle:
        def __init__(self, *args: Any) -> None: ...

        def run(self) -> None:
            done.append("ran")

    monkeypatch.setattr(worker, "Supervisor", Idle)
    return done


def test_nothing_is_said_of_a_site_that_is_in_order(receiver: Receiver) -> None:
    assert sentences() == []
    assert sentences() == []


def test_a_missing_migration_is_named_and_stops_the_worker(
    supervised: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        start.MigrationExecutor, "migration_plan", lambda *_: [("ops.0009_more", False)] * 2
    )
    said = (
        "The database lacks 2 migrations, of which ops.0009_more is the first. "
        "Run “manage.py migrate”, and start web and worker again."
    )
    with pytest.raises(CommandError, match="The database lacks 2 migrations") as stopped:
        call_command("worker")
    assert str(stopped.value) == said
    assert supervised == []
    monkeypatch.setattr(start.connection, "close", lambda: None)
    start.say_faults()
    assert [record.getMessage() for record in caplog.records] == [said]


def test_another_secret_key_is_told_until_somebody_says_what_to_do(
    settings: Any, supervised: list[str]
) -> None:
    assert sentences() == []
    old = settings.SECRET_KEY
    settings.SECRET_KEY = "another-" * 8
    assert len(sentences()) == 1
    assert sentences()[0].startswith("SECRET_KEY is not the one of before:")
    told = StringIO()
    call_command("worker", stderr=told)
    assert "Put the old key into SECRET_KEY_FALLBACKS" in told.getvalue()
    assert supervised == ["ran"]
    settings.SECRET_KEY_FALLBACKS = [old]
    assert sentences() == []
    settings.SECRET_KEY_FALLBACKS = []
    assert sentences() == []  # it was signed anew meanwhile


def test_a_secret_key_that_was_lost_is_accepted_by_command(settings: Any) -> None:
    assert sentences() == []
    settings.SECRET_KEY = "another-" * 8
    assert len(sentences()) == 1
    call_command("accept_secret_key", stdout=StringIO())
    assert sentences() == []
    assert AuditEntry.objects.get().kind == "site.secret_key_accepted"


def test_other_field_keys_are_told_and_stop_the_worker(
    settings: Any, supervised: list[str]
) -> None:
    with Receiver() as receiver:
        make_accounts(receiver)
    assert ProviderAccount.objects.exclude(settings="").exists()
    old = settings.FIELD_KEYS
    settings.FIELD_KEYS = ["another-text-that-encrypts"]
    said = (
        "None of FIELD_KEYS opens what is stored of: provider accounts. Put the key that it was "
        "written with back into FIELD_KEYS, behind the new one."
    )
    assert sentences() == [said]
    with pytest.raises(CommandError, match="None of FIELD_KEYS opens"):
        call_command("worker")
    assert supervised == []
    settings.FIELD_KEYS = ["another-text-that-encrypts", *old]
    assert sentences() == []


def test_a_webhooks_secret_is_among_what_is_looked_at(settings: Any, anna: Any) -> None:
    settings.FIELD_KEYS = ["old"]
    sealed = crypto.encrypt("whsec")
    anna.addresses.create(
        channel="webhook",
        value="https://hooks.example/",
        key="https://hooks.example/",
        primary=False,
        details={"secret": sealed},
        created_at=timezone.now(),
    )
    assert sentences() == []
    settings.FIELD_KEYS = ["new"]
    assert "stored of: addresses." in sentences()[0]


def test_a_database_that_does_not_answer_is_told_by_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(start, "MigrationExecutor", refuse)
    assert sentences() == []

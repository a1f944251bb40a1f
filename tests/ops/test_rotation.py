"""Changing FIELD_KEYS: everything is written anew with the new key,
and what can't be opened is told and kept.
"""

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.api.models import IdempotentCall
from apps.followers.models import Address, Channel
from apps.lib import crypto
from apps.notifications.accounts import edit, routing
from apps.notifications.models import ProviderAccount
from apps.ops import rotation
from tests.make import TESTER, make_follower

OLD = "old-key-of-this-site"
NEW = "new-key-of-this-site"
LOST = "a-key-nobody-has-any-more"
pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("rotate_keys", *words, stdout=out)
    return out.getvalue()


def opened() -> tuple[Any, ...]:
    """All secrets, as whoever has the keys of this moment reads them."""
    details = Address.objects.get(channel=Channel.WEBHOOK).details
    return (
        [routing.settings_of(each)["password"] for each in ProviderAccount.objects.order_by("pk")],
        [crypto.decrypt(details[name]) for name in ("secret", "old_secret")],
        crypto.decrypt(IdempotentCall.objects.get().answer),
    )


@pytest.fixture
def secrets(settings: Any) -> tuple[Any, ...]:
    """One of each kind, written with the old key."""
    settings.FIELD_KEYS = [OLD]
    now = timezone.now()
    for number in range(3):
        values = {
            "host": "smtp.example.com",
            "port": 25,
            "from_address": "a@example.com",
            "username": "u",
            "password": f"p{number}",
        }
        edit.create_account(
            enabled=True,
            name=f"Mail {number}",
            provider_key="smtp",
            settings=values,
            by=TESTER,
            now=now,
        )
    follower = make_follower(email="anna@example.com")
    details = {
        "secret": crypto.encrypt("whsec_b"),
        "old_secret": crypto.encrypt("whsec_a"),
        "old_until": 5.0,
    }
    Address.objects.create(
        follower=follower,
        channel=Channel.WEBHOOK,
        value="https://a.example/",
        key="sha256:1",
        details=details,
        created_at=now,
    )
    IdempotentCall.objects.create(
        scope="s",
        body="b",
        request_id="r",
        status=201,
        answer=crypto.encrypt("{}"),
        locked_until=now,
        created_at=now,
    )
    return opened()


def test_all_is_written_anew_and_then_the_old_key_can_go(
    settings: Any, secrets: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 2)
    settings.FIELD_KEYS = [NEW, OLD]
    assert "provider accounts: 3 rewritten, 0 with" in run()
    assert "Remove the others from FIELD_KEYS" in run()
    settings.FIELD_KEYS = [NEW]
    assert opened() == secrets
    assert Address.objects.get(channel=Channel.WEBHOOK).details["old_until"] == 5.0
    assert AuditEntry.objects.filter(kind="field_keys.rotated").count() == 1, (
        "the second run had nothing to do"
    )
    assert "p0" not in str(AuditEntry.objects.filter(kind="field_keys.rotated").values())


def test_a_dry_run_only_counts(settings: Any, secrets: Any) -> None:
    settings.FIELD_KEYS = [NEW, OLD]
    said = run("--dry-run")
    assert "addresses: 1 to rewrite" in said
    assert "Nothing was written" in said
    settings.FIELD_KEYS = [OLD]
    assert opened() == secrets


def test_one_that_was_stopped_goes_on_where_it_was(
    settings: Any, secrets: Any, monkeypatch: Any
) -> None:
    settings.FIELD_KEYS = [NEW, OLD]
    monkeypatch.setattr(
        site, "ENCRYPTED", {"provider accounts": site.ENCRYPTED["provider accounts"]}
    )
    run()
    monkeypatch.undo()
    settings.FIELD_KEYS = [NEW, OLD]
    said = run()
    assert "provider accounts: 0 rewritten, 3 with the first key already" in said
    assert "addresses: 1 rewritten" in said


def test_what_no_key_opens_is_named_and_kept_and_the_rest_is_done(
    settings: Any, secrets: Any
) -> None:
    lost = ProviderAccount.objects.earliest("pk")
    settings.FIELD_KEYS = [LOST]
    lost.settings = crypto.encrypt({"password": "p0"})
    lost.save()
    settings.FIELD_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match=f"provider accounts: {lost.pk}.*remove no key"):
        run()
    assert ProviderAccount.objects.get(pk=lost.pk).settings == lost.settings
    settings.FIELD_KEYS = [NEW, OLD, LOST]
    run()
    settings.FIELD_KEYS = [NEW]
    assert routing.settings_of(ProviderAccount.objects.get(pk=lost.pk))["password"] == "p0"
    assert opened()[1:] == secrets[1:]


def test_with_one_key_it_says_how_to_begin(settings: Any, secrets: Any) -> None:
    assert "put the new one in front" in run()


def test_whoever_encrypts_is_known_here() -> None:
    """A new encrypted field needs a line in settings.ENCRYPTED, and then a name here."""
    command = [
        "grep",
        "-rlE",
        r"crypto\.encrypt\(|crypto import .*\bencrypt\b",
        "--include=*.py",
        "--exclude-dir=migrations",
        "apps",
    ]
    found = subprocess.run(
        command, cwd=site.BASE_DIR, capture_output=True, text=True, check=True
    ).stdout
    writers = {
        "apps/notifications/accounts/dkim_keys.py",
        "apps/notifications/accounts/edit.py",
        "apps/notifications/sending/heard/mailbox.py",
        "apps/channels/https/webhook.py",
        "apps/api/idempotency.py",
        "apps/followers/consent/tombstones.py",
        "apps/followers/exports/schedules.py",
        "apps/followers/exports/write.py",
        "apps/followers/privacy/erase.py",
        "apps/api/paging.py",  # cursors, which nobody stores: an old one is refused, and asked anew
    }
    assert {str(Path(line)) for line in found.split()} == writers

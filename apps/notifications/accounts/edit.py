"""Accounts as staff set them: add, change, and the first ones of a site."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from django.conf import settings as site
from django.db import transaction
from django.utils.translation import gettext

from apps.channels.contract import BadSettings, Provider
from apps.channels.mail.mime import envelope
from apps.channels.registry import provider
from apps.lib import crypto
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset
from apps.notifications.accounts import breaker
from apps.notifications.accounts.health import put_state
from apps.notifications.accounts.routing import settings_of
from apps.notifications.books.still import holds_of_account, wait_until_still
from apps.notifications.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What may leave through an account: a second, a UTC day, and how a new sender begins.

    None = no limit.
    """

    rate: float | None = None
    daily: int | None = None
    warmup_start: dt.date | None = None
    warmup_first: int | None = None
    warmup_growth: float = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountValues:
    """What staff change of an account; a setting that is absent keeps its value."""

    name: str | Unset = UNSET
    settings: Mapping[str, Any] | Unset = UNSET
    position: int | Unset = UNSET
    enabled: bool | Unset = UNSET
    limits: AccountLimits | Unset = UNSET


def create_account(
    *,
    name: str,
    provider_key: str,
    settings: dict[str, Any],
    position: int = 10,
    enabled: bool = False,
    limits: AccountLimits | None = None,
    by: Actor,
    now: dt.datetime,
) -> ProviderAccount:
    """Make an account of this provider. Raises BadSettings, UnknownProvider.

    It is off until its first test succeeds or somebody switches it on: what was mistyped takes no
    part in sending. `enabled`: whoever makes it knows that it works.
    """
    kind = provider(provider_key)
    given = sorted(settings)
    settings = kind.completed(settings, before={})
    _check(kind, settings)
    with transaction.atomic():
        account = ProviderAccount.objects.create(
            name=name,
            provider=provider_key,
            channel=kind.channel,
            settings=crypto.encrypt(settings),
            position=position,
            enabled=enabled,
            untried=not enabled,
            created_at=now,
            **asdict(limits or AccountLimits()),
        )
        data = {"added": True, "settings": given, "enabled": enabled}
        tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=account, data=data)
    return account


def change_account(
    *, account: ProviderAccount, values: AccountValues, by: Actor, now: dt.datetime
) -> ProviderAccount:
    """Change what is given, and give the account as it is now.

    Whatever changes ends a pause and forgets what its hand-overs met, and senders go on by it at
    once. One that is switched off lets nothing more leave once this has returned, but what is in
    hand at a slow server. Raises BadSettings.
    """
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        changed = _put(row, values)
        if changed:
            put_state(row, breaker.State())
            row.probing_until = None
            row.capped_until = None
            row.key_taken_at = None
            row.key_refusers = []
            row.revision += 1
            row.save()
            tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=row, data=changed)
    if "enabled" in changed and not row.enabled:
        wait_until_still(partial(holds_of_account, row.pk))
    return row


def _put(row: ProviderAccount, values: AccountValues) -> dict[str, Any]:
    """Set on the row what is given; what differs, as the audit log tells it.

    Raises BadSettings.
    """
    changed: dict[str, Any] = {}
    if values.settings is not UNSET:
        kind = provider(row.provider)
        before = settings_of(row)
        merged = kind.completed(before | dict(values.settings), before=before)
        _check(kind, merged)
        row.settings = crypto.encrypt(merged)
        changed["settings"] = sorted(values.settings)  # names only: values may be secrets
    for field in ("name", "position", "enabled"):
        value = getattr(values, field)
        old = getattr(row, field)
        if value is not UNSET and value != old:
            changed[field] = [old, value]
            setattr(row, field, value)
    if "enabled" in changed:
        row.untried = False
    if values.limits is not UNSET:
        for field, value in asdict(values.limits).items():
            old = getattr(row, field)
            if value != old:
                changed[field] = [str(old), str(value)]
                setattr(row, field, value)
    return changed


def ensure_default_accounts(*, by: Actor, now: dt.datetime) -> None:
    """Make a way out for each channel that needs nobody's contract and has no account yet: an SMTP
    account from the EMAIL_… settings, the inbox, web push with a key pair of its own, and webhooks.

    They are on: whoever wrote the environment has said which server it is, the others have none.
    """
    contact = envelope(site.DEFAULT_FROM_ADDRESS)
    defaults: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("Email", "smtp", _smtp_of_the_site()),
        ("Inbox", "in_app", {}),
        ("Browsers", "web_push", {"subject": f"mailto:{contact}"}),
        ("Webhooks", "webhook", {}),
    )
    for name, key, settings in defaults:
        if not ProviderAccount.objects.filter(channel=provider(key).channel).exists():
            create_account(
                name=name, provider_key=key, settings=settings, enabled=True, by=by, now=now
            )


def _smtp_of_the_site() -> dict[str, Any]:
    """The settings of an SMTP account, from the EMAIL_… settings."""
    if site.EMAIL_USE_SSL:
        security = "tls"
    elif site.EMAIL_USE_TLS:
        security = "starttls"
    else:
        security = "none"
    return {
        "host": site.EMAIL_HOST,
        "port": site.EMAIL_PORT,
        "security": security,
        "username": site.EMAIL_HOST_USER,
        "password": site.EMAIL_HOST_PASSWORD,
        "from_name": site.DEFAULT_FROM_NAME,
        "from_address": site.DEFAULT_FROM_ADDRESS,
        "timeout": site.EMAIL_TIMEOUT,
    }


def _check(kind: type[Provider], values: dict[str, Any]) -> None:
    """Whether a session can be opened with these settings. Raises BadSettings."""
    missing = []
    for field in kind.settings:
        if field.required and not values.get(field.name):
            missing.append(field.title)
    if missing:
        said = gettext("{provider} needs: {settings}.")
        raise BadSettings(said.format(provider=kind.label, settings=", ".join(missing)))
    kind.open(values).close()

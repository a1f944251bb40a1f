"""Accounts as staff set them: add, change, and the first ones of a site."""

import datetime as dt
from dataclasses import asdict, dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings as site
from django.db import transaction

from apps.channels.contract import BadSettings, Provider
from apps.channels.registry import provider
from apps.followers.models import Channel
from apps.lib import crypto
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.notifications.accounts import breaker
from apps.notifications.accounts.health import put_state
from apps.notifications.accounts.routing import settings_of
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


def add_account(
    *,
    name: str,
    provider_key: str,
    settings: dict[str, Any],
    position: int = 10,
    limits: AccountLimits | None = None,
    by: Actor,
    now: dt.datetime,
) -> ProviderAccount:
    """Raises BadSettings, UnknownProvider."""
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
            created_at=now,
            **asdict(limits or AccountLimits()),
        )
        data = {"added": True, "settings": given}
        tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=account, data=data)
    return account


def change_account(
    *,
    account: ProviderAccount,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    position: int | None = None,
    enabled: bool | None = None,
    limits: AccountLimits | None = None,
    by: Actor,
    now: dt.datetime,
) -> ProviderAccount:
    """Only what is given changes; a setting that is absent keeps its value.

    Clears a pause. Raises BadSettings.
    """
    with transaction.atomic():
        account = ProviderAccount.objects.select_for_update().get(pk=account.pk)
        changed: dict[str, Any] = {}
        if settings is not None:
            kind = provider(account.provider)
            before = settings_of(account)
            merged = kind.completed(before | settings, before=before)
            _check(kind, merged)
            account.settings = crypto.encrypt(merged)
            changed["settings"] = sorted(settings)  # names only: values may be secrets
        for field, value in (("name", name), ("position", position), ("enabled", enabled)):
            if value is not None and value != getattr(account, field):
                changed[field] = [getattr(account, field), value]
                setattr(account, field, value)
        for field, value in asdict(limits).items() if limits else ():
            if value != getattr(account, field):
                changed[field] = [str(getattr(account, field)), str(value)]
                setattr(account, field, value)
        if changed:
            put_state(account, breaker.State())
            account.probing_until = account.capped_until = account.key_taken_at = None
            account.key_refusers = []
            account.save()
            tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=account, data=changed)
    return account


def ensure_default_accounts(*, by: Actor, now: dt.datetime) -> None:
    """A way out for each channel that needs nobody's contract, where it has no account yet: an SMTP
    account from the EMAIL_… settings, the inbox, web push with a key pair of its own, and webhooks.
    """
    if site.EMAIL_USE_SSL:
        security = "tls"
    elif site.EMAIL_USE_TLS:
        security = "starttls"
    else:
        security = "none"
    if not ProviderAccount.objects.filter(channel=Channel.EMAIL).exists():
        smtp = {
            "host": site.EMAIL_HOST,
            "port": site.EMAIL_PORT,
            "security": security,
            "username": site.EMAIL_HOST_USER,
            "password": site.EMAIL_HOST_PASSWORD,
            "sender": site.DEFAULT_FROM_EMAIL,
            "timeout": site.EMAIL_TIMEOUT,
        }
        add_account(name="E-mail", provider_key="smtp", settings=smtp, by=by, now=now)
    contact = {"subject": f"mailto:{parseaddr(site.DEFAULT_FROM_EMAIL)[1]}"}
    for name, key, settings in (
        ("Inbox", "in_app", {}),
        ("Browsers", "web_push", contact),
        ("Webhooks", "webhook", {}),
    ):
        if not ProviderAccount.objects.filter(channel=provider(key).channel).exists():
            add_account(name=name, provider_key=key, settings=settings, by=by, now=now)


def _check(kind: type[Provider], values: dict[str, Any]) -> None:
    missing = [
        field.label for field in kind.settings if field.required and not values.get(field.name)
    ]
    if missing:
        raise BadSettings(f"{kind.label} needs: {', '.join(missing)}.")
    kind.open(values).close()

"""The ways out: provider accounts in the order in which they are tried, and when one is left alone."""

import datetime as dt
from typing import Any

from django.conf import settings as site
from django.db import transaction
from django.db.models import F, Q, QuerySet

from apps.channels.contract import BadSettings, Provider
from apps.channels.registry import provider
from apps.followers.models import Channel
from apps.lib import crypto
from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish
from apps.notifications.models import ProviderAccount

# A fault of the account keeps everybody away for 5 s, then 10 s … up to a minute; then one slice tries again.
FIRST_PAUSE, LONGEST_PAUSE = 5, 60


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """The account's settings with the provider's defaults filled in. Raises crypto.Undecryptable."""
    defaults = {field.name: field.default for field in provider(account.provider).settings}
    stored: dict[str, Any] = crypto.decrypt(account.settings)
    return defaults | stored


def account_for(channel: str, *, now: dt.datetime) -> ProviderAccount | None:
    """The first account of the channel that is enabled and not paused."""
    return _free(now).filter(channel=channel).first()


def open_channels(*, now: dt.datetime) -> list[str]:
    """The channels on which something can go out now."""
    return list(_free(now).order_by("channel").values_list("channel", flat=True).distinct())


def _free(now: dt.datetime) -> QuerySet[ProviderAccount]:
    rested = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    return ProviderAccount.objects.filter(rested, enabled=True)


def reopens_at(channel: str) -> dt.datetime | None:
    """When the first paused account of the channel may be tried again; None if none is even enabled."""
    account = ProviderAccount.objects.filter(channel=channel, enabled=True).order_by("paused_until").first()
    return account.paused_until if account else None


def pause(account: ProviderAccount, *, detail: str, now: dt.datetime, seconds: float | None = None) -> dt.datetime:
    """Leave the account alone for a while: as long as the provider asked, else twice as long as last time."""
    wait = seconds if seconds is not None else min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(account.failures, 10))
    until = now + dt.timedelta(seconds=wait)
    ProviderAccount.objects.filter(pk=account.pk).update(
        paused_until=until, failures=F("failures") + 1, last_error=detail[:500], last_error_at=now
    )
    return until


def note_success(account: ProviderAccount, *, now: dt.datetime) -> None:
    ProviderAccount.objects.filter(pk=account.pk).update(last_ok_at=now, paused_until=None, failures=0)


def add_account(
    *, name: str, provider_key: str, settings: dict[str, Any], position: int = 10, by: Actor, now: dt.datetime
) -> ProviderAccount:
    """Raises BadSettings, UnknownProvider."""
    kind = provider(provider_key)
    _check(kind, settings)
    with transaction.atomic():
        account = ProviderAccount.objects.create(
            name=name,
            provider=provider_key,
            channel=kind.channel,
            settings=crypto.encrypt(settings),
            position=position,
            created_at=now,
        )
        _tell(account, by=by, now=now, data={"added": True, "settings": sorted(settings)})
    return account


def change_account(
    *,
    account: ProviderAccount,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    position: int | None = None,
    enabled: bool | None = None,
    by: Actor,
    now: dt.datetime,
) -> ProviderAccount:
    """Only what is given changes; a setting that is absent keeps its value. Clears a pause. Raises BadSettings."""
    with transaction.atomic():
        account = ProviderAccount.objects.select_for_update().get(pk=account.pk)
        changed: dict[str, Any] = {}
        if settings is not None:
            merged = settings_of(account) | settings
            _check(provider(account.provider), merged)
            account.settings = crypto.encrypt(merged)
            changed["settings"] = sorted(settings)  # names only: values may be secrets
        for field, value in (("name", name), ("position", position), ("enabled", enabled)):
            if value is not None and value != getattr(account, field):
                changed[field] = [getattr(account, field), value]
                setattr(account, field, value)
        if changed:
            account.paused_until, account.failures = None, 0
            account.save()
            _tell(account, by=by, now=now, data=changed)
    return account


def ensure_default_accounts(*, by: Actor, now: dt.datetime) -> None:
    """The in-app channel, and an SMTP account from the EMAIL_… settings, where the channel has no account yet."""
    security = "tls" if site.EMAIL_USE_SSL else "starttls" if site.EMAIL_USE_TLS else "none"
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
    if not ProviderAccount.objects.filter(channel=Channel.IN_APP).exists():
        add_account(name="Inbox", provider_key="in_app", settings={}, by=by, now=now)


def _check(kind: type[Provider], values: dict[str, Any]) -> None:
    missing = [field.label for field in kind.settings if field.required and not values.get(field.name)]
    if missing:
        raise BadSettings(f"{kind.label} needs: {', '.join(missing)}.")
    kind.open(values).close()


def _tell(account: ProviderAccount, *, by: Actor, now: dt.datetime, data: dict[str, Any]) -> None:
    publish(Fact(Kind.PROVIDER_CHANGED, by, now, "provider_account", str(account.uid), account.name, data))

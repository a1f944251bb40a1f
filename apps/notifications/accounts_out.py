"""The ways out: provider accounts in the order in which they are tried, and when one is left alone."""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass
from email.utils import parseaddr
from typing import Any

from django.conf import settings as site
from django.db import transaction
from django.db.models import Q, QuerySet

from apps.channels.contract import BadSettings, Outcome, Provider, Result
from apps.channels.registry import UnknownProvider, provider
from apps.followers.models import Channel
from apps.lib import crypto
from apps.lib.actor import SYSTEM, Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.lanes import Lane
from apps.notifications import breaker, links
from apps.notifications.models import ProviderAccount

# What went well is written down that often, a change or a fault at once: a row for each flush would be a hot spot.
TOLD_EVERY = 10.0
_told: dict[int, tuple[float, int]] = {}  # account: when this process last told (monotonic), tries since


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """The account's settings with the provider's defaults filled in. Raises crypto.Undecryptable."""
    defaults = {field.name: field.default for field in provider(account.provider).settings}
    stored: dict[str, Any] = crypto.decrypt(account.settings)
    return defaults | stored


def settings_in_use(account: ProviderAccount) -> dict[str, Any]:
    """The same, with the address for its provider's reports where one can reach us and none was given."""
    values = settings_of(account)
    if "status_url" in values and not values["status_url"] and site.SITE_URL.startswith("https://"):
        values["status_url"] = links.reports_url(account.uid)
    return values


def account_for(channel: str, *, now: dt.datetime, lane: str = "", via: str = "") -> ProviderAccount | None:
    """The first account of the channel that can be used now: enabled, not paused, open or capped.

    One that is to be probed counts as usable; limits.grant lets a single message through it. Critical messages may go
    where the day's volume is used up, if there is no other way. `via`: the service that has to know the address.
    """
    found = services(now=now, lane=lane, channel=channel).get((channel, via))
    return found[0] if found else None


def services(*, now: dt.datetime, lane: str = "", channel: str = "") -> dict[tuple[str, str], list[ProviderAccount]]:
    """The accounts that can be used now, in their order, by channel and the service whose addresses they reach ("":
    all). `channel`: of this one only."""
    free = list(_free(now).filter(channel=channel) if channel else _free(now))
    usable = [each for each in free if not _capped(each, now)]
    if lane == Lane.CRITICAL:
        usable += [each for each in free if _capped(each, now)]
    found: dict[tuple[str, str], list[ProviderAccount]] = {}
    for account in usable:
        found.setdefault((account.channel, via(account)), []).append(account)
    return found


def via(account: ProviderAccount) -> str:
    """The service that has to know an address it reaches; "" where it reaches all of its channel."""
    try:
        return provider(account.provider).via
    except UnknownProvider:  # whoever opens it says so
        return ""


def reach(*, now: dt.datetime, lane: str) -> dict[str, set[str]]:
    """The channels on which something can go out now, each with the services whose addresses can be reached."""
    found: dict[str, set[str]] = {}
    for channel, service in services(now=now, lane=lane):
        found.setdefault(channel, set()).add(service)
    return found


def _free(now: dt.datetime) -> QuerySet[ProviderAccount]:
    rested = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    unprobed = Q(probing_until__isnull=True) | Q(probing_until__lte=now)
    return ProviderAccount.objects.filter(rested, unprobed, enabled=True)


def reopens_at(channel: str) -> dt.datetime | None:
    """When the first paused account of the channel may be tried again; None if none is even enabled."""
    account = ProviderAccount.objects.filter(channel=channel, enabled=True).order_by("paused_until").first()
    return account.paused_until if account else None


def _capped(account: ProviderAccount, now: dt.datetime) -> bool:
    return account.capped_until is not None and account.capped_until > now


# ------------------------------------------------------------------ what hand-overs met
def note(account: ProviderAccount, outcomes: Sequence[Outcome], *, now: dt.datetime) -> dt.datetime | None:
    """Book what a flush's hand-overs say about the account; until when it is left alone, None if it can go on.

    In a transaction of its own, or none. What went well is written at most every TOLD_EVERY seconds.
    """
    outcomes = list(filter(breaker.concerns, outcomes))
    if not outcomes:
        if account.tripped_at:
            leave_probe(account)
        return None
    told_at, tries = _told.get(account.pk, (0.0, 0))
    calm = all(map(breaker.works, outcomes)) and not (account.failures or account.tripped_at or account.paused_until)
    if calm and time.monotonic() - told_at < TOLD_EVERY:
        _told[account.pk] = (told_at, tries + len(outcomes))
        return None
    _told[account.pk] = (time.monotonic(), 0)
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        before = state_of(row)
        state = breaker.after(before, outcomes, now=now, tries=tries)
        if any(map(breaker.works, outcomes)):
            row.last_ok_at = now
        if faults := [each for each in outcomes if not breaker.works(each)]:
            row.last_error, row.last_error_at = faults[-1].detail[:500], now
        _put(row, state)
        if state.tripped_at and state.trips != before.trips:
            row.probing_until = None
            if not before.tripped_at:
                data = {"why": state.trouble, "said": row.last_error}
                publish(_fact(Kind.PROVIDER_STOPPED, row, by=SYSTEM, now=now, data=data))
        elif before.tripped_at and not state.tripped_at:
            row.probing_until = None
            publish(_fact(Kind.PROVIDER_RECOVERED, row, by=SYSTEM, now=now, data={}))
        row.save(update_fields=[*_MOVED, "probing_until", "last_ok_at", "last_error", "last_error_at"])
    for name in (*_MOVED, "probing_until"):
        setattr(account, name, getattr(row, name))
    return row.paused_until if row.paused_until and row.paused_until > now else None


def pause(account: ProviderAccount, *, detail: str, now: dt.datetime, seconds: float | None = None) -> dt.datetime:
    """Leave the account alone: as long as the provider asked, else by the breaker."""
    asked = Outcome(Result.ACCOUNT if seconds is None else Result.THROTTLED, detail, retry_after=seconds)
    return note(account, [asked], now=now) or now


_MOVED = (
    "failures", "paused_until", "tripped_at", "trips", "trouble", "window_at", "window_tries", "window_faults",
)  # fmt: skip


def state_of(account: ProviderAccount) -> breaker.State:
    return breaker.State(*(getattr(account, name) for name in _MOVED))


def _put(account: ProviderAccount, state: breaker.State) -> None:
    for name, value in zip(_MOVED, astuple(state), strict=True):
        setattr(account, name, value)


def take_probe(account: ProviderAccount, *, now: dt.datetime) -> bool:
    """Of all senders, one may try an account that was left alone: true for that one."""
    free = Q(probing_until__isnull=True) | Q(probing_until__lte=now)
    rested = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    due = ProviderAccount.objects.filter(free, rested, pk=account.pk, tripped_at__isnull=False)
    return bool(due.update(probing_until=now + breaker.PROBE_LEASE))


def leave_probe(account: ProviderAccount) -> None:
    """The probe had nothing to send."""
    ProviderAccount.objects.filter(pk=account.pk, tripped_at__isnull=False).update(probing_until=None)


def reset(*, account: ProviderAccount, by: Actor, now: dt.datetime) -> None:
    """A person's word: use it again at once, as if nothing had happened."""
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        _put(row, breaker.State())
        row.probing_until, row.key_refusers = None, []
        row.save(update_fields=[*_MOVED, "probing_until", "key_refusers"])
        publish(_fact(Kind.PROVIDER_RESET, row, by=by, now=now, data={"said": row.last_error}))


# ------------------------------------------------------------------ what staff set
@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What may leave through an account: a second, a UTC day, and how a new sender begins. None = no limit."""

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
    given, settings = sorted(settings), kind.completed(settings, before={})
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
        _tell(account, by=by, now=now, data={"added": True, "settings": given})
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
    """Only what is given changes; a setting that is absent keeps its value. Clears a pause. Raises BadSettings."""
    with transaction.atomic():
        account = ProviderAccount.objects.select_for_update().get(pk=account.pk)
        changed: dict[str, Any] = {}
        if settings is not None:
            kind, before = provider(account.provider), settings_of(account)
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
            _put(account, breaker.State())
            account.probing_until = account.capped_until = account.key_taken_at = None
            account.key_refusers = []
            account.save()
            _tell(account, by=by, now=now, data=changed)
    return account


def ensure_default_accounts(*, by: Actor, now: dt.datetime) -> None:
    """A way out for each channel that needs nobody's contract, where it has no account yet: an SMTP account from the
    EMAIL_… settings, the inbox, web push with a key pair of its own, and webhooks.
    """
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
    contact = {"subject": f"mailto:{parseaddr(site.DEFAULT_FROM_EMAIL)[1]}"}
    for name, key, settings in (
        ("Inbox", "in_app", {}),
        ("Browsers", "web_push", contact),
        ("Webhooks", "webhook", {}),
    ):
        if not ProviderAccount.objects.filter(channel=provider(key).channel).exists():
            add_account(name=name, provider_key=key, settings=settings, by=by, now=now)


def _check(kind: type[Provider], values: dict[str, Any]) -> None:
    missing = [field.label for field in kind.settings if field.required and not values.get(field.name)]
    if missing:
        raise BadSettings(f"{kind.label} needs: {', '.join(missing)}.")
    kind.open(values).close()


def _tell(account: ProviderAccount, *, by: Actor, now: dt.datetime, data: dict[str, Any]) -> None:
    publish(_fact(Kind.PROVIDER_CHANGED, account, by=by, now=now, data=data))


def _fact(kind: Kind, account: ProviderAccount, *, by: Actor, now: dt.datetime, data: dict[str, Any]) -> Fact:
    return Fact(kind, by, now, "provider_account", str(account.uid), account.name, data)

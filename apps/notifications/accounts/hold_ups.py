"""What keeps messages from leaving just now, channel by channel: no account, a used-up day, or
accounts in trouble.

Values for whoever shows them; each says itself in words, too.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from apps.channels.contract import Provider
from apps.channels.registry import providers
from apps.followers.models import Address, Channel
from apps.lib.written import written
from apps.notifications.accounts import health
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    ProviderAccount,
    Shelf,
)
from apps.notifications.models.sentences import in_words

HEAD = 1000  # rows looked at


class Health(StrEnum):
    """How an account stands, in one word."""

    OFF = "off"
    UNTRIED = "untried"  # new, and off until its first test succeeds
    OPEN = "open"  # out of use, left alone for now
    TRYING = "trying"  # out of use, one message may try it
    CAPPED = "capped"
    PAUSED = "paused"
    FAILING = "failing"
    GOOD = "good"
    UNKNOWN = "unknown"  # nothing has gone through it yet


# A channel all of whose accounts stand like this sends nothing.
STUCK = {Health.PAUSED, Health.FAILING, Health.OPEN, Health.TRYING, Health.CAPPED}


class HoldUpKind(StrEnum):
    """Why messages wait, or take another way than usual."""

    NO_ACCOUNT = "no_account"  # none of the channel is switched on
    DAY_USED_UP = "day_used_up"  # each account has sent what it may today
    TROUBLE = "trouble"  # no account works just now
    NO_ACCOUNT_FOR_SERVICE = "no_account_for_service"  # some devices can't be written to
    PAUSED_BY_ITSELF = "paused_by_itself"  # Carillon has stopped it: a person goes on, or cancels
    ACCOUNT_STOPPED = "account_stopped"  # this one is out of use, the next takes over


@dataclass(frozen=True, slots=True)
class HoldUp:
    """One reason for which messages of a channel wait.

    `account`: whose trouble it is. `service`: its label, of NO_ACCOUNT_FOR_SERVICE.
    `since` is known of ACCOUNT_STOPPED, `until` of DAY_USED_UP, `said` (what the provider said
    last, or what is wrong) of TROUBLE, ACCOUNT_STOPPED and PAUSED_BY_ITSELF.
    """

    kind: HoldUpKind
    channel: Channel
    account: ProviderAccount | None = None
    service: str = ""
    said: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None

    @property
    def sentence(self) -> str:
        """The hold-up in words, its times in the current time zone."""
        label = self.channel.label
        match self.kind:
            case HoldUpKind.NO_ACCOUNT:
                said = gettext(
                    "No account for {channel} is switched on. "
                    "An administrator switches one on under Channels."
                )
                return said.format(channel=label)
            case HoldUpKind.DAY_USED_UP:
                said = gettext("Today's volume of {channel} is used up. It goes on at {moment}.")
                return said.format(channel=label, moment=_clock(self.until))
            case HoldUpKind.TROUBLE:
                said = gettext(
                    "{channel} can't leave just now: {why}. "
                    "Nothing is lost: it goes out by itself later."
                )
                return said.format(channel=label, why=self.said.rstrip("."))
            case HoldUpKind.NO_ACCOUNT_FOR_SERVICE:
                said = gettext(
                    "No account for {service} is switched on: nothing goes to its devices, "
                    "and what is for them waits until it expires. "
                    "An administrator adds one under Channels."
                )
                return said.format(service=self.service)
            case HoldUpKind.PAUSED_BY_ITSELF:
                return in_words(self.said)
            case HoldUpKind.ACCOUNT_STOPPED:
                said = gettext(
                    "{account} is out of use since {moment}: {why}. "
                    "{channel} takes the next account."
                )
                since = _clock(self.since)
                why = in_words(self.said)
                return said.format(account=self.account, moment=since, why=why, channel=label)


def health_of(account: ProviderAccount, now: dt.datetime) -> Health:
    """How the account stands at `now`."""
    if account.untried:
        return Health.UNTRIED
    if not account.enabled:
        return Health.OFF
    if account.tripped_at:
        if health.state_of(account).word(now) == "open":
            return Health.OPEN
        return Health.TRYING
    if account.capped_until and account.capped_until > now:
        return Health.CAPPED
    if account.paused_until and account.paused_until > now:
        return Health.PAUSED
    if account.last_error_at and (
        account.last_ok_at is None or account.last_error_at > account.last_ok_at
    ):
        return Health.FAILING
    if account.last_ok_at:
        return Health.GOOD
    return Health.UNKNOWN


def hold_ups(
    channels: Iterable[str], *, devices: QuerySet[Address] | None = None, now: dt.datetime
) -> list[HoldUp]:
    """Why messages of these channels wait, or don't take their first way.

    `devices`: where pushes are to go; then also each service that knows some of them and has no
    account.
    """
    found: list[HoldUp] = []
    for name in channels:
        channel = Channel(name)
        accounts = list(ProviderAccount.objects.filter(channel=channel, enabled=True))
        standings = {health_of(account, now) for account in accounts}
        found += _of_all(channel, accounts, standings)
        if accounts and devices is not None:
            found += _of_services(channel, accounts, devices)
        if Health.GOOD in standings:
            found += _of_stopped(channel, accounts)
    return found


def _of_all(
    channel: Channel, accounts: list[ProviderAccount], standings: set[Health]
) -> list[HoldUp]:
    """What stops the whole channel, if anything does."""
    if not accounts:
        return [HoldUp(HoldUpKind.NO_ACCOUNT, channel)]
    if standings == {Health.CAPPED}:
        again = min(account.capped_until for account in accounts if account.capped_until)
        return [HoldUp(HoldUpKind.DAY_USED_UP, channel, until=again)]
    if standings <= STUCK:
        latest = max(accounts, key=lambda account: account.last_error_at or account.created_at)
        return [HoldUp(HoldUpKind.TROUBLE, channel, latest, said=latest.last_error)]
    return []


def _of_services(
    channel: Channel, accounts: list[ProviderAccount], devices: QuerySet[Address]
) -> list[HoldUp]:
    """Services without an account that know some of the devices."""
    kind = HoldUpKind.NO_ACCOUNT_FOR_SERVICE
    return [
        HoldUp(kind, channel, service=service.label)
        for service in _unserved(channel, accounts)
        if devices.filter(channel=channel, via=service.via).exists()
    ]


def _unserved(channel: Channel, accounts: list[ProviderAccount]) -> list[type[Provider]]:
    """Services of the channel whose addresses nobody else can write to, and that have none of
    the accounts.
    """
    used = {account.provider for account in accounts}
    own_addresses = [kind for kind in providers() if kind.channel == channel and kind.via]
    return [kind for kind in own_addresses if kind.key not in used]


def _of_stopped(channel: Channel, accounts: list[ProviderAccount]) -> list[HoldUp]:
    """Accounts out of use beside one that works."""
    return [
        HoldUp(
            HoldUpKind.ACCOUNT_STOPPED,
            channel,
            account,
            said=account.trouble,
            since=account.tripped_at,
        )
        for account in accounts
        if account.tripped_at
    ]


def hold_ups_of(
    notification: Notification, channels: Iterable[str], *, now: dt.datetime
) -> list[HoldUp]:
    """Why the notification's messages on these channels wait."""
    if notification.paused_why:
        kind = HoldUpKind.PAUSED_BY_ITSELF
        first = Channel(notification.channels[0])
        return [HoldUp(kind, first, said=notification.paused_why)]
    return hold_ups(channels, devices=_next_devices(notification), now=now)


def _next_devices(notification: Notification) -> QuerySet[Address]:
    """The devices that are next.

    What nobody can take stays at the head of the line, however long the line is.
    """
    line = notification.deliveries.filter(shelf=Shelf.WAITING, channel=Channel.PUSH)
    return Address.objects.filter(deliveries__in=line.order_by("due_at", "id").values("pk")[:HEAD])


def hold_ups_of_delivery(delivery: Delivery, *, now: dt.datetime) -> list[HoldUp]:
    """Why one delivery can't leave; nothing for one that doesn't wait for its turn."""
    if delivery.status != DeliveryStatus.PENDING:
        return []
    if delivery.notification.paused_why:
        return hold_ups_of(delivery.notification, [], now=now)
    device = Address.objects.filter(deliveries=delivery)
    return hold_ups([delivery.channel], devices=device, now=now)


def _clock(moment: dt.datetime | None) -> str:
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    said = gettext("{time} on {day}")
    return said.format(time=written(local, "HH:mm"), day=written(local, "dd MMMM"))

"""The accounts that a message can go through now, in the order in which they are tried."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.conf import settings as site
from django.db import connection
from django.db.models import Q, QuerySet

from apps.channels.registry import UnknownProvider, provider
from apps.lib import crypto
from apps.lib.queue.lanes import Lane
from apps.notifications.messages import links
from apps.notifications.models import ProviderAccount


def settings_of(account: ProviderAccount) -> dict[str, Any]:
    """The account's settings with the provider's defaults filled in.

    Raises crypto.Undecryptable.
    """
    defaults = {field.name: field.default for field in provider(account.provider).settings}
    stored: dict[str, Any] = crypto.decrypt(account.settings)
    return defaults | stored


def settings_in_use(account: ProviderAccount) -> dict[str, Any]:
    """The account's settings, with the address for its provider's reports where the provider can
    reach us and none was given. Raises crypto.Undecryptable.
    """
    values = settings_of(account)
    if "status_url" in values and not values["status_url"] and site.SITE_URL.startswith("https://"):
        values["status_url"] = links.reports_url(account.uid)
    return values


def account_for(
    channel: str, *, now: dt.datetime, lane: str = "", via: str = ""
) -> ProviderAccount | None:
    """The first account of the channel that can be used now: enabled, not paused, open or capped.

    An account that is to be probed counts as usable: limits.grant lets a single message through.
    Critical messages may go where the day's volume is used up, if there is no other way. `via`: the
    service that has to know the address.
    """
    found = services(now=now, lane=lane, channel=channel).get((channel, via))
    if found:
        return found[0]
    return None


def services(
    *, now: dt.datetime, lane: str = "", channel: str = ""
) -> dict[tuple[str, str], list[ProviderAccount]]:
    """The accounts that can be used now, in their order, by channel and the service whose addresses
    they reach ("": all). `channel`: of this one only.
    """
    accounts = _free(now)
    if channel:
        accounts = accounts.filter(channel=channel)
    free = list(accounts)
    usable = [each for each in free if not _capped(each, now)]
    if lane == Lane.CRITICAL:
        usable += [each for each in free if _capped(each, now)]
    found: dict[tuple[str, str], list[ProviderAccount]] = {}
    for account in usable:
        found.setdefault((account.channel, via(account)), []).append(account)
    return found


def outdated(accounts: Iterable[tuple[int, int]]) -> set[int]:
    """Which of these accounts, (primary key, revision), were switched off, changed or deleted
    since.
    """
    known = dict(accounts)
    if not known:
        return set()
    marks = ", ".join(["%s"] * len(known))
    asked = (
        f"SELECT id, revision FROM {ProviderAccount._meta.db_table} "  # noqa: S608  # a name, marks
        f"WHERE enabled AND id IN ({marks})"
    )
    with connection.cursor() as cursor:  # by hand: a sender asks ten times a second
        cursor.execute(asked, [*known])
        as_it_was = {pk for pk, revision in cursor.fetchall() if known[pk] == revision}
    return known.keys() - as_it_was


def via(account: ProviderAccount) -> str:
    """The service that has to know the addresses which the account reaches;
    "" where it reaches all of its channel.
    """
    try:
        return provider(account.provider).via
    except UnknownProvider:  # whoever opens it says so
        return ""


def reach(*, now: dt.datetime, lane: str) -> dict[str, set[str]]:
    """The channels on which something can go out now,
    each with the services whose addresses can be reached.
    """
    found: dict[str, set[str]] = {}
    for channel, service in services(now=now, lane=lane):
        found.setdefault(channel, set()).add(service)
    return found


def _free(now: dt.datetime) -> QuerySet[ProviderAccount]:
    rested = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    unprobed = Q(probing_until__isnull=True) | Q(probing_until__lte=now)
    return ProviderAccount.objects.filter(rested, unprobed, enabled=True)


def reopens_at(channel: str) -> dt.datetime | None:
    """When the first paused account of the channel may be tried again;
    None if none is even enabled.
    """
    enabled = ProviderAccount.objects.filter(channel=channel, enabled=True)
    account = enabled.order_by("paused_until").first()
    if account:
        return account.paused_until
    return None


def _capped(account: ProviderAccount, now: dt.datetime) -> bool:
    return account.capped_until is not None and account.capped_until > now

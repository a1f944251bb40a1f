"""Ask for limits as a claim does."""

import datetime as dt

from django.db import transaction

from apps.notifications.limits import domains, grant
from apps.notifications.models import Notification, ProviderAccount

NOW = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def take(
    notification: Notification, account: ProviderAccount | None, wanted: int, now: dt.datetime
) -> grant.Grant:
    with transaction.atomic():
        return grant.grant(notification=notification, account=account, wanted=wanted, now=now)


def sort(
    notification: Notification,
    account: ProviderAccount,
    rows: list[tuple[int, str]],
    now: dt.datetime,
) -> domains.Sorted:
    with transaction.atomic():
        return domains.sort_out(notification=notification, account=account, rows=rows, now=now)

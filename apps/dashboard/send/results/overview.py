"""The results of everything, of a type, of a recurring notification, of any period."""

import datetime as dt
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.analytics.results.funnel import Funnel, funnel_of
from apps.analytics.results.sends import DayResults, days_of, sends_of
from apps.analytics.results.typical import typical
from apps.campaigns.models import Recurring
from apps.dashboard.send.results import plots, steps
from apps.followers.models import Channel, NotificationType
from apps.notifications.reports.became import Narrowing

DAYS = 30
_ASKED = ("type", "recurring", "campaign", "since", "to")


@dataclass(frozen=True, slots=True)
class ChannelLine:
    label: str
    cells: list[steps.Cell]


@dataclass(frozen=True, slots=True)
class DayLine:
    date: dt.date
    cells: list[steps.Cell]


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    zone = ZoneInfo(settings.TIME_ZONE)
    asked = Narrowing.read({name: request.GET.get(name, "") for name in _ASKED})
    if not asked:
        month_ago = timezone.now().astimezone(zone).date() - dt.timedelta(days=DAYS - 1)
        asked = replace(asked, since=month_ago.isoformat())
    base = asked.given
    notifications = asked.notifications()
    funnel = funnel_of(notifications)
    usual = typical()
    flow = steps.funnel_steps(funnel, base, usual)
    days = days_of(notifications, zone=zone)
    context: dict[str, Any] = {
        "asked": asked,
        "funnel": funnel,
        "usual": usual,
        "flow": flow,
        "bars": plots.funnel(flow),
        "losses": steps.losses(funnel, base, usual),
        "channels": _channels(funnel, base),
        "days": _days(days, asked),
        "columns": plots.columns(days),
        "sends": sends_of(notifications),
    }
    context["types"] = NotificationType.objects.order_by("name").values_list("key", "name")
    context["recurring"] = Recurring.objects.order_by("name").values_list("uid", "name")
    context["width"] = plots.WIDTH
    context["height"] = plots.HEIGHT
    return render(request, "dashboard/send/results/overview.html", context)


def _channels(funnel: Funnel, base: dict[str, str]) -> list[ChannelLine]:
    lines = []
    for channel, sheet in sorted(funnel.sheet.by_channel.items()):
        numbers = {
            "": sheet.total,
            "sent": sheet.sent,
            "skipped": sum(sheet.skipped.values()),
            "failed": sum(sheet.failed.values()),
            "waiting": sheet.waiting,
        }
        cells = []
        for status, number in numbers.items():
            names = steps.names_of(base, channel=channel, status=status)
            cells.append(steps.Cell(number, names))
        lines.append(ChannelLine(str(Channel(channel).label), cells))
    return lines


def _days(days: list[DayResults], asked: Narrowing) -> list[DayLine]:
    lines = []
    for day in reversed(days):
        on = replace(asked, since=day.date.isoformat(), to=day.date.isoformat()).given
        cells = [
            steps.Cell(day.sent, steps.names_of(on, status="sent")),
            steps.Cell(day.opened, steps.names_of(on, did="opened")),
            steps.Cell(day.clicked, steps.names_of(on, did="clicked")),
        ]
        lines.append(DayLine(day.date, cells))
    return lines


urlpatterns = [path("results/", index, name="results")]

"""The first page: what is going out now, what waits, how it went, and who is new."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.permissions import Capability, requires
from apps.analytics import reports
from apps.campaigns.digests import sent_but_held
from apps.dashboard.shell.first_steps import first_steps
from apps.followers.devices.webhook_calls import stopped_since
from apps.followers.exports.due import failed_schedules
from apps.followers.models import Channel
from apps.lib.refusals import Refused
from apps.notifications.accounts.hold_ups import hold_ups
from apps.notifications.safety import brake, restored


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart in its own units: 100 high, parts from the ground up."""

    day: reports.Day
    x: int
    parts: list[tuple[str, float, float]]  # (css class, y, height)


def bars(days: list[reports.Day]) -> list[Bar]:
    highest = max((day.total for day in days), default=0) or 1
    drawn = []
    for place, day in enumerate(days):
        ground = 100.0
        parts = []
        counts = {"bar": day.sent, "bar-failed": day.failed, "bar-skipped": day.skipped}
        for css, count in counts.items():
            height = round(count * 100 / highest, 2)
            if count:
                height = max(height, 1.5)  # a few among thousands still show
                ground -= height
                parts.append((css, round(ground, 2), height))
        drawn.append(Bar(day, place * 100 + 18, parts))
    return drawn


@requires(Capability.VIEW)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    days = reports.last_days(now=now, zone=timezone.get_current_timezone())
    totals = {}
    for name in ("sent", "failed", "skipped", "total"):
        totals[name] = sum(getattr(day, name) for day in days)
    week_ago = now - dt.timedelta(days=7)
    audience = reports.follower_counts(now=now)
    context = {
        **_now(),
        "upcoming": reports.upcoming(),
        "days": days,
        "bars": bars(days),
        "totals": totals,
        "audience": audience,
        "webhooks_off": stopped_since(week_ago),
        "exports_failed": failed_schedules(),
        "restored": restored.held(),
        "steps": first_steps(viewer=user_of(request)),
    }
    return render(request, "dashboard/shell/home/home.html", context)


@requires(Capability.ADMINISTER)
@require_POST
def after_restore(request: HttpRequest, how: str) -> HttpResponse:
    """An administrator says how to go on after a restore."""
    if how not in list(restored.Answer):
        raise Http404
    try:
        by = staff_actor(request)
        count = restored.go_on(how=restored.Answer(how), by=by, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
    else:
        done = ngettext(
            "Done. It was about {count} send.", "Done. It was about {count} sends.", count
        )
        messages.success(request, done.format(count=count))
    return redirect("dashboard:home")


@requires(Capability.VIEW)
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """The parts of the first page that move, fetched every few seconds: only the cheap ones."""
    return render(request, "dashboard/shell/home/live.html", _now())


def _now() -> dict[str, Any]:
    waiting = reports.waiting()
    total = sum(waiting.values())
    channels = [channel for channel in Channel if str(channel.label) in waiting]
    found = hold_ups(channels, now=timezone.now())
    return {
        "sending": reports.sending(),
        "sent_but_held": sent_but_held(),
        "waiting": waiting,
        "waiting_total": total,
        "hold_ups": found,
        "stopped": brake.stopped(),
    }


urlpatterns = [
    path("", home, name="home"),
    path("live/", live, name="home-live"),
    path("restored/<str:how>/", after_restore, name="home-restored"),
]

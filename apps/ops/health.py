"""Whether this process and the whole are in order: for load balancers, and as a card for staff."""

import secrets
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import pgettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.permissions import Capability, may, requires
from apps.lib.written import patterns, retold
from apps.ops.heartbeat import ENDED, SILENT, Sign, forget_restarts, signs

PART_WORDS = {
    "critical": pgettext_lazy("part", "critical"),
    "transactional": pgettext_lazy("part", "transactional"),
    "bulk": pgettext_lazy("part", "bulk"),
    "tick": pgettext_lazy("part", "tick"),
}
_REASONS = patterns((SILENT, ENDED), value=r"-?\d{1,9}")


@dataclass(frozen=True, slots=True)
class Part:
    """A group as the card shows it: how it stands, what it is called, why it was replaced."""

    sign: Sign
    name: str
    why: str


def _part(sign: Sign) -> Part:
    name = str(PART_WORDS.get(sign.group, sign.group))
    return Part(sign, name, retold(sign.reason, _REASONS))


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process answers; restart it otherwise."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database answers, each lane showed life within a minute and what it last
    handed over could leave; else 503. What is wrong is for staff, and for who sends MONITOR_TOKEN.
    """
    body: dict[str, Any] = {"status": "unavailable"}
    try:
        found = signs(now=timezone.now())
        told = _is_monitor(request) or may(request.user, Capability.VIEW)
    except DatabaseError:
        if _is_monitor(request):
            body["database"] = "does not answer"
        return JsonResponse(body, status=503)
    status = 503
    if all(sign.alive for sign in found):
        body["status"] = "ready"
        status = 200
    if told:
        body["database"] = "answers"
        body["groups"] = {
            sign.group: {"alive": sign.alive, "seconds_since": sign.age} for sign in found
        }
    return JsonResponse(body, status=status)


def _is_monitor(request: HttpRequest) -> bool:
    """Whether the request carries the token of the site's monitoring, if it has one."""
    sent = request.headers.get("Authorization", "")
    expected = f"Bearer {settings.MONITOR_TOKEN}"
    return bool(settings.MONITOR_TOKEN) and secrets.compare_digest(sent.encode(), expected.encode())


@requires(Capability.VIEW)
@require_safe
def card(request: HttpRequest) -> HttpResponse:
    """A fragment for the dashboard's home; what was replaced is told to administrators only."""
    found = signs(now=timezone.now())
    context = {
        "parts": [_part(sign) for sign in found],
        "well": all(sign.alive for sign in found),
        "starting": all(sign.alive or sign.starting for sign in found),
        "replaced": [_part(sign) for sign in found if sign.restarts],
    }
    return render(request, "ops/health.html", context)


@requires(Capability.ADMINISTER)
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """An administrator has read what was replaced: it is told once."""
    forget_restarts()
    return redirect("dashboard:home")

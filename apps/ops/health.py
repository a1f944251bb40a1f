"""Whether this process and the whole are in order: for load balancers, and as a card for staff."""

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.permissions import Capability, requires
from apps.ops.heartbeat import forget_restarts, signs


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while this process answers; restart it otherwise."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database answers, each lane showed life within a minute and what it last
    handed over could leave; else 503 with what is wrong.
    """
    try:
        found = signs(now=timezone.now())
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    ready = all(sign.alive for sign in found)
    groups = {sign.group: {"alive": sign.alive, "seconds_since": sign.age} for sign in found}
    if ready:
        word = "ready"
        status = 200
    else:
        word = "unavailable"
        status = 503
    body = {"status": word, "database": "answers", "groups": groups}
    return JsonResponse(body, status=status)


@requires(Capability.VIEW)
@require_safe
def card(request: HttpRequest) -> HttpResponse:
    """A fragment for the dashboard's home; what was replaced is told to administrators only."""
    found = signs(now=timezone.now())
    context = {
        "signs": found,
        "well": all(sign.alive for sign in found),
        "starting": all(sign.alive or sign.starting for sign in found),
        "replaced": [sign for sign in found if sign.restarts],
    }
    return render(request, "ops/health.html", context)


@requires(Capability.ADMINISTER)
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """An administrator has read what was replaced: it is told once."""
    forget_restarts()
    return redirect("dashboard:home")

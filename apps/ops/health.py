"""Whether this process and the whole are in order: for load balancers, and as a card for staff."""

from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.ops.heartbeat import signs


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 while this process answers; restart it otherwise."""
    return JsonResponse({"status": "alive"})


@never_cache
@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when the database answers and each lane showed life within a minute,
    else 503 with what is wrong.
    """
    try:
        found = signs(now=timezone.now())
    except DatabaseError:
        return JsonResponse({"status": "unavailable", "database": "does not answer"}, status=503)
    ready = all(sign.alive for sign in found)
    groups = {sign.group: {"alive": sign.alive, "seconds_since": sign.age} for sign in found}
    body = {"status": "ready" if ready else "unavailable", "database": "answers", "groups": groups}
    return JsonResponse(body, status=200 if ready else 503)


@requires(Capability.VIEW)
@require_safe
def card(request: HttpRequest) -> HttpResponse:
    """A fragment for the dashboard's home."""
    found = signs(now=timezone.now())
    return render(
        request, "ops/health.html", {"signs": found, "well": all(sign.alive for sign in found)}
    )

"""Events: what integrators said had happened, and what each rule made of it."""

import json
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from apps.accounts.permissions import Capability, requires
from apps.campaigns.models import Event
from apps.dashboard.shell.paging import page_of
from apps.followers.people.find_follower import find_one

ROWS = Event.objects.select_related("follower").prefetch_related("follower__addresses")


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    name = request.GET.get("name", "").strip()
    person = request.GET.get("follower", "").strip()
    rows = ROWS.prefetch_related("outcomes")
    if name:
        rows = rows.filter(name=name)
    if person:
        follower = find_one(person)
        if follower:
            rows = rows.filter(follower=follower)
        else:
            rows = rows.none()
    context = {
        "page": page_of(request, rows),
        "name": name,
        "person": person,
        "filtered": bool(name or person),
    }
    return render(request, "dashboard/send/events/list.html", context)


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    event = get_object_or_404(ROWS, uid=uid)
    data = ""
    if event.data:
        data = json.dumps(event.data, ensure_ascii=False, indent=2)
    context = {
        "event": event,
        "data": data,
        "outcomes": event.outcomes.select_related("rule", "notification"),
    }
    return render(request, "dashboard/send/events/detail.html", context)


urlpatterns = [
    path("events/", index, name="events"),
    path("events/<uuid:uid>/", detail, name="event"),
]

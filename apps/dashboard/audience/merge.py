"""Merge another follower into this one: what the one will be is shown beforehand."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.actors import staff_actor
from apps.accounts.fact_words import field_of, value_of
from apps.accounts.history import readable
from apps.accounts.permissions import Capability, requires
from apps.followers.merging.merge import CanNotMerge, merge, preview
from apps.followers.models import Follower
from apps.followers.people.find_follower import find_one
from apps.lib.refusals import Refused
from apps.lib.written import written
from apps.notifications.books.mistaken import delete_mistake


# It gives the history of one to whoever holds a link of the other, for good.
@requires(Capability.ADMINISTER)
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = get_object_or_404(Follower, uid=uid)
    if request.method == "POST":
        return _merged(request, follower)
    text = request.GET.get("q", "").strip()[:400]
    context = {"follower": follower, "q": text}
    if text:
        other = find_one(text)
        context["other"] = other
        if other is None:
            context["problem"] = gettext("Nobody has exactly this address or id.")
        else:
            try:
                context["lines"] = [
                    {
                        "name": field_of(line.name),
                        "values": [
                            _said(line.name, value) for value in (line.kept, line.gone, line.after)
                        ],
                    }
                    for line in preview(kept=follower, gone=other)
                ]
            except CanNotMerge as error:
                context["problem"] = error.sentence
    return render(request, "dashboard/audience/followers/merge.html", context)


def _said(name: str, value: Any) -> str:
    """Say a value as people read it, a moment by their clock."""
    if isinstance(value, dt.datetime):
        return written(timezone.localtime(value), "d MMM y, HH:mm")
    return readable(value_of(name, value))


def _merged(request: HttpRequest, follower: Follower) -> HttpResponse:
    try:
        uid = UUID(request.POST.get("other", ""))
    except ValueError as error:
        raise Http404 from error
    other = get_object_or_404(Follower, uid=uid)
    try:
        merge(kept=follower, gone=other, by=staff_actor(request), now=timezone.now())
    except Refused as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, gettext("Both are one now."))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def mistake(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Delete a follower who was made by mistake, or say what to do instead."""
    follower = get_object_or_404(Follower, uid=uid)
    try:
        delete_mistake(follower=follower, by=staff_actor(request), now=timezone.now())
    except Refused as error:
        messages.error(request, error.sentence)
        return redirect("dashboard:follower", uid)
    messages.success(request, gettext("It is gone within minutes, and can be added again."))
    return redirect("dashboard:followers")


urlpatterns = [
    path("followers/<uuid:uid>/merge/", page, name="follower-merge"),
    path("followers/<uuid:uid>/mistake/", mistake, name="follower-mistake"),
]

"""Webhooks: how each stands, switched off and on, given a new secret, added and removed;
of one follower, or of all.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell import double_submit
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.devices import webhook_calls, webhooks
from apps.followers.devices.webhook_calls import WebhookState
from apps.followers.models import Address, Channel, Follower, Webhook
from apps.lib.refusals import Refused


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    asked = request.GET.get("state", "")
    if asked not in WebhookState.values:
        asked = ""
    text = request.GET.get("q", "").strip()
    rows = webhook_calls.listed(asked)
    if text:
        rows = rows.filter(address__value__icontains=text)
    context = {"asked": asked, "text": text, "states": WebhookState.choices}
    return _page(request, rows, context)


@requires(Capability.VIEW)
@require_safe
def of_follower(request: HttpRequest, uid: UUID) -> HttpResponse:
    followers = Follower.objects.prefetch_related("addresses")
    follower = get_object_or_404(followers, uid=uid)
    rows = webhook_calls.listed().filter(address__follower=follower)
    return _page(request, rows, {"follower": follower, "most": webhooks.MOST})


def _page(request: HttpRequest, rows: QuerySet[Webhook], context: dict[str, Any]) -> HttpResponse:
    page = page_of(request, rows)
    for row in page.rows:
        beside(row, standing=webhook_calls.standing_of(row), once=double_submit.token())
    values = {"page": page, "once": double_submit.token(), **context}
    return render(request, "dashboard/audience/webhooks/list.html", values)


@never_cache
@requires(Capability.EDIT)
@require_POST
def add(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The answer shows the secret, this once."""
    follower = get_object_or_404(Follower, uid=uid)
    if done := _already(request):
        return done
    url = request.POST.get("url", "")
    by = staff_actor(request)
    now = timezone.now()
    try:
        row, secret = webhooks.create_webhook(follower=follower, url=url, by=by, now=now)
    except Refused as error:
        messages.error(request, str(error))
        return redirect("dashboard:follower-webhooks", follower.uid)
    return _secret_page(request, row, secret)


@never_cache
@requires(Capability.EDIT)
@require_POST
def rotate(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = _find(uid)
    if done := _already(request):
        return done
    secret = webhooks.rotate_secret(webhook=row, by=staff_actor(request), now=timezone.now())
    return _secret_page(request, row, secret, rotated=True)


@requires(Capability.EDIT)
@require_POST
def change(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Switch it off or on, or forget it; a second press finds it done."""
    row = _webhooks().filter(uid=uid).first()
    wanted = request.POST.get("do", "")
    if row is not None and wanted in _ACTS:
        act = _ACTS[wanted]
        act(webhook=row, by=staff_actor(request), now=timezone.now())
        messages.success(request, _DONE[wanted].format(address=row.value))
    if row is None or request.POST.get("back") == "all":
        return redirect("dashboard:webhooks")
    return redirect("dashboard:follower-webhooks", row.follower.uid)


_ACTS: dict[str, Callable[..., object]] = {
    "off": webhook_calls.switch_off,
    "on": webhook_calls.switch_on,
    "remove": webhooks.delete_webhook,
}
_DONE = {
    "off": _("{address} is switched off: messages for it are skipped."),
    "on": _("{address} is called again from now on."),
    "remove": _("{address} is forgotten."),
}


def _already(request: HttpRequest) -> HttpResponse | None:
    if done := double_submit.already(request):
        messages.info(
            request, gettext("The secret was shown once. Make another one if it is lost.")
        )
        return redirect(done)
    return None


def _secret_page(
    request: HttpRequest, row: Address, secret: str, *, rotated: bool = False
) -> HttpResponse:
    url = reverse("dashboard:follower-webhooks", args=[row.follower.uid])
    double_submit.remember(request, url)
    context = {"webhook": row, "secret": secret, "rotated": rotated}
    return render(request, "dashboard/audience/webhooks/secret.html", context)


def _webhooks() -> QuerySet[Address]:
    return Address.objects.filter(channel=Channel.WEBHOOK).select_related("follower")


def _find(uid: UUID) -> Address:
    return get_object_or_404(_webhooks(), uid=uid)


urlpatterns = [
    path("webhooks/", index, name="webhooks"),
    path("webhooks/<uuid:uid>/", change, name="webhook"),
    path("webhooks/<uuid:uid>/secret/", rotate, name="webhook-secret"),
    path("followers/<uuid:uid>/webhooks/", of_follower, name="follower-webhooks"),
    path("followers/<uuid:uid>/webhooks/add/", add, name="follower-webhook-add"),
]

"""API keys: issued with scopes, their secret shown once, revoked. For administrators."""

import datetime as dt
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts import keys
from apps.accounts.actors import staff_actor
from apps.accounts.models import ApiKey
from apps.accounts.permissions import Capability, Scope, requires
from apps.dashboard.shell import double_submit
from apps.dashboard.shell.forms import add_refusal, plain_helper


class KeyForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        help_text=_("Which API client uses it, such as “Shop backend”."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Give only what the API client needs."),
    )
    expires_at = forms.DateField(
        label=_("Last day"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("Empty: the key works until it is revoked."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = plain_helper()

    def clean_expires_at(self) -> dt.date | None:
        day: dt.date | None = self.cleaned_data["expires_at"]
        if day and day < timezone.localdate():
            raise forms.ValidationError(gettext("This day is over. Choose today or a later day."))
        return day


@requires(Capability.ADMINISTER)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = ApiKey.objects.select_related("created_by")
    context = {"rows": rows, "now": timezone.now()}
    return render(request, "dashboard/administer/api_keys/list.html", context)


@never_cache
@requires(Capability.ADMINISTER)
def add(request: HttpRequest) -> HttpResponse:
    """The answer to a good post shows the secret; it is nowhere else,
    so a repeated post leads to the list.
    """
    if done := double_submit.already(request):
        said = gettext(
            "That key was issued already. Its secret was shown once; issue another key if it "
            "is lost."
        )
        messages.info(request, said)
        return redirect(done)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            key, secret = keys.issue(
                name=typed["name"],
                scopes=typed["scopes"],
                expires_at=_end_of(typed["expires_at"]),
                by=staff_actor(request),
                now=timezone.now(),
            )
        except keys.BadKeyRequest as error:
            add_refusal(form, error)
        else:
            double_submit.remember(request, reverse("dashboard:api-keys"))
            context = {"key": key, "secret": secret}
            return render(request, "dashboard/administer/api_keys/issued.html", context)
    context = {"form": form, "once": double_submit.token()}
    return render(request, "dashboard/administer/api_keys/form.html", context)


def _end_of(day: dt.date | None) -> dt.datetime | None:
    """The last instant of a day by the clock of the person at the page."""
    if day is None:
        return None
    last = dt.datetime.combine(day, dt.time.max)
    return timezone.make_aware(last)


@requires(Capability.ADMINISTER)
@require_POST
def revoke(request: HttpRequest, uid: UUID) -> HttpResponse:
    key = get_object_or_404(ApiKey, uid=uid)
    keys.revoke(key=key, by=staff_actor(request), now=timezone.now())
    said = gettext("The key {name} works no longer.").format(name=key.name)
    messages.success(request, said)
    return redirect("dashboard:api-keys")


urlpatterns = [
    path("api-keys/", index, name="api-keys"),
    path("api-keys/add/", add, name="api-key-add"),
    path("api-keys/<uuid:uid>/revoke/", revoke, name="api-key-revoke"),
]

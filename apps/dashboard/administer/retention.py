"""The page that says how long each kind of data is kept, and what would go now."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.analytics.retention import rules
from apps.analytics.retention.decide import LimitedBy
from apps.analytics.retention.kinds import KINDS
from apps.dashboard.shell.forms import add_refusal, plain_helper
from apps.lib.erasing.letting_go import COUNTED
from apps.lib.refusals import Refused

PAGE = "dashboard/administer/retention.html"


class RetentionForm(forms.Form):
    """The days of each kind; nothing, or 0, keeps it for ever."""

    def __init__(self, data: Any = None, *, now: Mapping[str, int]) -> None:
        super().__init__(data)
        self.helper = plain_helper()
        for kind in KINDS:
            self.fields[kind.key] = forms.IntegerField(
                required=False,
                min_value=0,
                label=str(kind.label),
                initial=now[kind.key] or None,
                help_text=str(kind.goes),
                widget=forms.NumberInput(attrs={"placeholder": _("for ever")}),
            )

    @property
    def values(self) -> dict[str, int]:
        return {kind.key: self.cleaned_data[kind.key] or 0 for kind in KINDS}


@requires(Capability.ADMINISTER)
def page(request: HttpRequest) -> HttpResponse:
    """Show what holds and what would go, look at other days first ("look"), or save them."""
    now = timezone.now()
    values = rules.chosen()
    form = RetentionForm(request.POST or None, now=values)
    looked = False
    if request.method == "POST" and form.is_valid():
        try:
            if "look" in request.POST:
                rules.refuse_bad(form.values)
                values = form.values
                looked = True
            else:
                rules.change(values=form.values, by=staff_actor(request), now=now)
                messages.success(request, gettext("Saved. What is too old goes little by little."))
                return redirect("dashboard:retention")
        except Refused as error:
            add_refusal(form, error)
    context = {
        "form": form,
        "standings": rules.standings(values=values, now=now),
        "looked": looked,
        "most": COUNTED,
        "still_read": LimitedBy.STILL_READ,
    }
    return render(request, PAGE, context)


urlpatterns = [path("retention/", page, name="retention")]

"""The suppression list: addresses nothing is sent to, how they came there,
and letting one go again.
"""

from dataclasses import asdict
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.addresses import BadAddress
from apps.followers.consent.suppression import release, suppress
from apps.followers.models import Address, Channel, Suppression, SuppressionReason
from apps.notifications.limits import soft_bounces


class AddForm(forms.Form):
    channel = forms.ChoiceField(
        label=_("Channel"),
        choices=[(Channel.EMAIL, Channel.EMAIL.label), (Channel.SMS, Channel.SMS.label)],
    )
    value = forms.CharField(
        max_length=500,
        label=_("Address"),
        help_text=_("An email address, or a number such as +4930…"),
    )
    note = forms.CharField(
        label=_("Note"), max_length=300, required=False, help_text=_("Why; shown in the list.")
    )


class ReleaseForm(forms.Form):
    reason = forms.CharField(
        max_length=300,
        label=_("Why may we write to this address again?"),
        widget=forms.Textarea({"rows": 2}),
    )


class BounceRuleForm(forms.Form):
    enabled = forms.BooleanField(
        required=False,
        label=_("Stop addresses to which mail comes back again and again"),
        help_text=_(
            "For example because the mailbox is full. One that does not exist is stopped at once,"
            " also without this."
        ),
    )
    bounces = forms.IntegerField(min_value=1, label=_("Mails that came back"))
    days = forms.IntegerField(min_value=1, label=_("On so many different days, at least"))
    within_days = forms.IntegerField(
        min_value=1,
        label=_("Within so many days"),
        help_text=_("A mail that arrives begins the count again."),
    )


@requires(Capability.ADMINISTER)
def bounce_rule(request: HttpRequest) -> HttpResponse:
    """Show the rule for soft bounces, or change it."""
    form = BounceRuleForm(request.POST or None, initial=asdict(soft_bounces.rule()))

    def save() -> soft_bounces.BounceRuleValues:
        values = soft_bounces.BounceRuleValues(**form.cleaned_data)
        by = staff_actor(request)
        return soft_bounces.change_rule(values=values, by=by, now=timezone.now())

    def done(_saved: soft_bounces.BounceRuleValues) -> HttpResponse:
        messages.success(request, gettext("The rule was saved. It holds from the next bounce on."))
        return redirect("dashboard:suppressions")

    page = "dashboard/audience/suppressions/bounce_rule.html"
    return edit_page(request, form, page, {}, save=save, done=done)


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("q", "").strip()
    reason = request.GET.get("reason", "")
    rows = Suppression.objects.all()
    if text:
        rows = rows.filter(key__contains=text.casefold())
    if reason in SuppressionReason.values:
        rows = rows.filter(reason=reason)
    page = page_of(request, rows)
    _name_owners(page.rows)
    filtered = bool(text or reason)
    context = {
        "page": page,
        "text": text,
        "reason": reason,
        "reasons": SuppressionReason.choices,
        "filtered": filtered,
    }
    return render(request, "dashboard/audience/suppressions/list.html", context)


def _name_owners(rows: list[Suppression]) -> None:
    """Put the follower who has the address beside each row, in one query."""
    keys = [row.key for row in rows]
    # the channel first, as the index has it: without it a million addresses are read
    own = Address.objects.filter(channel__in={row.channel for row in rows}, key__in=keys)
    addresses = own.select_related("follower")
    owners = {}
    for address in addresses:
        owners[address.channel, address.key] = address.follower
    for row in rows:
        beside(row, owner=owners.get((row.channel, row.key)))


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    form = AddForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        by = staff_actor(request)
        now = timezone.now()
        try:
            row = suppress(**typed, reason=SuppressionReason.MANUAL, by=by, now=now)
        except BadAddress as error:
            form.add_error("value", str(error))
        else:
            said = gettext("Nothing is sent to {address} any more.")
            messages.success(request, said.format(address=row.key))
            return redirect("dashboard:suppressions")
    return render(request, "dashboard/audience/suppressions/add.html", {"form": form})


@requires(Capability.SEND)
@require_safe
def ask_release(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Suppression, pk=pk)
    return _release_page(request, row, ReleaseForm())


# To let an address go is to let messages leave for it, so it asks for more than editing.
@requires(Capability.SEND)
@require_POST
def let_go(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(Suppression, pk=pk)
    form = ReleaseForm(request.POST)
    if not form.is_valid():
        return _release_page(request, row, form)
    note = form.cleaned_data["reason"]
    by = staff_actor(request)
    release(suppression=row, note=note, by=by, now=timezone.now())
    said = gettext("{address} is off the list; messages may go there again.")
    messages.success(request, said.format(address=row.key))
    return redirect("dashboard:suppressions")


def _release_page(request: HttpRequest, row: Suppression, form: Any) -> HttpResponse:
    _name_owners([row])
    context = {"row": row, "form": form}
    return render(request, "dashboard/audience/suppressions/release.html", context)


urlpatterns = [
    path("suppressions/", index, name="suppressions"),
    path("suppressions/add/", add, name="suppression-add"),
    path("suppressions/rule/", bounce_rule, name="bounce-rule"),
    path("suppressions/<int:pk>/release/", ask_release, name="suppression-release"),
    path("suppressions/<int:pk>/released/", let_go, name="suppression-let-go"),
]

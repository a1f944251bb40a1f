"""The page of the mailbox to which bounces come."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.channels.returned import imap
from apps.dashboard.administer.channel_forms import field_for
from apps.dashboard.shell.edit_page import edit_page
from apps.notifications.models import BounceMailbox
from apps.notifications.sending.heard import mailbox

PAGE = "dashboard/administer/bounce_mailbox/edit.html"


class MailboxForm(forms.Form):
    """What a mailbox needs, as `imap` declares it, and whether it is read."""

    def __init__(self, data: Any = None, *, stored: bool) -> None:
        before = mailbox.settings_of()
        super().__init__(data, initial=before)
        kept = {each.name: stored for each in imap.SETTINGS if each.kind == "secret"}
        for each in imap.SETTINGS:
            self.fields[each.name] = field_for(each, kept)
        row = BounceMailbox.objects.first()
        self.fields["enabled"] = forms.BooleanField(
            required=False,
            initial=row is None or row.enabled,
            label=_("Read it"),
            help_text=_(
                "Once a minute. Mails stay there; those about our messages are marked as read."
            ),
        )


@requires(Capability.ADMINISTER)
def edit(request: HttpRequest) -> HttpResponse:
    """Show the mailbox and how it goes, or change it."""
    row = BounceMailbox.objects.first()
    form = MailboxForm(request.POST or None, stored=row is not None)

    def save() -> BounceMailbox:
        typed = dict(form.cleaned_data)
        enabled = typed.pop("enabled")
        by = staff_actor(request)
        return mailbox.set_mailbox(settings=typed, enabled=enabled, by=by, now=timezone.now())

    def done(_saved: BounceMailbox) -> HttpResponse:
        messages.success(request, gettext("The mailbox was saved."))
        return redirect("dashboard:bounce-mailbox")

    return edit_page(request, form, PAGE, {"mailbox": row}, save=save, done=done)


@requires(Capability.ADMINISTER)
@require_POST
def read_now(request: HttpRequest) -> HttpResponse:
    """Read the mailbox at once, and say how it went."""
    mailbox.hurry(now=timezone.now())
    mailbox.read_mailbox()
    row = BounceMailbox.objects.first()
    if row is None:
        messages.error(request, gettext("There is no mailbox yet. Fill in the form."))
    elif row.error:
        said = gettext("The mailbox can't be read. {error}")
        messages.error(request, said.format(error=row.error))
    else:
        messages.success(request, gettext("The mailbox was read."))
    return redirect("dashboard:bounce-mailbox")


urlpatterns = [
    path("bounce-mailbox/", edit, name="bounce-mailbox"),
    path("bounce-mailbox/read/", read_now, name="bounce-mailbox-read"),
]

"""Erase one follower: an administrator says it with the password once more."""

from typing import Any
from uuid import UUID

from crispy_forms.helper import FormHelper
from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from apps.accounts.actors import staff_actor
from apps.accounts.log_in import knows_password
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.forms import plain_helper
from apps.followers.models import Follower
from apps.followers.privacy.erase import AlreadyGone, erase


class PasswordForm(forms.Form):
    """The password once more: for what can't be taken back."""

    password = forms.CharField(
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        error_messages={"required": _("Type the password that you have now.")},
    )
    helper: FormHelper = plain_helper()

    def __init__(self, *args: Any, request: HttpRequest) -> None:
        super().__init__(*args)
        self.request = request

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not knows_password(self.request, password):
            raise forms.ValidationError(gettext("Type the password that you have now."))
        return password


@requires(Capability.ADMINISTER)
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = get_object_or_404(Follower, uid=uid)
    form = PasswordForm(request.POST or None, request=request)
    if request.method == "POST" and form.is_valid():
        try:
            erase(follower=follower, by=staff_actor(request), now=timezone.now())
        except AlreadyGone as error:
            messages.info(request, error.sentence)
        else:
            said = gettext(
                "Nothing is sent to this person any more. All that is theirs goes within minutes."
            )
            messages.success(request, said)
        return redirect("dashboard:followers")
    context = {"follower": follower, "form": form}
    return render(request, "dashboard/audience/followers/erase.html", context)


urlpatterns = [path("followers/<uuid:uid>/erase/", page, name="follower-erase")]

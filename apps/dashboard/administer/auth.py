"""Coming in, going out, and one's own account."""

from typing import Any

from crispy_forms.helper import FormHelper
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash, views
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.log_in import came_in, knows_password
from apps.accounts.permissions import Capability, requires, speak_to
from apps.accounts.staff import BadStaff, StaffValues, change_staff
from apps.dashboard.shell.forms import ZoneField, plain_helper


class LoginForm(AuthenticationForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper: FormHelper = plain_helper()


class Door(views.LoginView):
    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        answer = super().form_valid(form)
        came_in(self.request, user_of(self.request))
        return answer


login = Door.as_view(
    template_name="dashboard/administer/auth/login.html",
    authentication_form=LoginForm,
    redirect_authenticated_user=True,
)


class NewPasswordForm(PasswordChangeForm):
    request: HttpRequest

    def clean_old_password(self) -> str:
        password: str = self.cleaned_data["old_password"]
        if knows_password(self.request, password):
            return password
        raise forms.ValidationError(self.error_messages["password_incorrect"])


@method_decorator(requires(Capability.VIEW), name="dispatch")
class PasswordChange(views.PasswordChangeView):
    template_name = "dashboard/administer/auth/password.html"
    form_class = NewPasswordForm
    success_url = reverse_lazy("dashboard:account")

    def get_form(self, form_class: Any = None) -> Any:
        form: Any = super().get_form(form_class)  # of the class that its caller names
        form.helper = plain_helper()
        form.request = self.request
        return form

    def form_valid(self, form: Any) -> HttpResponse:
        # Through the act, so that the history knows;
        # then the session is kept alive under the new password.
        values = StaffValues(password=form.cleaned_data["new_password1"])
        by = staff_actor(self.request)
        user = change_staff(user=form.user, values=values, by=by, now=timezone.now(), proven=True)
        update_session_auth_hash(self.request, user)
        said = gettext("Your password is changed. Other sessions of yours are logged out.")
        messages.success(self.request, said)
        return redirect(self.get_success_url())


class OwnAccountForm(forms.Form):
    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"), max_length=150, required=False
    )
    email = forms.EmailField(label=_("Email"))
    time_zone = ZoneField(required=True, help_text=_("Times on all pages are shown in this zone."))
    language = forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As the browser asks")), *settings.LANGUAGES],
        help_text=_("Of these pages. What followers read is in their own language."),
    )
    password = forms.CharField(
        label=_("Your password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
        help_text=_("Needed to change the email only."),
    )
    helper = plain_helper()

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        password = said.pop("password", "")
        if "email" in self.changed_data and not knows_password(self.request, password):
            self.add_error("password", gettext("Type the password that you have now."))
        return said


@requires(Capability.VIEW)
def account(request: HttpRequest) -> HttpResponse:
    user = user_of(request)
    initial = {
        "name": user.get_full_name(),
        "email": user.email,
        "time_zone": user.time_zone,
        "language": user.language,
    }
    form = OwnAccountForm(request.POST or None, initial=initial, request=request)
    if request.method == "POST" and form.is_valid():
        try:
            values = StaffValues(**form.cleaned_data)
            by = staff_actor(request)
            user = change_staff(user=user, values=values, by=by, now=timezone.now(), proven=True)
        except BadStaff as error:
            form.add_error(error.field, str(error))
        else:
            speak_to(user)
            messages.success(request, gettext("Saved."))
            return redirect("dashboard:account")
    return render(request, "dashboard/administer/auth/account.html", {"form": form})


urlpatterns = [
    path("login/", login, name="login"),
    path("logout/", views.LogoutView.as_view(), name="logout"),
    path("account/", account, name="account"),
    path("account/password/", PasswordChange.as_view(), name="password-change"),
]

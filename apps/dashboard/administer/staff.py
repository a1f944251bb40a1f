"""Staff: who may come in, and what they may do. For administrators."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.password_validation import password_validators_help_texts
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.text import format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.models import Role, User
from apps.accounts.permissions import Capability, may_touch, requires
from apps.accounts.staff import BadStaff, StaffValues, change_staff, create_staff
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.forms import ZoneField, plain_helper

FORM_PAGE = "dashboard/administer/staff/form.html"
ROLES = {
    Role.VIEWER: _("sees everything but secrets"),
    Role.EDITOR: _("also changes followers, content and campaigns"),
    Role.SENDER: _("also sends, schedules, pauses and cancels"),
    Role.ADMIN: _("also manages staff, API keys and channels"),
}


class StaffForm(forms.Form):
    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        help_text=_("For logging in; it can't be changed later."),
    )
    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"), max_length=150, required=False
    )
    email = forms.EmailField(label=_("Email"))
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            (role.value, format_lazy("{}: {}", role.label, what)) for role, what in ROLES.items()
        ],
        widget=forms.RadioSelect,
    )
    time_zone = ZoneField(
        initial="UTC", help_text=_("Times on all pages are shown to this person in this zone.")
    )
    password = forms.CharField(
        label=_("Password"), widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    def __init__(self, *args: Any, changing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.helper = plain_helper()
        password = self.fields["password"]
        password.help_text = " ".join(password_validators_help_texts())
        if changing:
            del self.fields["username"]
            password.required = False
            password.label = gettext("New password")
            password.help_text = gettext("Leave empty to keep the present one.")


@requires(Capability.ADMINISTER)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    people = User.objects.order_by("-is_active", "username")
    user = user_of(request)
    touchable = {person.pk for person in people if may_touch(user, person)}
    context = {"people": people, "roles": ROLES, "touchable": touchable}
    return render(request, "dashboard/administer/staff/list.html", context)


@requires(Capability.ADMINISTER)
def add(request: HttpRequest) -> HttpResponse:
    form = StaffForm(request.POST or None, initial={"role": Role.VIEWER})

    def save() -> User:
        said = dict(form.cleaned_data)
        username = said.pop("username")
        values = StaffValues(**said)
        by = staff_actor(request)
        return create_staff(username=username, values=values, by=by, now=timezone.now())

    def done(user: User) -> HttpResponse:
        said = gettext("{name} can log in now. Tell them the password in person.")
        messages.success(request, said.format(name=user.username))
        return redirect("dashboard:staff")

    return edit_page(request, form, FORM_PAGE, {}, save=save, done=done)


@requires(Capability.ADMINISTER)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    person = get_object_or_404(User, uid=uid)
    initial = {
        "name": person.get_full_name(),
        "email": person.email,
        "role": person.role,
        "time_zone": person.time_zone,
    }
    form = StaffForm(request.POST or None, initial=initial, changing=True)

    def save() -> User:
        by = staff_actor(request)
        values = StaffValues(**form.cleaned_data)
        return change_staff(user=person, values=values, by=by, now=timezone.now())

    def done(user: User) -> HttpResponse:
        messages.success(request, gettext("Saved."))
        return redirect("dashboard:staff")

    return edit_page(request, form, FORM_PAGE, {"person": person}, save=save, done=done)


@requires(Capability.ADMINISTER)
@require_POST
def switch(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Deactivate or activate; which of the two is said, so that a second click changes nothing."""
    person = get_object_or_404(User, uid=uid)
    active = request.POST.get("active") == "yes"
    try:
        values = StaffValues(active=active)
        change_staff(user=person, values=values, by=staff_actor(request), now=timezone.now())
    except BadStaff as error:
        messages.error(request, str(error))
    else:
        said = gettext("{name} can no longer log in.")
        if active:
            said = gettext("{name} can log in again.")
        messages.success(request, said.format(name=person.username))
    return redirect("dashboard:staff")


urlpatterns = [
    path("staff/", index, name="staff"),
    path("staff/add/", add, name="staff-add"),
    path("staff/<uuid:uid>/", edit, name="staff-edit"),
    path("staff/<uuid:uid>/switch/", switch, name="staff-switch"),
]

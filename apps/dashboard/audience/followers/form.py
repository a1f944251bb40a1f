"""Followers added and edited."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Field, Layout, Row
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.audience.followers.acts import staff_proof
from apps.dashboard.audience.followers.found import found
from apps.dashboard.shell import double_submit
from apps.dashboard.shell.forms import JsonField, ZoneField, add_refusal, plain_helper
from apps.followers.addresses import BadAddress, normalise
from apps.followers.fields.inputs import Asked
from apps.followers.models import Channel, CustomField, Follower, Tag
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.lib.partial import UNSET
from apps.lib.refusals import Refused

TAGS_SUGGESTED = 20  # as buttons under the field; others are typed
PROFILE = (
    "name",
    "first_name",
    "last_name",
    "email",
    "phone",
    "external_id",
    "language",
    "time_zone",
    "tags",
)


def _halves(left: str, right: str) -> Row:
    """Two fields side by side."""
    return Row(Column(left, css_class="col-md-6"), Column(right, css_class="col-md-6"))


class FollowerForm(forms.Form):
    name = forms.CharField(
        label=_("Whole name"),
        max_length=200,
        required=False,
        help_text=_("Empty: made of first and last name."),
    )
    first_name = forms.CharField(
        label=_("First name"),
        max_length=200,
        required=False,
        help_text=_("How messages greet this person. Empty: guessed from the whole name."),
    )
    last_name = forms.CharField(label=_("Last name"), max_length=200, required=False)
    email = forms.CharField(label=pgettext_lazy("channel", "Email"), max_length=500, required=False)
    phone = forms.CharField(
        label=_("Phone"),
        max_length=40,
        required=False,
        help_text=_("With the country code, such as +49 30 123456."),
    )
    external_id = forms.CharField(
        label=_("External id"),
        max_length=200,
        required=False,
        help_text=_("What your own system calls this person."),
    )
    language = forms.CharField(
        label=_("Language"),
        max_length=35,
        required=False,
        help_text=_("Such as en, ru or pt-BR."),
    )
    time_zone = ZoneField(required=False, help_text=_("Empty: the site's zone."))
    tags = forms.CharField(
        label=_("Tags"), required=False, help_text=_("Separated by commas. New ones are made.")
    )
    metadata = JsonField(
        label=_("Metadata"),
        required=False,
        rows=5,
        example='{"plan": "pro", "city": "Berlin"}',
        help_text=_('Anything else you know, as a JSON object: {"plan": "pro", "city": "Berlin"}'),
    )
    subscribed = forms.BooleanField(
        required=False,
        initial=True,
        label=_("Agreed to receive commercial messages"),
        help_text=_("Kept as consent record."),
    )

    def __init__(
        self, *args: Any, adding: bool, metadata: Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._before = dict(metadata or {})
        self._custom = {f"field-{row.pk}": row for row in CustomField.objects.all()}
        for name, row in self._custom.items():
            self.fields[name] = Asked(row, initial=self._before.pop(row.key, None))
        self.fields["metadata"].initial = self._before
        if not adding:
            del self.fields["subscribed"]  # changed by its own button, which keeps the proof
        self.helper: FormHelper = plain_helper()
        contact = _halves("email", "phone")
        place = _halves("language", "time_zone")
        parts = _halves("first_name", "last_name")
        self.helper.layout = Layout(
            "name",
            parts,
            contact,
            place,
            Field("tags"),
            "external_id",
            *self._custom,
            Field("metadata"),
        )
        if adding:
            self.helper.layout.append("subscribed")

    def profile(self, names: Iterable[str] = PROFILE) -> Profile:
        """Give what the form says of the named fields, and of the metadata what is new."""
        values = {name: self.cleaned_data[name] for name in names if name in PROFILE}
        return Profile(**values, metadata_changes=self._metadata_changes() or UNSET)

    def _metadata_changes(self) -> dict[str, Any]:
        typed = self.cleaned_data
        rest = typed["metadata"]
        changes = {key: rest.get(key) for key in {*self._before, *rest}}
        if "metadata" not in self.changed_data:
            changes = {}
        for name, row in self._custom.items():
            if name in self.changed_data:
                changes[row.key] = typed[name]
        return changes

    def clean_email(self) -> str:
        return self._address("email", Channel.EMAIL)

    def clean_phone(self) -> str:
        return self._address("phone", Channel.SMS)

    def _address(self, field: str, channel: Channel) -> str:
        value: str = self.cleaned_data[field]
        try:
            if value.strip():
                return normalise(channel, value)[0]
            return ""
        except BadAddress as error:
            raise forms.ValidationError(str(error)) from error

    def clean_tags(self) -> list[str]:
        parts = self.cleaned_data["tags"].split(",")
        return [part.strip() for part in parts if part.strip()]


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    if done := double_submit.already(request):
        return redirect(done)
    initial = {"language": settings.LANGUAGE_CODE}
    form = FollowerForm(request.POST or None, adding=True, initial=initial)
    if request.method == "POST" and form.is_valid():
        subscribed = form.cleaned_data["subscribed"]
        try:
            follower = contacts.add_follower(
                subscribed=subscribed, values=form.profile(), proof=staff_proof(request)
            )
        except Refused as error:
            add_refusal(form, error)
        else:
            messages.success(request, gettext("{follower} is added.").format(follower=follower))
            url = reverse("dashboard:follower", args=[follower.uid])
            double_submit.remember(request, url)
            return redirect(url)
    context = {"heading": gettext("Add a follower"), "once": double_submit.token()}
    return _form_page(request, form, context)


@requires(Capability.EDIT)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = found(uid)
    form = FollowerForm(
        request.POST or None,
        adding=False,
        metadata=follower.metadata,
        initial=_profile_of(follower),
    )
    if request.method == "POST" and form.is_valid():
        # Only what this person changed: a field another tab changed meanwhile stays.
        changes = form.profile(form.changed_data)
        by = staff_actor(request)
        now = timezone.now()
        try:
            contacts.change_follower(follower=follower, values=changes, by=by, now=now)
        except Refused as error:
            add_refusal(form, error)
        else:
            messages.success(request, gettext("Saved."))
            return redirect("dashboard:follower", follower.uid)
    heading = gettext("Edit {follower}").format(follower=follower)
    return _form_page(request, form, {"heading": heading, "follower": follower})


def _profile_of(follower: Follower) -> dict[str, Any]:
    """What the form shows of a follower before anything is typed."""
    primary = {}
    for address in follower.addresses.all():
        if address.primary:
            primary[address.channel] = address.value
    tags = [tag.name for tag in follower.tags.all()]
    return {
        "name": follower.name,
        "first_name": follower.first_name,
        "last_name": follower.last_name,
        "email": primary.get("email", ""),
        "phone": primary.get("sms", ""),
        "external_id": follower.external_id or "",
        "language": follower.language,
        "time_zone": follower.time_zone,
        "tags": ", ".join(tags),
    }


def _form_page(request: HttpRequest, form: FollowerForm, context: dict[str, Any]) -> HttpResponse:
    known = Tag.objects.values_list("name", flat=True)[:TAGS_SUGGESTED]
    values = {"form": form, "known_tags": known, **context}
    return render(request, "dashboard/audience/followers/form.html", values)


urlpatterns = [
    path("followers/add/", add, name="follower-add"),
    path("followers/<uuid:uid>/edit/", edit, name="follower-edit"),
]

"""Followers: the list with its filters, one person's page with everything known,
adding and editing.
"""

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Column, Field, Layout, Row
from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.history import history_of
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell import double_submit
from apps.dashboard.shell.code_words import begun, explained, in_words
from apps.dashboard.shell.forms import JsonField, ZoneField, add_refusal, plain_helper
from apps.dashboard.shell.paging import page_of
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import acts
from apps.followers.consent import matrix as consent_matrix
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import rhythm_of
from apps.followers.devices.push_devices import CHANNELS as DEVICES
from apps.followers.fields.inputs import Asked
from apps.followers.models import (
    AddressState,
    Channel,
    ConsentRecord,
    CustomField,
    DigestCadence,
    Follower,
    Tag,
)
from apps.followers.people import address_claims, contacts, further_addresses, search, tagging
from apps.followers.people.profile import Profile
from apps.followers.people.revoke_links import revoke_links
from apps.lib.ids import read_uid
from apps.lib.partial import UNSET
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused
from apps.lib.written import written

MAIL_LINK = "apps.subscriptions.mail_link.send"
LATEST = 50  # rows of each kind of history on a follower's page
TAGS_OFFERED = 500  # in the filter
STATES = {"subscribed": True, "unsubscribed": False}  # what the filter offers, as `subscribed`
_MONDAY = dt.date(2024, 1, 1)  # any
TAGS_SUGGESTED = 20  # as buttons under the field; others are typed


# ------------------------------------------------------------------ the list
@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    asked = {name: request.GET.get(name, "").strip() for name in ("q", "state", "tag", "language")}
    tags = []
    if asked["tag"]:
        tags = [asked["tag"]]
    subscribed = STATES.get(asked["state"])
    found = search.listed(
        search=asked["q"], subscribed=subscribed, tags=tags, language=asked["language"]
    )
    page = page_of(request, found.rows)
    filtered = any(asked.values())
    offered = Tag.objects.all()[:TAGS_OFFERED]
    context = {
        "page": page,
        "count": found.count,
        "asked": asked,
        "filtered": filtered,
        "tags": offered,
    }
    return render(request, "dashboard/audience/followers/list.html", context)


@requires(Capability.EDIT)
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Put a tag on the ticked followers, or take it off."""
    back = request.POST.get("back", "")
    own = {request.get_host()}
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=own):
        back = reverse("dashboard:followers")
    name = request.POST.get("tag", "").strip()
    ticked = map(read_uid, request.POST.getlist("follower"))
    chosen = list(Follower.objects.filter(uid__in=filter(None, ticked)))
    if not name or not chosen:
        messages.error(request, gettext("Tick some followers and type the name of a tag."))
        return redirect(back)
    removing = request.POST.get("do") == "untag"
    if removing:
        act = tagging.untag
    else:
        act = tagging.tag
    try:
        by = staff_actor(request)
        changed = act(followers=chosen, tags=[name], by=by, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect(back)
    messages.success(request, _tagged(name, changed, len(chosen) - changed, removing=removing))
    return redirect(back)


def _tagged(name: str, changed: int, same: int, *, removing: bool) -> str:
    """Say what became of a tag: on or off how many followers, and how many were so before."""
    if removing:
        said = ngettext(
            "The tag {name} was taken off {count} follower.",
            "The tag {name} was taken off {count} followers.",
            changed,
        )
        return said.format(name=name, count=changed)
    said = ngettext(
        "The tag {name} was put on {count} follower.",
        "The tag {name} was put on {count} followers.",
        changed,
    )
    said = said.format(name=name, count=changed)
    if same:
        had = ngettext("{count} had it already.", "{count} had it already.", same)
        said = f"{said} {had.format(count=same)}"
    return said


# ------------------------------------------------------------------ one person
@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    matrix = consent_matrix.matrix(follower)
    custom, rest = _custom_values(follower)
    metadata = ""
    if rest:
        metadata = json.dumps(rest, ensure_ascii=False, indent=2)
    channels = []
    if matrix:
        channels = [cell.label for cell in matrix[0].cells]
    addresses = []
    devices = []
    for address in follower.addresses.all():
        if address.channel not in DEVICES:
            addresses.append(address)
        elif address.state != AddressState.GONE:
            devices.append(address)
    tags = list(follower.tags.all())
    consents = follower.consent_records.all()[:LATEST]
    deliveries = follower.deliveries.select_related("notification__notification_type")
    history = history_of("follower", follower.uid, most=LATEST, explain=explained)
    context = {
        "follower": follower,
        "addresses": addresses,
        "claims": address_claims.waiting(follower, now=timezone.now()),
        "devices": devices,
        **_rhythm(follower),
        "tags": tags,
        "custom": custom,
        "metadata": metadata,
        "matrix": matrix,
        "channels": channels,
        "muted": [in_words(channel) for channel in consent_matrix.muted_channels(follower)],
        "consents": [_consent(record) for record in consents],
        "deliveries": deliveries[:LATEST],
        "history": history,
        "has_email": any(each.channel == Channel.EMAIL for each in addresses),
        "site_zone": settings.TIME_ZONE,
    }
    return render(request, "dashboard/audience/followers/detail.html", context)


def _custom_values(follower: Follower) -> tuple[list[tuple[str, Any]], dict[str, Any]]:
    """The values of custom fields under their labels, and what else the metadata hold."""
    language = get_language() or settings.LANGUAGE_CODE
    rest = dict(follower.metadata)
    custom = []
    for field in CustomField.objects.all():
        if field.key in rest:
            value = field.shown(rest.pop(field.key), language)
            if value is True:
                value = gettext("Yes")
            elif value is False:
                value = gettext("No")
            custom.append((field.label(language), value))
    return custom, rest


def _rhythm(follower: Follower) -> dict[str, Any]:
    """What the person said about time, in words; "" or None where nothing was said."""
    rhythm = rhythm_of(follower)
    quiet = _quiet_hours(rhythm.quiet)
    digest = rhythm.get_cadence_display()
    if rhythm.cadence in (DigestCadence.DAILY, DigestCadence.WEEKLY):
        digest += f", {rhythm.digest_at:%H:%M}"
    if rhythm.cadence == DigestCadence.WEEKLY:
        day = _weekday(rhythm.digest_weekday, "EEEE")
        digest = gettext("{digest} on {day}").format(digest=digest, day=day)
    pause = None
    if rhythm.paused_until and rhythm.paused_until > timezone.now():
        pause = rhythm.paused_until
    return {"quiet": quiet, "digest": digest, "pause": pause}


def _quiet_hours(quiet: dict[str, Any]) -> list[str]:
    """Quiet hours by weekday ("0" is Monday) as lines of one span and its days."""
    days: dict[str, list[str]] = {}
    for day, (start, end) in sorted(quiet.items()):
        names = days.setdefault(f"{start}–{end}", [])
        names.append(_weekday(int(day), "EEE"))
    lines = []
    for span, names in days.items():
        when = ", ".join(names)
        if len(names) == 7:
            when = gettext("every day")
        lines.append(f"{span} {when}")
    return lines


def _weekday(number: int, pattern: str) -> str:
    """Name a day of the week, Monday is 0, by a pattern of CLDR."""
    return written(_MONDAY + dt.timedelta(days=number), pattern)


def _consent(record: ConsentRecord) -> dict[str, Any]:
    """A record of consent as the page shows it, what it says in words."""
    cells = record.scope.get("cells", [])
    switches = record.scope.get("channels", [])
    return {
        "act": begun(record.act),
        "by": record.actor_label or record.actor_kind,
        "source": in_words(record.source),
        "said": [*map(_cell_words, cells), *map(_switch_words, switches)],
        "reason": record.reason,
        "at": record.at,
        "ip": record.ip,
        "wording": record.wording,
    }


def _cell_words(cell: dict[str, Any]) -> str:
    """Say what became of one preference."""
    said = gettext("{type} on {channel}: default")
    if cell["after"]:
        said = gettext("{type} on {channel}: on")
    elif cell["after"] is False:
        said = gettext("{type} on {channel}: off")
    return said.format(type=cell["type"], channel=in_words(cell["channel"]))


def _switch_words(switch: dict[str, Any]) -> str:
    """Say what became of a channel that was switched as a whole."""
    said = gettext("all of {channel}: on")
    if switch["muted_after"]:
        said = gettext("all of {channel}: off")
    return said.format(channel=in_words(switch["channel"]))


def _proof(request: HttpRequest) -> Proof:
    """A record of consent that names the person at the page as its witness."""
    return Proof(source="staff", by=staff_actor(request), now=timezone.now())


@requires(Capability.EDIT)
@require_POST
def unsubscribe(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    reason = request.POST.get("reason", "").strip()
    changed = acts.unsubscribe(follower=follower, reason=reason, proof=_proof(request))
    if changed:
        said = gettext(
            "{follower} is unsubscribed: no commercial message goes out from this moment."
        )
        messages.success(request, said.format(follower=follower))
    else:
        said = gettext("{follower} was unsubscribed already.")
        messages.info(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def resubscribe(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    changed = acts.resubscribe(follower=follower, proof=_proof(request))
    if changed:
        said = gettext(
            "{follower} is subscribed again. The consent record names you as the witness."
        )
        messages.success(request, said.format(follower=follower))
    else:
        said = gettext("{follower} was subscribed already.")
        messages.info(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def mail_link(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Mail the person the link to their own page: whoever opens it has their mailbox."""
    follower = _find(uid)
    announce(MAIL_LINK, lane=Lane.TRANSACTIONAL, follower_id=follower.pk)
    said = gettext("The link is on its way to {follower}. One mail in ten minutes.")
    messages.success(request, said.format(follower=follower))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def revoke(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    revoke_links(follower=follower, by=staff_actor(request), now=timezone.now())
    said = gettext("All links to this person's pages are revoked. They can still stop messages.")
    messages.success(request, said)
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def add_address(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    channel = Channel.EMAIL
    if request.POST.get("channel") == Channel.SMS:
        channel = Channel.SMS
    value = request.POST.get("value", "")
    by = staff_actor(request)
    if channel == Channel.EMAIL and "confirm" in request.POST:
        return _ask_mailbox(request, follower, value)
    try:
        address = further_addresses.create_address(
            follower=follower, channel=channel, value=value, by=by, now=timezone.now()
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = gettext("{address} is known; another one is written to.")
        if address.primary:
            said = gettext("{address} is written to.")
        messages.success(request, said.format(address=address.value))
    return redirect("dashboard:follower", follower.uid)


def _ask_mailbox(request: HttpRequest, follower: Follower, value: str) -> HttpResponse:
    try:
        claim = address_claims.ask(
            follower=follower, value=value, primary=False, now=timezone.now()
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        said = gettext("{address} is asked. It is added when its owner says yes.")
        messages.success(request, said.format(address=claim.value))
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def change_address(request: HttpRequest, uid: UUID, address_uid: UUID) -> HttpResponse:
    """Use this address, or forget it; a second press finds it done."""
    follower = _find(uid)
    addresses = follower.addresses.filter(channel__in=further_addresses.FIELDS)
    address = addresses.filter(uid=address_uid).first()
    wanted = request.POST.get("do")
    if address is not None and wanted in ("primary", "remove"):
        by = staff_actor(request)
        now = timezone.now()
        if wanted == "primary":
            further_addresses.make_primary(address=address, by=by, now=now)
            said = gettext("{address} is used from now on.")
        else:
            further_addresses.delete_address(address=address, by=by, now=now)
            said = gettext("{address} is forgotten.")
        messages.success(request, said.format(address=address.value))
    return redirect("dashboard:follower", follower.uid)


# ------------------------------------------------------------------ adding and editing
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
                subscribed=subscribed, values=form.profile(), proof=_proof(request)
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
    follower = _find(uid)
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


def _find(uid: UUID) -> Follower:
    followers = Follower.objects.prefetch_related("addresses", "tags")
    return get_object_or_404(followers, uid=uid)


urlpatterns = [
    path("followers/", index, name="followers"),
    path("followers/add/", add, name="follower-add"),
    path("followers/tagging/", bulk, name="followers-tagging"),
    path("followers/<uuid:uid>/", detail, name="follower"),
    path("followers/<uuid:uid>/edit/", edit, name="follower-edit"),
    path("followers/<uuid:uid>/addresses/", add_address, name="follower-addresses"),
    path(
        "followers/<uuid:uid>/addresses/<uuid:address_uid>/",
        change_address,
        name="follower-address",
    ),
    path("followers/<uuid:uid>/unsubscribe/", unsubscribe, name="follower-unsubscribe"),
    path("followers/<uuid:uid>/resubscribe/", resubscribe, name="follower-resubscribe"),
    path("followers/<uuid:uid>/mail-link/", mail_link, name="follower-mail-link"),
    path("followers/<uuid:uid>/revoke-links/", revoke, name="follower-revoke-links"),
]

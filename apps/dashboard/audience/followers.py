"""Followers: the list with its filters, one person's page with everything known,
adding and editing.
"""

import json
from calendar import day_abbr, day_name
from collections.abc import Iterable
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
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.history import history_of
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell import double_submit
from apps.dashboard.shell.forms import JsonField, ZoneField, add_refusal, plain_helper
from apps.dashboard.shell.paging import page_of
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import acts
from apps.followers.consent import matrix as consent_matrix
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import rhythm_of
from apps.followers.devices.push_devices import CHANNELS as DEVICES
from apps.followers.models import AddressState, Channel, DigestCadence, Follower, Tag
from apps.followers.people import contacts, further_addresses, search, tagging
from apps.followers.people.profile import Profile
from apps.followers.people.revoke_links import revoke_links
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused
from apps.lib.sql import keyset
from apps.notifications.reports.balance import explain

MAIL_LINK = "apps.subscriptions.mail_link.send"
LATEST = 50  # rows of each kind of history on a follower's page
TAGS_OFFERED = 500  # in the filter
STATES = {"subscribed": True, "unsubscribed": False}  # what the filter offers, as `subscribed`
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
    rows = search.followers(
        search=asked["q"], subscribed=subscribed, tags=tags, language=asked["language"]
    )
    page = page_of(request, rows)
    filtered = any(asked.values())
    offered = Tag.objects.all()[:TAGS_OFFERED]
    context = {
        "page": page,
        "count": keyset.count(rows),
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
    ticked = [uid for uid in request.POST.getlist("follower") if _is_uid(uid)]
    chosen = list(Follower.objects.filter(uid__in=ticked))
    if not name or not chosen:
        messages.error(request, "Tick some followers and type the name of a tag.")
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
    done = "put on"
    if removing:
        done = "taken off"
    same = len(chosen) - changed
    rest = ""
    if same and not removing:
        rest = f" {same} had it already."
    noun = "followers"
    if changed == 1:
        noun = "follower"
    messages.success(request, f"The tag {name} was {done} {changed} {noun}.{rest}")
    return redirect(back)


# ------------------------------------------------------------------ one person
@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    matrix = consent_matrix.matrix(follower)
    metadata = ""
    if follower.metadata:
        metadata = json.dumps(follower.metadata, ensure_ascii=False, indent=2)
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
    consents = follower.consent_records.all()
    deliveries = follower.deliveries.select_related("notification__notification_type")
    history = history_of("follower", follower.uid, most=LATEST, explain=explain)
    context = {
        "follower": follower,
        "addresses": addresses,
        "devices": devices,
        **_rhythm(follower),
        "tags": tags,
        "metadata": metadata,
        "matrix": matrix,
        "channels": channels,
        "muted": consent_matrix.muted_channels(follower),
        "consents": consents[:LATEST],
        "deliveries": deliveries[:LATEST],
        "history": history,
        "has_email": any(each.channel == Channel.EMAIL for each in addresses),
        "site_zone": settings.TIME_ZONE,
    }
    return render(request, "dashboard/audience/followers/detail.html", context)


def _rhythm(follower: Follower) -> dict[str, Any]:
    """What the person said about time, in words; "" or None where nothing was said."""
    rhythm = rhythm_of(follower)
    quiet = _quiet_hours(rhythm.quiet)
    digest = rhythm.get_cadence_display()
    if rhythm.cadence in (DigestCadence.DAILY, DigestCadence.WEEKLY):
        digest += f", {rhythm.digest_at:%H:%M}"
    if rhythm.cadence == DigestCadence.WEEKLY:
        digest += f" on {day_name[rhythm.digest_weekday]}"
    pause = None
    if rhythm.paused_until and rhythm.paused_until > timezone.now():
        pause = rhythm.paused_until
    return {"quiet": quiet, "digest": digest, "pause": pause}


def _quiet_hours(quiet: dict[str, Any]) -> list[str]:
    """Quiet hours by weekday ("0" is Monday) as lines of one span and its days."""
    days: dict[str, list[str]] = {}
    for day, (start, end) in sorted(quiet.items()):
        names = days.setdefault(f"{start}–{end}", [])
        names.append(day_abbr[int(day)])
    lines = []
    for span, names in days.items():
        when = ", ".join(names)
        if len(names) == 7:
            when = "every day"
        lines.append(f"{span} {when}")
    return lines


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
        said = f"{follower} is unsubscribed: no commercial message goes out from this moment."
        messages.success(request, said)
    else:
        messages.info(request, f"{follower} was unsubscribed already.")
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def resubscribe(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    changed = acts.resubscribe(follower=follower, proof=_proof(request))
    if changed:
        said = f"{follower} is subscribed again. The consent record names you as the witness."
        messages.success(request, said)
    else:
        messages.info(request, f"{follower} was subscribed already.")
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def mail_link(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Mail the person the link to their own page: whoever opens it has their mailbox."""
    follower = _find(uid)
    announce(MAIL_LINK, lane=Lane.TRANSACTIONAL, follower_id=follower.pk)
    messages.success(request, f"The link is on its way to {follower}. One mail in ten minutes.")
    return redirect("dashboard:follower", follower.uid)


@requires(Capability.EDIT)
@require_POST
def revoke(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    revoke_links(follower=follower, by=staff_actor(request), now=timezone.now())
    said = "All links to this person's pages are revoked. They can still stop messages."
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
    try:
        address = further_addresses.create_address(
            follower=follower, channel=channel, value=value, by=by, now=timezone.now()
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        used = "is known; another one is written to"
        if address.primary:
            used = "is written to"
        messages.success(request, f"{address.value} {used}.")
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
            done = "is used from now on"
        else:
            further_addresses.delete_address(address=address, by=by, now=now)
            done = "is forgotten"
        messages.success(request, f"{address.value} {done}.")
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
    "metadata",
)


def _halves(left: str, right: str) -> Row:
    """Two fields side by side."""
    return Row(Column(left, css_class="col-md-6"), Column(right, css_class="col-md-6"))


class FollowerForm(forms.Form):
    name = forms.CharField(
        label="Whole name",
        max_length=200,
        required=False,
        help_text="Empty: made of first and last name.",
    )
    first_name = forms.CharField(
        max_length=200,
        required=False,
        help_text="How messages greet this person. Empty: guessed from the whole name.",
    )
    last_name = forms.CharField(max_length=200, required=False)
    email = forms.CharField(label="Email", max_length=500, required=False)
    phone = forms.CharField(
        max_length=40, required=False, help_text="With the country code, such as +49 30 123456."
    )
    external_id = forms.CharField(
        label="External id",
        max_length=200,
        required=False,
        help_text="What your own system calls this person.",
    )
    language = forms.CharField(max_length=35, required=False, help_text="Such as en, ru or pt-BR.")
    time_zone = ZoneField(required=False, help_text="Empty: the site's zone.")
    tags = forms.CharField(required=False, help_text="Separated by commas. New ones are made.")
    metadata = JsonField(
        required=False,
        rows=5,
        example='{"plan": "pro", "city": "Berlin"}',
        help_text='Anything else you know, as a JSON object: {"plan": "pro", "city": "Berlin"}',
    )
    subscribed = forms.BooleanField(
        required=False,
        initial=True,
        label="Agreed to receive commercial messages",
        help_text="Kept as consent record.",
    )

    def __init__(self, *args: Any, adding: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not adding:
            del self.fields["subscribed"]  # changed by its own button, which keeps the proof
        self.helper: FormHelper = plain_helper()
        contact = _halves("email", "phone")
        place = _halves("language", "time_zone")
        parts = _halves("first_name", "last_name")
        self.helper.layout = Layout(
            "name", parts, contact, place, Field("tags"), "external_id", Field("metadata")
        )
        if adding:
            self.helper.layout.append("subscribed")

    def profile(self, names: Iterable[str] = PROFILE) -> Profile:
        """Give what the form says of the named fields."""
        values = {name: self.cleaned_data[name] for name in names}
        return Profile(**values)

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
            messages.success(request, f"{follower} is added.")
            url = reverse("dashboard:follower", args=[follower.uid])
            double_submit.remember(request, url)
            return redirect(url)
    context = {"heading": "Add a follower", "once": double_submit.token()}
    return _form_page(request, form, context)


@requires(Capability.EDIT)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = _find(uid)
    form = FollowerForm(request.POST or None, adding=False, initial=_profile_of(follower))
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
            messages.success(request, "Saved.")
            return redirect("dashboard:follower", follower.uid)
    return _form_page(request, form, {"heading": f"Edit {follower}", "follower": follower})


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
        "metadata": follower.metadata,
    }


def _form_page(request: HttpRequest, form: FollowerForm, context: dict[str, Any]) -> HttpResponse:
    known = Tag.objects.values_list("name", flat=True)[:TAGS_SUGGESTED]
    values = {"form": form, "known_tags": known, **context}
    return render(request, "dashboard/audience/followers/form.html", values)


def _find(uid: UUID) -> Follower:
    followers = Follower.objects.prefetch_related("addresses", "tags")
    return get_object_or_404(followers, uid=uid)


def _is_uid(text: str) -> bool:
    try:
        forms.UUIDField().clean(text)
    except forms.ValidationError:
        return False
    return True


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

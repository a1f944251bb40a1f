"""Message types: what followers can have an opinion about, with its category,
channels and template.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.content.models import Template
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.forms import (
    JsonField,
    KeyField,
    add_refusal,
    also_offer,
    channel_choices,
    offer,
)
from apps.dashboard.shell.paging import beside
from apps.followers.models import Category, Channel, DoubtPolicy, NotificationType
from apps.notifications.models import TypeTemplate
from apps.notifications.types.edit import (
    BadType,
    TypeValues,
    change_type,
    check,
    create_type,
    refuse_unasked_marketing,
    template_of,
    values_of,
)

OTHER_LANGUAGES = [(tag, name) for tag, name in settings.LANGUAGES if tag != "en"]
CHAIN = [f"fallback_{place}" for place in range(1, 5)]  # as many as a form should ask for
CATEGORY_HELP = {
    Category.CRITICAL: _("can't be switched off by followers"),
    Category.ACTION_REQUIRED: _("asks the follower to do something"),
    Category.INFORMATIONAL: _("good to know"),
    Category.MARKETING: _("always commercial"),
}


def _categories() -> list[tuple[str, str]]:
    """Offer each category with what it means."""
    return [(each.value, f"{each.label}: {CATEGORY_HELP[each]}") for each in Category]


class TypeForm(forms.Form):
    elsewhere = CHAIN[0]
    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Followers read it in their preferences.")
    )
    description = forms.CharField(
        max_length=300,
        required=False,
        label=_("Description"),
        help_text=_("One sentence for followers: what it is and how often it comes."),
    )
    category = forms.ChoiceField(choices=_categories, label=_("Category"))
    commercial = forms.BooleanField(
        required=False,
        label=_("Commercial"),
        help_text=_(
            "Obeys the global opt-out and carries one-click unsubscribe. Marketing always is; "
            "critical never."
        ),
    )
    channels = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple, label=_("Offered on"), required=False
    )
    default_channels = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label=_("On by default"),
        required=False,
        help_text=_("Until the follower says otherwise."),
    )
    locked_channels = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label=_("Locked on"),
        required=False,
        help_text=_("Followers see it but can't switch it off. Only administrators change this."),
    )
    doubt_policy = forms.ChoiceField(
        choices=DoubtPolicy.choices,
        label=_("If delivery is unknown"),
        help_text=_("The connection broke after the message left: it may have arrived or not."),
    )
    template = forms.ModelChoiceField(
        Template.objects.none(),
        to_field_name="uid",
        required=False,
        label=_("Template"),
        empty_label=_("None: the caller names one"),
        help_text=_("Used when an API client names no template."),
    )
    lifetime = forms.IntegerField(
        required=False,
        min_value=1,
        label=_("Expires after (seconds)"),
        help_text=_(
            "300 is five minutes, 86400 a day. What waits longer is not sent. Empty: it keeps."
        ),
    )
    digest = forms.BooleanField(
        required=False,
        label=_("May go into a digest"),
        help_text=_(
            "Followers who want a digest get it there, gathered with others. Critical messages "
            "never wait."
        ),
    )
    throttle_count = forms.IntegerField(
        required=False,
        min_value=1,
        label=_("Rate limit: messages"),
        help_text=_(
            "To one follower. What is more is skipped; callers may count apart by a throttle key."
        ),
    )
    throttle_seconds = forms.IntegerField(
        required=False, min_value=1, label=_("Rate limit: per seconds")
    )
    fallback_after = forms.IntegerField(
        required=False,
        min_value=1,
        label=_("Wait before next channel (seconds)"),
        help_text=_("Then the next one is tried, unless it arrived."),
    )
    schema = JsonField(
        required=False,
        label=_("JSON Schema of the data"),
        rows=8,
        help_text=_(
            "Draft 2020-12. A call whose data does not fit is refused, and told where. Empty: "
            "anything goes."
        ),
    )
    active = forms.BooleanField(
        required=False,
        label=pgettext_lazy("message type", "Active"),
        help_text=_("Off: nothing of this type is sent to anyone."),
    )
    listed = forms.BooleanField(
        required=False,
        label=_("Listed in the preference center"),
        help_text=_("Off: for what comes once, or only when somebody asks for it."),
    )
    position = forms.IntegerField(
        min_value=0, max_value=32767, label=_("Order in the preference center")
    )

    def __init__(
        self, data: Any = None, *, row: NotificationType | None, may_administer: bool
    ) -> None:
        self.row = row
        self.may_administer = may_administer
        if row:
            self.before = values_of(row)
        else:
            self.before = TypeValues(name="", channels=["email"], default_channels=["email"])
        speaks = None
        if row:
            speaks = template_of(row)
        initial = {name: getattr(self.before, name) for name in TypeValues.__dataclass_fields__}
        translations = self.before.translations or {}
        for tag, _language in OTHER_LANGUAGES:
            words = translations.get(tag, {})
            initial[f"name_{tag}"] = words.get("name", "")
            initial[f"description_{tag}"] = words.get("description", "")
        chain = dict(zip(CHAIN, self.before.fallback, strict=False))
        super().__init__(data, initial={**initial, **chain, "template": speaks})
        offered = channel_choices(self.before.channels)
        for name in ("channels", "default_channels", "locked_channels"):
            offer(self, name, offered)
        for place, name in enumerate(CHAIN):
            nothing = gettext("all channels at once")
            label = gettext("Channel fallback: 1st channel")
            if place:
                nothing = gettext("no other")
                label = gettext("{place}. channel").format(place=place + 1)
            choices = [("", nothing), *offered]
            self.fields[name] = forms.ChoiceField(choices=choices, required=False, label=label)
        if not may_administer:
            self.fields["locked_channels"].disabled = True
        field = cast("forms.ModelChoiceField[Template]", self.fields["template"])
        field.queryset = Template.objects.filter(private=False, archived_at=None)
        also_offer(self, speaks)
        for tag, language in OTHER_LANGUAGES:
            self._offer_words(tag, language)
        if row is None:
            self.fields["key"] = KeyField(
                max_length=60,
                label=_("Key"),
                help_text=_(
                    "What API clients call it, for example order-shipped. It can't be changed "
                    "later."
                ),
            )
            self.order_fields(["name", "key"])

    def _offer_words(self, tag: str, language: str) -> None:
        """Add the fields for the type's words in one of the other languages."""
        name = gettext("Name ({language})").format(language=language)
        description = gettext("Description ({language})").format(language=language)
        self.fields[f"name_{tag}"] = forms.CharField(max_length=100, required=False, label=name)
        self.fields[f"description_{tag}"] = forms.CharField(
            max_length=300, required=False, label=description
        )

    def clean_category(self) -> str:
        category: str = self.cleaned_data["category"]
        becomes_critical = category == Category.CRITICAL != self.before.category
        if becomes_critical and not self.may_administer:
            # a critical message passes every preference of every follower
            said = gettext("Only an administrator can make a message type critical.")
            raise ValidationError(said)
        return category

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not self.errors:
            try:
                check(self.values())
                refuse_unasked_marketing(self.values(), self.before)
            except BadType as error:
                add_refusal(self, error)
        return values

    def values(self) -> TypeValues:
        typed = self.cleaned_data
        values = {name: typed[name] for name in TypeValues.__dataclass_fields__ if name in typed}
        values["fallback_after"] = typed["fallback_after"] or self.before.fallback_after
        values["fallback"] = [typed[name] for name in CHAIN if typed[name]]
        values["translations"] = self._translations()
        return TypeValues(**values)

    def _translations(self) -> dict[str, Mapping[str, str]]:
        """Words by language: those typed, and those of languages that have no field here."""
        typed = self.cleaned_data
        translations: dict[str, Mapping[str, str]] = dict(self.before.translations or {})
        for tag, _language in OTHER_LANGUAGES:
            name = typed[f"name_{tag}"]
            description = typed[f"description_{tag}"]
            translations[tag] = {"name": name, "description": description}
        return {tag: words for tag, words in translations.items() if any(words.values())}

    def chain(self) -> list[forms.BoundField]:
        return [self[name] for name in CHAIN]

    def words_of_others(self) -> list[forms.BoundField]:
        """The fields of the other languages, for the template."""
        fields = []
        for tag, _language in OTHER_LANGUAGES:
            fields.append(self[f"name_{tag}"])
            fields.append(self[f"description_{tag}"])
        return fields


@dataclass(frozen=True, slots=True)
class ChannelCell:
    """How a type stands on one channel."""

    label: str
    state: str


def _cell(row: NotificationType, channel: str) -> ChannelCell:
    label = str(Channel(channel).label)
    return ChannelCell(label, _state(row, channel))


def _state(row: NotificationType, channel: str) -> str:
    """How the type stands on a channel: locked, on or off until a follower chooses."""
    if channel in row.locked_channels:
        return pgettext("channel of a type", "locked")
    if channel in row.default_channels:
        return pgettext("channel of a type", "on")
    return pgettext("channel of a type", "off")


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = list(NotificationType.objects.all())
    speaks = {}
    for spoken in TypeTemplate.objects.select_related("template"):
        speaks[spoken.notification_type_id] = spoken.template
    for row in rows:
        cells = [_cell(row, channel) for channel in row.channels]
        beside(row, speaks=speaks.get(row.pk), cells=cells)
    context = {"rows": rows, "may_edit": may(request.user, Capability.EDIT)}
    return render(request, "dashboard/content/message_types/list.html", context)


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.EDIT)
def edit(request: HttpRequest, key: str) -> HttpResponse:
    return _edit(request, get_object_or_404(NotificationType, key=key))


def _edit(request: HttpRequest, row: NotificationType | None) -> HttpResponse:
    may_administer = may(request.user, Capability.ADMINISTER)
    form = TypeForm(request.POST or None, row=row, may_administer=may_administer)

    def save() -> NotificationType:
        values = form.values()
        template = form.cleaned_data["template"]
        by = staff_actor(request)
        now = timezone.now()
        if row:
            return change_type(
                notification_type=row, values=values, template=template, by=by, now=now
            )
        key = form.cleaned_data["key"]
        return create_type(key=key, values=values, template=template, by=by, now=now)

    def done(saved: NotificationType) -> HttpResponse:
        said = gettext("{name} was added.")
        if row:
            said = gettext("{name} was saved.")
        messages.success(request, said.format(name=saved.name))
        return redirect("dashboard:types")

    template = "dashboard/content/message_types/edit.html"
    return edit_page(request, form, template, {"type": row}, save=save, done=done)


urlpatterns = [
    path("types/", index, name="types"),
    path("types/add/", add, name="type-add"),
    path("types/<slug:key>/edit/", edit, name="type"),
]

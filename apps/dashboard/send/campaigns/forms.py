"""The forms of the compose steps.

They check what was typed; campaigns/compose.py and campaigns/lifecycle.py decide and store.
"""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import TextChoices
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns import pacing
from apps.campaigns.models import Campaign, Segment
from apps.content.models import Template, Version
from apps.content.render import compiled
from apps.dashboard.content.template_forms import Editor, shown, typed
from apps.dashboard.shell.forms import TypeField, ZoneField, channel_choices, offer
from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Channel, Follower, NotificationType, Tag
from apps.followers.people.find_follower import find_one, name_of
from apps.lib import wallclock

# How many unknown followers an error names at most.
MOST_NAMED = 5


class BasicsForm(forms.Form):
    name = forms.CharField(max_length=120, label=_("Name"), help_text=_("Only your team sees it."))
    notification_type = TypeField(
        NotificationType.objects.filter(active=True),
        help_text=_("Followers switch message types on and off; it decides who may get this."),
    )
    channels = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple, label=_("Channels"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "channels", channel_choices())

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = values.get("notification_type")
        chosen = values.get("channels", [])
        if kind is None:
            return values
        other = [channel for channel in chosen if channel not in kind.channels]
        if other:
            labels = ", ".join(str(Channel(channel).label) for channel in other)
            problem = gettext("“{type}” is not offered by {channels}. Choose other channels.")
            self.add_error("channels", problem.format(type=kind.name, channels=labels))
        return values


class DetailsForm(BasicsForm):
    tracking = forms.BooleanField(
        required=False,
        label=_("Open and click tracking"),
        help_text=_(
            "Links go through this site, and a tiny image tells when the mail is opened. "
            "Of followers who don't want that nothing is counted."
        ),
    )


class StartForm(BasicsForm):
    template = forms.ModelChoiceField(
        Template.objects.filter(private=False, archived_at=None),
        to_field_name="uid",
        required=False,
        label=_("Start from"),
        empty_label=_("An empty page"),
        help_text=_("Its words are copied; the template stays as it is."),
    )


def lines(value: Any) -> str:
    """A list of plain words one per line; anything else as JSON."""
    if not isinstance(value, list) or not all(map(_is_one_line, value)):
        return shown(value)
    if value and value[0].startswith("["):
        return shown(value)
    return "\n".join(value)


def _is_one_line(value: Any) -> bool:
    return isinstance(value, str) and value.splitlines() == [value]


EMPTY: tuple[Any, ...] = (None, "", [], {})


class ValuesForm(forms.Form):
    """One field per declared variable: its value in this campaign."""

    def __init__(self, version: Version, campaign: Campaign, data: Any = None) -> None:
        super().__init__(data, prefix="value")
        self.kinds: dict[str, str] = {}
        ready = compiled(version)
        for row in version.variables:
            name = row["name"]
            self.kinds[name] = row["type"]
            used = ready.uses(name, campaign.channels)
            self.fields[name] = _value_field(row, campaign.data.get(name), used=used)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name, kind in self.kinds.items():
            text = values.get(name, "")
            if kind == "list" and not text.startswith("["):
                values[name] = _typed_lines(text) or None
                continue
            try:
                values[name] = typed(text, kind)
            except ValueError as error:
                self.add_error(name, str(error))
        return values

    def data_given(self) -> dict[str, Any]:
        given = self.cleaned_data.items()
        return {name: value for name, value in given if value is not None}


def _value_field(row: dict[str, Any], value: Any, *, used: bool) -> forms.CharField:
    """Field for a declared variable, with the value that the campaign gives it."""
    label = row["name"]
    if not used:
        label = gettext("{name} (not used by these words)").format(name=label)
    elif not row.get("required"):
        label = gettext("{name} (optional)").format(name=label)
    initial = shown(value)
    widget = None
    if row["type"] == "list":
        initial = lines(value)
        widget = forms.Textarea({"rows": 3})
    hint = " ".join(_hints(row))
    return forms.CharField(
        required=False, label=label, help_text=hint, initial=initial, widget=widget
    )


TYPE_HINTS = {
    "number": _("A number."),
    "boolean": _("A boolean."),
    "object": _("An object."),
}


def _hints(row: dict[str, Any]) -> list[str]:
    """Sentences that help to fill in a declared variable."""
    hints = []
    description = row.get("description", "")
    if description:
        hints.append(description)
    kind = row["type"]
    if kind == "list":
        hints.append(gettext("One per line."))
    elif kind != "string":
        hints.append(str(TYPE_HINTS[kind]))
    default = row.get("default")
    if default not in EMPTY:
        hints.append(gettext("Left empty: {value}.").format(value=shown(default)))
    return hints


def _typed_lines(text: str) -> list[str]:
    """Lines of a text, stripped, without the empty ones."""
    stripped = map(str.strip, text.splitlines())
    return [line for line in stripped if line]


class ContentForms:
    """Everything of the first step in one page: basics, words by language,
    variables and their values.
    """

    def __init__(self, campaign: Campaign, version: Version, data: Any = None) -> None:
        self.campaign = campaign
        self.version = version
        kind = campaign.notification_type
        basics = {
            "name": campaign.name,
            "notification_type": kind.key,
            "channels": campaign.channels,
            "tracking": campaign.tracking,
        }
        self.basics = DetailsForm(data, initial=basics)
        self.editor = Editor(version, data)
        self.values = ValuesForm(version, campaign, data)

    def is_valid(self) -> bool:
        return all([self.basics.is_valid(), self.values.is_valid(), self.editor.is_valid()])

    def columns(self) -> dict[str, Any]:
        data = self.values.data_given()
        return {**self.basics.cleaned_data, "data": data}

    def words(self) -> dict[str, Any]:
        """What `change_campaign` takes; empty when the words are as they were,
        so that no needless draft is made.
        """
        typed = self.editor.draft.cleaned_data
        translations = self.editor.words()
        variables = self.editor.variables.declarations()
        wanted: dict[str, Any] = {"translations": translations, "variables": variables}
        wanted["layout"] = typed["layout"]
        wanted["default_language"] = typed["default_language"]
        wanted["kept"] = self.editor.kept()
        version = self.version
        rows = version.translations.all()
        saved = {
            "translations": {row.language: row.parts for row in rows},
            "variables": version.variables,
            "layout": version.layout,
            "default_language": version.default_language,
            "kept": [],
        }
        if wanted == saved:
            return {}
        return wanted


class PeopleField(forms.CharField):
    """Single followers, one per line, by email, phone, external id or id;
    cleaned into their public ids.
    """

    widget = forms.Textarea({"rows": 3, "placeholder": "anna@example.com"})

    def clean(self, value: Any) -> list[str]:
        found = []
        unknown = []
        text = super().clean(value)
        for line in _typed_lines(text):
            follower = find_one(line)
            if follower is None:
                unknown.append(line)
            else:
                found.append(str(follower.uid))
        if unknown:
            names = ", ".join(unknown[:MOST_NAMED])
            problem = gettext("Nobody is known as: {names}. Check the spelling, or add them first.")
            raise ValidationError(problem.format(names=names))
        return found

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value  # what was typed
        known = Follower.objects.filter(uid__in=value).order_by("pk")
        names = [name_of(follower) for follower in known.prefetch_related("addresses")]
        return "\n".join(names)


class AudienceForm(forms.Form):
    everyone = forms.BooleanField(
        required=False,
        label=_("Everyone"),
        help_text=_("All followers, whatever is chosen below."),
    )
    tags = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Tags")
    )
    segments = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Segments")
    )
    followers = PeopleField(required=False, label=_("Single people"))
    exclude_tags = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Tags")
    )
    exclude_segments = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label=_("Segments")
    )
    exclude_followers = PeopleField(required=False, label=_("Single people"))

    def __init__(self, audience: dict[str, Any], data: Any = None) -> None:
        super().__init__(data, initial=audience)
        tags = list(Tag.objects.values_list("slug", "name"))
        rows = Segment.objects.all()
        segments = [(str(row.uid), row.name) for row in rows]
        for name in ("tags", "exclude_tags"):
            offer(self, name, tags)
        for name in ("segments", "exclude_segments"):
            offer(self, name, segments)

    def audience(self) -> dict[str, Any]:
        return dict(self.cleaned_data)


class MomentInput(forms.DateTimeInput):
    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%dT%H:%M")


class WallField(forms.DateTimeField):
    """A wall time, kept naive: the zone stands in a field of its own."""

    widget = MomentInput

    def to_python(self, value: Any) -> dt.datetime | None:
        if value in self.empty_values:
            return None
        try:
            moment = dt.datetime.fromisoformat(str(value))
        except ValueError:
            problem = gettext("Write a date and a time, for example 2026-05-31 09:00.")
            raise ValidationError(problem) from None
        return moment.replace(tzinfo=None, second=0, microsecond=0)

    def prepare_value(self, value: Any) -> Any:
        return value


class WhenChoice(TextChoices):
    NOW = "now", _("As soon as somebody presses Send on the next page")
    LATER = "later", _("At a date and time")


class PaceChoice(TextChoices):
    FAST = "fast", _("As fast as it goes")
    RATE = "rate", _("Rate limit: messages a second")
    SPREAD = "spread", _("Evenly over some hours")


# What to say where the number of a pace is missing, and where it is not wanted.
PACE_PROBLEMS = {
    PaceChoice.RATE: (
        _("Write how many a second."),
        _("You also wrote how many a second. Choose that, or empty the field."),
    ),
    PaceChoice.SPREAD: (
        _("Write over how many hours."),
        _("You also wrote over how many hours. Choose that, or empty the field."),
    ),
}


class ScheduleForm(forms.Form):
    when = forms.ChoiceField(choices=WhenChoice.choices, widget=forms.RadioSelect, label=_("When"))
    wall = WallField(required=False, label=_("Date and time"))
    zone = ZoneField(required=False)
    expires = WallField(
        required=False,
        label=_("Expires (optional)"),
        help_text=_("What has not left by then is not sent any more. In the same time zone."),
    )
    pace = forms.ChoiceField(
        choices=PaceChoice.choices,
        initial=PaceChoice.FAST,
        required=False,
        widget=forms.RadioSelect,
        label=_("Pace"),
    )
    rate = forms.FloatField(
        required=False,
        min_value=pacing.SLOWEST,
        max_value=pacing.FASTEST,
        label=_("Messages a second"),
        help_text=_("All channels together. 0.5 is one every two seconds."),
    )
    hours = forms.FloatField(
        required=False,
        min_value=pacing.SHORTEST / 3600,
        max_value=pacing.LONGEST / 3600,
        label=_("Hours"),
        help_text=_("For example 6. A shop or a hotline behind the links is not overrun."),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        self._check_time(values)
        self._check_pace(values, PaceChoice.RATE, "rate")
        self._check_pace(values, PaceChoice.SPREAD, "hours")
        expires = values.get("expires")
        zone = values.get("zone")
        if expires and zone:
            try:
                moment = wallclock.to_instant(expires, zone)
                values["expires_at"] = moment.instant
            except (wallclock.MissingTime, wallclock.UnknownZone) as error:
                self.add_error("expires", str(error))
        return values

    def _check_time(self, values: dict[str, Any]) -> None:
        when = values.get("when")
        wall = values.get("wall")
        if when == WhenChoice.NOW and wall:
            problem = gettext(
                "You also wrote a time. Choose “At a date and time”, or empty the time."
            )
            self.add_error("when", problem)
        if when == WhenChoice.LATER and not wall and "wall" not in self.errors:
            self.add_error("wall", gettext("Choose a date and a time."))
        needs_zone = wall or values.get("expires")
        if needs_zone and not values.get("zone") and "zone" not in self.errors:
            self.add_error("zone", gettext("Choose a time zone, for example Europe/Berlin."))

    def _check_pace(self, values: dict[str, Any], pace: PaceChoice, name: str) -> None:
        """Hold the field of one pace against the pace that was chosen."""
        chosen = values.get("pace") == pace
        number = values.get(name)
        wanted, surplus = PACE_PROBLEMS[pace]
        if chosen and number is None and name not in self.errors:
            self.add_error(name, str(wanted))
        if not chosen and number is not None:
            self.add_error("pace", str(surplus))

    def columns(self) -> dict[str, Any]:
        """What `change_campaign` takes."""
        typed = self.cleaned_data
        hours = typed["hours"]
        wall = None
        if typed["when"] == WhenChoice.LATER:
            wall = typed["wall"]
        spread = None
        if hours is not None:
            spread = round(hours * 3600)
        columns: dict[str, Any] = {"wall": wall, "spread": spread}
        columns["zone"] = typed["zone"]
        columns["rate"] = typed["rate"]
        columns["expires_at"] = typed.get("expires_at")
        return columns


class TestForm(forms.Form):
    to = forms.CharField(max_length=254, required=False, label=_("Send a test to"))

    def clean_to(self) -> str:
        typed = self.cleaned_data["to"]
        try:
            address, _ = normalise(Channel.EMAIL, typed)
        except BadAddress as error:
            raise ValidationError(str(error)) from error
        return address

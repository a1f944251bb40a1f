"""The forms of the compose steps.

They check what was typed; campaigns/compose.py and campaigns/lifecycle.py decide and store.
"""

import datetime as dt
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from apps.campaigns import pacing
from apps.campaigns.models import Campaign, Segment
from apps.content.models import Template, Version
from apps.dashboard.content.template_forms import Editor, shown, typed
from apps.dashboard.shell.forms import ZoneField, channel_choices, offer
from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Channel, Follower, NotificationType, Tag
from apps.followers.people.find_follower import find_one, name_of
from apps.lib import wallclock

INCLUDES = ("tags", "segments", "followers")


class BasicsForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="Only your team sees it.")
    notification_type = forms.ModelChoiceField(
        NotificationType.objects.filter(active=True),
        to_field_name="key",
        label="Message type",
        empty_label=None,
        help_text="Followers switch kinds on and off; it decides who may get this.",
    )
    channels = forms.MultipleChoiceField(widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "channels", channel_choices())

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        kind = values.get("notification_type")
        if kind and (
            other := [each for each in values.get("channels", []) if each not in kind.channels]
        ):
            labels = ", ".join(str(Channel(each).label) for each in other)
            self.add_error(
                "channels", f"“{kind.name}” is not offered by {labels}. Choose other channels."
            )
        return values


class DetailsForm(BasicsForm):
    tracking = forms.BooleanField(
        required=False,
        label="Count opens and clicks",
        help_text="Links go through this site, and a tiny image tells when the mail is opened. "
        "Of followers who don't want that nothing is counted.",
    )


class StartForm(BasicsForm):
    template = forms.ModelChoiceField(
        Template.objects.filter(private=False, archived_at=None),
        to_field_name="uid",
        required=False,
        label="Start from",
        empty_label="An empty page",
        help_text="Its words are copied; the template stays as it is.",
    )


def lines(value: Any) -> str:
    """A list of plain words one per line; anything else as JSON."""
    plain = isinstance(value, list) and all(
        isinstance(each, str) and each.splitlines() == [each] for each in value
    )
    if plain and not (value and value[0].startswith("[")):
        return "\n".join(value)
    return shown(value)


class ValuesForm(forms.Form):
    """One field per declared variable: its value in this campaign."""

    def __init__(self, version: Version, campaign: Campaign, data: Any = None) -> None:
        super().__init__(data, prefix="value")
        for row in version.variables:
            name = row["name"]
            is_list = row["type"] == "list"
            hint = [
                row.get("description", ""),
                {"string": "", "list": "One per line."}.get(row["type"], f"A {row['type']}."),
            ]
            if row.get("default") not in (None, "", [], {}):
                hint.append(f"Left empty: {shown(row['default'])}.")
            label = " (optional)"
            if row.get("required"):
                label = ""
            if is_list:
                initial = lines(campaign.data.get(name))
            else:
                initial = shown(campaign.data.get(name))
            widget = None
            if is_list:
                widget = forms.Textarea({"rows": 3})
            self.fields[name] = forms.CharField(
                required=False,
                label=f"{name}{label}",
                help_text=" ".join(filter(None, hint)),
                initial=initial,
                widget=widget,
            )
        self.kinds = {row["name"]: row["type"] for row in version.variables}

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        for name, kind in self.kinds.items():
            text = values.get(name, "")
            if kind == "list" and not text.startswith("["):
                values[name] = [line.strip() for line in text.splitlines() if line.strip()] or None
                continue
            try:
                values[name] = typed(text, kind)
            except ValueError as error:
                self.add_error(name, str(error))
        return values

    def data_given(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


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
        }
        self.basics = DetailsForm(data, initial=basics | {"tracking": campaign.tracking})
        self.editor = Editor(version, data)
        self.values = ValuesForm(version, campaign, data)

    def is_valid(self) -> bool:
        return all([self.basics.is_valid(), self.values.is_valid(), self.editor.is_valid()])

    def columns(self) -> dict[str, Any]:
        return {**self.basics.cleaned_data, "data": self.values.data_given()}

    def words(self) -> dict[str, Any]:
        """What `change_campaign` takes; empty when the words are as they were,
        so that no needless draft is made.
        """
        typed = self.editor.draft.cleaned_data
        wanted = {
            "translations": self.editor.words(),
            "variables": self.editor.variables.declarations(),
            "layout": typed["layout"],
            "default_language": typed["default_language"],
        }
        version = self.version
        saved = {
            "translations": {row.language: row.parts for row in version.translations.all()},
            "variables": version.variables,
            "layout": version.layout,
            "default_language": version.default_language,
        }
        if wanted == saved:
            return {}
        return wanted


class PeopleField(forms.CharField):
    """Single followers, one per line, by e-mail, phone, external id or id;
    cleaned into their public ids.
    """

    widget = forms.Textarea({"rows": 3, "placeholder": "anna@example.com"})

    def clean(self, value: Any) -> list[str]:
        found = []
        unknown = []
        for line in filter(None, (line.strip() for line in super().clean(value).splitlines())):
            follower = find_one(line)
            if follower is None:
                unknown.append(line)
            else:
                found.append(str(follower.uid))
        if unknown:
            raise ValidationError(
                f"Nobody is known as: {', '.join(unknown[:5])}. Check the spelling, or add "
                "them first."
            )
        return found

    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value  # what was typed
        known = Follower.objects.filter(uid__in=value).order_by("pk").prefetch_related("addresses")
        return "\n".join(name_of(follower) for follower in known)


class AudienceForm(forms.Form):
    everyone = forms.BooleanField(
        required=False, help_text="All followers, whatever is chosen below."
    )
    tags = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    segments = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)
    followers = PeopleField(required=False, label="Single people")
    exclude_tags = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Tags"
    )
    exclude_segments = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Segments"
    )
    exclude_followers = PeopleField(required=False, label="Single people")

    def __init__(self, audience: dict[str, Any], data: Any = None) -> None:
        super().__init__(data, initial=audience)
        tags = list(Tag.objects.values_list("slug", "name"))
        segments = [(str(segment.uid), segment.name) for segment in Segment.objects.all()]
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
            return dt.datetime.fromisoformat(str(value)).replace(
                tzinfo=None, second=0, microsecond=0
            )
        except ValueError:
            raise ValidationError(
                "Write a date and a time, for example 2026-05-31 09:00."
            ) from None

    def prepare_value(self, value: Any) -> Any:
        return value


class ScheduleForm(forms.Form):
    when = forms.ChoiceField(
        choices=[
            ("now", "As soon as somebody presses Send on the next page"),
            ("later", "At a date and time"),
        ],
        widget=forms.RadioSelect,
    )
    wall = WallField(required=False, label="Date and time")
    zone = ZoneField(required=False)
    expires = WallField(
        required=False,
        label="Expires (optional)",
        help_text="What has not left by then is not sent any more. In the same time zone.",
    )
    pace = forms.ChoiceField(
        choices=[
            ("fast", "As fast as it goes"),
            ("rate", "At most so many messages a second"),
            ("spread", "Evenly over some hours"),
        ],
        initial="fast",
        required=False,
        widget=forms.RadioSelect,
    )
    rate = forms.FloatField(
        required=False,
        min_value=pacing.SLOWEST,
        max_value=pacing.FASTEST,
        label="Messages a second",
        help_text="All channels together. 0.5 is one every two seconds.",
    )
    hours = forms.FloatField(
        required=False,
        min_value=pacing.SHORTEST / 3600,
        max_value=pacing.LONGEST / 3600,
        label="Hours",
        help_text="For example 6. A shop or a hotline behind the links is not overrun.",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("when") == "now" and values.get("wall"):
            self.add_error(
                "when", "You also wrote a time. Choose “At a date and time”, or empty the time."
            )
        if values.get("when") == "later" and not values.get("wall") and "wall" not in self.errors:
            self.add_error("wall", "Choose a date and a time.")
        if (
            (values.get("wall") or values.get("expires"))
            and not values.get("zone")
            and "zone" not in self.errors
        ):
            self.add_error("zone", "Choose a time zone, for example Europe/Berlin.")
        for pace, name, missing in (
            ("rate", "rate", "how many a second"),
            ("spread", "hours", "over how many hours"),
        ):
            if values.get("pace") == pace and values.get(name) is None and name not in self.errors:
                self.add_error(name, f"Write {missing}.")
            if values.get("pace") != pace and values.get(name) is not None:
                self.add_error(
                    "pace", f"You also wrote {missing}. Choose that, or empty the field."
                )
        if values.get("expires") and values.get("zone"):
            try:
                values["expires_at"] = wallclock.to_instant(
                    values["expires"], values["zone"]
                ).instant
            except (wallclock.MissingTime, wallclock.UnknownZone) as error:
                self.add_error("expires", str(error))
        return values

    def columns(self) -> dict[str, Any]:
        """What `change_campaign` takes."""
        typed = self.cleaned_data
        hours = typed["hours"]
        wall = None
        if typed["when"] == "later":
            wall = typed["wall"]
        spread = None
        if hours is not None:
            spread = round(hours * 3600)
        return {
            "wall": wall,
            "zone": typed["zone"],
            "expires_at": typed.get("expires_at"),
            "rate": typed["rate"],
            "spread": spread,
        }


class TestForm(forms.Form):
    to = forms.CharField(max_length=254, required=False, label="Send a test to")

    def clean_to(self) -> str:
        try:
            return normalise(Channel.EMAIL, self.cleaned_data["to"])[0]
        except BadAddress as error:
            raise ValidationError(str(error)) from error

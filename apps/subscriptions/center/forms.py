"""Check what was typed on the preference page: language, zone, a pause, a reason. Save nothing."""

import datetime as dt
import json
from functools import cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from django import forms
from django.conf import settings
from django.forms.utils import flatatt
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import (
    get_language_info,
    get_supported_language_variant,
    gettext,
)
from django.utils.translation import gettext_lazy as _

from apps.content.drafts import languages_in_use
from apps.followers.fields.inputs import Asked
from apps.followers.models import CustomField, Follower
from apps.followers.profile_fields import BadFollower
from apps.lib.wallclock import instant, zone_names
from apps.subscriptions.wording import REASONS

# The rest of the IANA list are old names and offsets.
_AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)

_MORNING = dt.time(8)  # when a pause of days ends


class _PlaceSelect(forms.Select):
    """A choice among all places. Django's own renders a template for each of its 450 options:
    more than all the rest of the page.
    """

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        attributes = self.build_attrs(self.attrs, {**(attrs or {}), "name": name})
        options = [_option(each, label, value or "") for each, label in self.choices]
        inside = SafeString("".join(options))
        return format_html("<select{}>{}</select>", flatatt(attributes), inside)


def _option(value: Any, label: Any, chosen: str) -> SafeString:
    """Write an option, or the options of a part of the world; `value` is its name then."""
    if isinstance(label, list):
        options = [_option(name, place, chosen) for name, place in label]
        inside = SafeString("".join(options))
        return format_html('<optgroup label="{}">{}</optgroup>', value, inside)
    selected = ""
    if value == chosen:
        selected = SafeString(" selected")
    return format_html('<option value="{}"{}>{}</option>', value, selected, label)


class Fields(forms.Form):
    """Language and time zone, together or one of them. What the follower has now is always among
    the choices.
    """

    language = forms.ChoiceField(label=_("Language"), required=False)
    time_zone = forms.ChoiceField(label=_("Time zone"), required=False, widget=_PlaceSelect)

    def __init__(self, *args: Any, follower: Follower, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"language": follower.language, "time_zone": follower.time_zone}
        language = cast(forms.ChoiceField, self.fields["language"])
        language.choices = _languages(follower.language)
        time_zone = cast(forms.ChoiceField, self.fields["time_zone"])
        time_zone.choices = _zones(follower.time_zone)
        for field in self.fields.values():
            field.widget.attrs["class"] = "form-select"

    def moved(self) -> dict[str, Any]:
        """Give what differs from what the page showed (`<name>_was`), the switch `measured` too."""
        moved: dict[str, Any] = {}
        for name, value in self.cleaned_data.items():
            if name not in self.data:
                continue
            shown = self.data.get(f"{name}_was", self.initial[name])
            if value != shown:
                moved[name] = value
        # an unticked box is not sent: only a page that showed it can mean it
        if "measured_was" in self.data:
            was_on = self.data["measured_was"] == "on"
            is_on = "measured" in self.data
            if is_on != was_on:
                moved["measured"] = is_on
        return moved


class OwnFields(forms.Form):
    """The custom fields that followers see and change."""

    def __init__(self, *args: Any, follower: Follower, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._custom = {f"own-{row.pk}": row for row in CustomField.objects.filter(public=True)}
        for name, row in self._custom.items():
            self.fields[name] = Asked(row, initial=follower.metadata.get(row.key))

    def lines(self) -> list[tuple[forms.BoundField, str]]:
        """Each field, with what the page shows of it, to be sent back with the form."""
        return [(self[name], json.dumps(self.fields[name].initial)) for name in self._custom]

    def moved(self) -> dict[str, Any]:
        """Give what differs from what the page showed (`<name>_was`), by key."""
        moved = {}
        for name, row in self._custom.items():
            try:
                shown = json.loads(self.data.get(f"{name}_was", ""))
            except (ValueError, RecursionError):
                continue  # a page that did not show it
            if self.cleaned_data[name] != shown:
                moved[row.key] = self.cleaned_data[name]
        return moved


class Pause(forms.Form):
    """The time for which nothing should come.

    The buttons and the day are one field each; the buttons go first.
    """

    until = forms.CharField(required=False)
    day = forms.DateField(required=False)

    def until_when(self, zone: ZoneInfo, *, now: dt.datetime) -> dt.datetime | None:
        """Give the end of the pause; None ends it now. Raises BadFollower for what is no day."""
        self.is_valid()
        local = now.astimezone(zone)
        day: dt.date | None
        match self.cleaned_data.get("until", ""):
            case "end":
                return None
            case "hour":
                return now + dt.timedelta(hours=1)
            case "tomorrow":
                day = local.date() + dt.timedelta(days=1)
            case "week":
                day = local.date() + dt.timedelta(days=7)
            case _:
                day = self.cleaned_data.get("day")
        if day is None:
            raise BadFollower(gettext("No day was chosen."), field="paused_until")
        return instant(dt.datetime.combine(day, _MORNING), zone)


class ReasonForm(forms.Form):
    """Why somebody leaves; all of it is optional."""

    why = forms.ChoiceField(choices=list(REASONS.items()), required=False, widget=forms.RadioSelect)
    words = forms.CharField(max_length=250, required=False, widget=forms.Textarea)

    def text(self) -> str:
        """Give the reason as "too_many: their own words".

        Whatever was not understood is left out, for it must not stop an opt-out.
        """
        self.is_valid()
        why = self.cleaned_data.get("why", "")
        words = " ".join(self.cleaned_data.get("words", "").split())
        return ": ".join(part for part in (why, words) if part)


def _languages(current: str) -> list[tuple[str, str]]:
    """List the languages of these pages, then the others in which messages are written, then the
    follower's own.
    """
    choices = dict(settings.LANGUAGES)
    for tag in (*languages_in_use(), current):
        if tag not in choices:
            choices[tag] = _name(tag)
    return list(choices.items())


def foreign_to_these_pages(language: str) -> str:
    """The name of a language in which these pages are not there; "" for one in which they are."""
    try:
        get_supported_language_variant(language.lower())
    except LookupError:
        return _name(language)
    return ""


def _name(tag: str) -> str:
    """A language as its speakers call it."""
    try:
        return str(get_language_info(tag.lower())["name_local"])
    except KeyError:
        return tag


def _zones(current: str) -> list[tuple[str, Any]]:
    groups = _places()
    other = []
    if current and current not in {name for _area, places in groups for name, _label in places}:
        other = [(current, current)]
    return [
        ("", _("Same as this site (%(zone)s)") % {"zone": settings.TIME_ZONE}),
        *other,
        *groups,
    ]


@cache
def _places() -> list[tuple[str, list[tuple[str, str]]]]:
    """List what each part of the world has: names of zones, with what a person reads."""
    groups: dict[str, list[tuple[str, str]]] = {area: [] for area in _AREAS}
    for name in zone_names():
        area, _slash, place = name.partition("/")
        if place and area in groups:
            groups[area].append((name, place.replace("_", " ").replace("/", " / ")))
    return list(groups.items())

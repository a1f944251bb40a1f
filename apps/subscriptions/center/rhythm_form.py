"""The part of the preference page about time: quiet hours and how often what may wait comes."""

import json
from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

from apps.followers.consent.rhythm import Wishes, as_json
from apps.followers.models import DigestCadence, Rhythm
from apps.subscriptions.wording import CADENCES

_NAMES = ("quiet", "cadence", "digest_at", "digest_weekday")
_SUGGESTED = ("22:00", "07:00")
NEVER = "never"
SAME = "same"
DAYS = "days"


class _Clock(forms.TimeField):
    def __init__(self, label: Any) -> None:
        # the browser's own clock; it always sends HH:MM, whatever it shows
        widget = forms.TimeInput(attrs={"type": "time", "class": "form-control"}, format="%H:%M")
        invalid = {"invalid": _("Write the time as 22:00.")}
        super().__init__(
            label=label,
            required=False,
            widget=widget,
            input_formats=["%H:%M", "%H:%M:%S"],
            error_messages=invalid,
        )

    def clean(self, value: Any) -> str:
        found = super().clean(value)
        if found:
            return f"{found:%H:%M}"
        return ""


class RhythmForm(forms.Form):
    """Quiet hours and digests.

    Every day the same, or each day its own: both are on the page, and the radio buttons say which
    one counts.
    """

    quiet = forms.ChoiceField(
        label=_("Quiet hours"),
        choices=[
            (NEVER, _("None")),
            (SAME, _("The same every day")),
            (DAYS, _("By day of the week")),
        ],
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
    )
    quiet_from = _Clock(_("From"))
    quiet_to = _Clock(_("To"))
    cadence = forms.ChoiceField(
        label=_("Digest frequency"), choices=[(key, CADENCES[key]) for key in DigestCadence]
    )
    digest_at = _Clock(_("At"))
    digest_weekday = forms.TypedChoiceField(
        label=_("On"), coerce=int, choices=list(WEEKDAYS.items())
    )

    def __init__(self, *args: Any, rhythm: Rhythm, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for day, name in WEEKDAYS.items():
            self.fields[f"from_{day}"] = _Clock(_("%(day)s, from") % {"day": name})
            self.fields[f"to_{day}"] = _Clock(_("%(day)s, to") % {"day": name})
        self.shown = as_json(Wishes(**{name: getattr(rhythm, name) for name in _NAMES}))
        self.initial = _initial(self.shown)
        for name in ("cadence", "digest_weekday"):
            self.fields[name].widget.attrs["class"] = "form-select"

    def days(self) -> list[tuple[str, forms.BoundField, forms.BoundField]]:
        return [
            (str(name), self[f"from_{day}"], self[f"to_{day}"]) for day, name in WEEKDAYS.items()
        ]

    def was(self) -> str:
        """Give what the page shows, to be sent back with the form."""
        return json.dumps(self.shown, sort_keys=True)

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        spans: dict[str, tuple[str, str]] = {}
        for day in WEEKDAYS:
            if said.get("quiet") == SAME:
                spans[str(day)] = ("quiet_from", "quiet_to")
            elif said.get("quiet") == DAYS:
                spans[str(day)] = (f"from_{day}", f"to_{day}")
        hours: dict[str, list[str]] = {}
        for weekday, (start, end) in spans.items():
            times = [said.get(start, ""), said.get(end, "")]
            if all(times) and times[0] != times[1]:
                hours[weekday] = times
                continue
            if start in self.errors or end in self.errors:
                continue
            if all(times):
                self.add_error(end, _("Choose an end that differs from the start."))
            elif said["quiet"] == SAME or any(times):
                self.add_error(end, _("Choose both times."))
        said["quiet"] = hours
        said["digest_at"] = said.get("digest_at") or self.shown["digest_at"]
        return said

    def wishes(self) -> Wishes:
        """Give what was moved since the page was shown.

        A page that knew no rhythm, or an old one, takes back nothing.
        """
        try:
            shown = json.loads(self.data.get("rhythm_was", ""))
            was = {name: shown[name] for name in _NAMES}
        except (ValueError, KeyError, TypeError, RecursionError):
            return Wishes()
        said = {name: self.cleaned_data[name] for name in _NAMES if name in self.cleaned_data}
        return Wishes(**{name: value for name, value in said.items() if was[name] != value})


def _initial(shown: dict[str, Any]) -> dict[str, Any]:
    quiet: dict[str, list[str]] = shown["quiet"]
    spans = list(quiet.values())
    start, end = _SUGGESTED
    choice = NEVER
    if len(spans) == 7 and all(span == spans[0] for span in spans):
        choice = SAME
        start, end = spans[0]
    elif quiet:
        choice = DAYS
    initial = {**shown, "quiet": choice, "quiet_from": start, "quiet_to": end}
    if quiet:
        # whoever turns to days begins with what held for all of them
        for day in map(str, WEEKDAYS):
            begins, ends = quiet.get(day, ["", ""])
            initial[f"from_{day}"] = begins
            initial[f"to_{day}"] = ends
    return initial

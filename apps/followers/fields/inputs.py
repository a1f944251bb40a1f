"""A custom field as a page asks for it: a line, a date, a list to choose from."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import get_language, gettext

from apps.followers.fields.fitting import LONGEST, value_for
from apps.followers.models import CustomField, FieldKind
from apps.followers.profile_fields import BadFollower


class Asked(forms.Field):
    """A custom field in a form: gives the value as the field keeps it, None for none.

    What is there already stays as it is, fitting or not, unless it is changed.
    """

    def __init__(self, custom: CustomField, *, initial: Any = None, **options: Any) -> None:
        self.custom = custom
        language = get_language() or settings.LANGUAGE_CODE
        options.setdefault("label", custom.label(language))
        options.setdefault("required", False)
        widget = _widget(custom, language, self.prepare_value(initial))
        super().__init__(initial=initial, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        if value is True:
            return "yes"
        if value is False:
            return "no"
        if isinstance(value, list):
            return [str(each) for each in value]
        if value is None:
            return ""
        return str(value)

    def to_python(self, value: Any) -> Any:
        if self.initial is not None and value == self.prepare_value(self.initial):
            return self.initial
        try:
            return value_for(self.custom, value)
        except BadFollower as error:
            raise ValidationError(error.sentence) from error

    def validate(self, value: Any) -> None:
        if self.required and value is None:
            raise ValidationError(gettext("Please fill this in."), code="required")

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != (data or ""))

    @property
    def several(self) -> bool:
        return self.custom.kind == FieldKind.CHOICES


def _widget(custom: CustomField, language: str, shown: Any) -> forms.Widget:
    match custom.kind:
        case FieldKind.BOOLEAN:
            words = [("yes", gettext("Yes")), ("no", gettext("No"))]
            return _select(words, shown)
        case FieldKind.CHOICE:
            return _select(custom.choices(language), shown)
        case FieldKind.CHOICES:
            offered = custom.choices(language)
            choices = [*offered, *_others(offered, shown)]
            return forms.CheckboxSelectMultiple({"class": "form-check-input"}, choices)
        case FieldKind.DATE:
            return forms.TextInput({"type": "date", "class": "form-control"})
        case FieldKind.NUMBER:
            return forms.TextInput({"inputmode": "decimal", "class": "form-control"})
    return forms.TextInput({"maxlength": LONGEST, "class": "form-control"})


def _select(offered: Sequence[tuple[str, str]], shown: Any) -> forms.Select:
    choices = [("", ""), *offered, *_others(offered, shown)]
    return forms.Select({"class": "form-select"}, choices)


def _others(offered: Sequence[tuple[str, str]], shown: Any) -> list[tuple[str, str]]:
    """What is there and is not of the list any more stays on offer."""
    known = {"", *dict(offered)}
    values = shown
    if not isinstance(shown, list):
        values = [shown]
    return [(each, each) for each in values if each not in known]

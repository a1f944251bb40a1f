"""What the forms of the staff pages have in common."""

import json
from collections.abc import Iterable
from typing import Any, cast

from crispy_forms.helper import FormHelper
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.channels.registry import providers
from apps.content.models import Template
from apps.followers.models import Channel, NotificationType
from apps.lib import strict_json, wallclock
from apps.lib.refusals import Refused


def plain_helper() -> FormHelper:
    """Fields only: the template writes <form>, the token and the buttons."""
    helper = FormHelper()
    helper.form_tag = False
    helper.disable_csrf = True
    return helper


class ZoneField(forms.CharField):
    """An IANA zone name, typed with suggestions (a select of 600 is no help)."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", _("Time zone"))
        super().__init__(max_length=64, **kwargs)
        self.widget.attrs |= {
            "list": "zones",
            "placeholder": "Europe/Berlin",
            "autocomplete": "off",
        }

    def clean(self, value: Any) -> str:
        name: str = super().clean(value)
        if name:
            try:
                wallclock.zone(name)
            except wallclock.UnknownZone as error:
                raise ValidationError(str(error)) from error
        return name


class KeyField(forms.SlugField):
    """What programs call a thing."""

    default_error_messages = {
        "invalid": _("Use the letters a to z, digits, - and _ only, for example order-shipped.")
    }


class JsonField(forms.Field):
    """JSON as people type it.

    With an `example` it is an object like that one, and nothing typed is an empty one; without,
    it is anything, and nothing typed is None.
    """

    def __init__(self, *, example: str = "", rows: int = 4, **kwargs: Any) -> None:
        attrs = {"rows": rows, "class": "font-monospace", "spellcheck": "false"}
        super().__init__(widget=forms.Textarea(attrs), **kwargs)
        self.example = example

    def to_python(self, value: Any) -> Any:
        if not (text := (value or "").strip()):
            if self.example:
                return {}
            return None
        try:
            data = strict_json.read(text)
        except strict_json.BadJson as error:
            raise ValidationError(gettext("This {fault}.").format(fault=error)) from error
        if self.example and not isinstance(data, dict):
            wanted = gettext("Write an object: {example}.").format(example=self.example)
            raise ValidationError(wanted)
        return data

    def prepare_value(self, value: Any) -> str:
        """What was typed stays as it was."""
        if isinstance(value, str):
            return value
        if value:
            return json.dumps(value, ensure_ascii=False, indent=2)
        return ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare as JSON: to Python 1 and true are the same."""
        try:
            typed = self.to_python(data)
        except ValidationError:
            return True
        return json.dumps(initial, sort_keys=True) != json.dumps(typed, sort_keys=True)


class TypeField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs only
    """A message type that somebody chooses: what stands first in the list is a critical one, which
    nobody must send because they did not look.
    """

    def __init__(self, types: QuerySet[NotificationType] | None = None, **kwargs: Any) -> None:
        if types is None:
            types = NotificationType.objects.all()
        kwargs |= {"label": _("Message type"), "empty_label": _("Choose one")}
        super().__init__(types, to_field_name="key", **kwargs)


class WhatIsSentForm(forms.Form):
    """What is sent by whatever makes notifications by itself."""

    notification_type = TypeField()
    template = forms.ModelChoiceField(
        Template.objects.filter(private=False, archived_at=None),
        label=_("Template"),
        to_field_name="uid",
        required=False,
        empty_label=_("Default template of the type"),
    )
    channels = forms.MultipleChoiceField(
        label=_("Channels"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=_("None: all of the type that the template has words for."),
    )


def zone_names() -> list[str]:
    """List names for the <datalist id="zones"> that ZoneField suggests from."""
    places = [name for name in wallclock.zone_names() if "/" in name]
    return [name for name in places if not name.startswith(("Etc/", "SystemV/"))]


def channel_choices(also: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Channels that some provider serves, and those named in `also`."""
    offered = {kind.channel for kind in providers()} | set(also)
    return [(value, str(label)) for value, label in Channel.choices if value in offered]


def offer(form: forms.Form, name: str, choices: Iterable[Any]) -> None:
    """Let a field that is a choice offer these."""
    field = cast(forms.ChoiceField, form.fields[name])
    field.choices = list(choices)


def also_offer(form: forms.Form, template: Template | None) -> None:
    """Let the form's template stay chosen, though it is in the archive by now."""
    field = cast("forms.ModelChoiceField[Template]", form.fields["template"])
    if template and field.queryset is not None:
        field.queryset |= Template.objects.filter(pk=template.pk)


def whole_number(text: str) -> int | None:
    """What an address or a hidden field carries: a number the database can hold;
    None when it was written by hand.
    """
    if text.isascii() and text.isdigit() and len(text) < 19:
        return int(text)
    return None


def add_refusal(form: forms.Form, error: Refused) -> None:
    """Put a refusal beside the field that it names, else beside the form's `elsewhere`, if it has
    one, else at the top of the form.
    """
    place = getattr(form, "elsewhere", None)
    if error.field in form.fields:
        place = error.field
    form.add_error(place, error.sentence)

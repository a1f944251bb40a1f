"""Custom fields: what staff want to know of followers; list, define, change, delete."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.paging import beside
from apps.followers.fields.define import (
    LONGEST_LABEL,
    FieldValues,
    change_field,
    create_field,
    delete_field,
)
from apps.followers.models import CustomField, FieldKind


class DefinitionForm(forms.Form):
    """A custom field as staff edit it."""

    elsewhere = f"label_{settings.LANGUAGE_CODE}"
    kind = forms.ChoiceField(label=_("Kind"), choices=FieldKind.choices)
    options = forms.CharField(
        required=False,
        label=_("Values of the list"),
        widget=forms.Textarea({"rows": 5}),
    )
    searchable = forms.BooleanField(
        required=False,
        label=_("Searchable"),
        help_text=_("The search for followers finds people by it."),
    )
    public = forms.BooleanField(
        required=False,
        label=_("Public"),
        help_text=_(
            "Followers see and change it in their preference center, by a link that they asked for."
        ),
    )
    position = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=10_000,
        label=_("Position"),
        help_text=_("Lists and forms begin with the smallest."),
    )

    def __init__(self, data: Any = None, *, row: CustomField | None) -> None:
        self.row = row
        super().__init__(data, initial=_initial(row))
        if row is None:
            self.fields["key"] = forms.CharField(
                max_length=60,
                label=_("Key"),
                help_text=_("What templates, files and API clients call it, for example city."),
            )
        for language, name in settings.LANGUAGES:
            self.fields[f"label_{language}"] = forms.CharField(
                required=language == settings.LANGUAGE_CODE,
                max_length=LONGEST_LABEL,
                label=gettext("Label ({language})").format(language=name),
            )
        languages = " | ".join(str(name) for _tag, name in settings.LANGUAGES)
        said = gettext(
            "Of a list: one value a line; after it, if you like, | and its labels: {way}."
        )
        self.fields["options"].help_text = said.format(way=f"pro | {languages}")
        self.order_fields(["key", *[f"label_{tag}" for tag, _name in settings.LANGUAGES]])

    def values(self) -> FieldValues:
        typed = self.cleaned_data
        labels: dict[str, str] = {}
        if self.row:
            labels |= self.row.labels
        for language, _name in settings.LANGUAGES:
            labels[language] = typed[f"label_{language}"]
        return FieldValues(
            kind=typed["kind"],
            labels=labels,
            options=self._options(),
            searchable=typed["searchable"],
            public=typed["public"],
            position=typed["position"] or 0,
        )

    def _options(self) -> list[dict[str, Any]]:
        """Read the lines; labels in languages that the page does not have stay."""
        before: Mapping[str, Any] = {}
        if self.row:
            before = {option["value"]: option["labels"] for option in self.row.options}
        options = []
        for line in self.cleaned_data["options"].splitlines():
            value, *said = [part.strip() for part in line.split("|")]
            if not value:
                continue
            labels = dict(before.get(value, {}))
            for number, (language, _name) in enumerate(settings.LANGUAGES):
                labels[language] = "".join(said[number : number + 1])
            options.append({"value": value, "labels": labels})
        return options


def _initial(row: CustomField | None) -> dict[str, Any]:
    if row is None:
        return {"kind": FieldKind.TEXT, "position": 0}
    initial: dict[str, Any] = {"options": "\n".join(map(_line, row.options))}
    for name in ("kind", "searchable", "public", "position"):
        initial[name] = getattr(row, name)
    for language, text in row.labels.items():
        initial[f"label_{language}"] = text
    return initial


def _line(option: Mapping[str, Any]) -> str:
    labels = [option["labels"].get(language, "") for language, _name in settings.LANGUAGES]
    return " | ".join([option["value"], *labels]).rstrip(" |")


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    language = get_language() or settings.LANGUAGE_CODE
    rows = list(CustomField.objects.all())
    for row in rows:
        beside(
            row, named=row.label(language), offered=[said for _value, said in row.choices(language)]
        )
    return render(request, "dashboard/audience/fields/list.html", {"rows": rows})


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.EDIT)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    return _edit(request, get_object_or_404(CustomField, pk=pk))


def _edit(request: HttpRequest, row: CustomField | None) -> HttpResponse:
    form = DefinitionForm(request.POST or None, row=row)

    def save() -> CustomField:
        by = staff_actor(request)
        now = timezone.now()
        if row:
            return change_field(field=row, values=form.values(), by=by, now=now)
        return create_field(key=form.cleaned_data["key"], values=form.values(), by=by, now=now)

    def done(saved: CustomField) -> HttpResponse:
        said = gettext("{name} was added.")
        if row:
            said = gettext("{name} was saved.")
        messages.success(request, said.format(name=saved))
        return redirect("dashboard:fields")

    template = "dashboard/audience/fields/edit.html"
    return edit_page(request, form, template, {"row": row}, save=save, done=done)


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    row = CustomField.objects.filter(pk=pk).first()
    if row is None:
        messages.info(request, gettext("That field was deleted already."))
    else:
        delete_field(field=row, by=staff_actor(request), now=timezone.now())
        said = gettext("{name} was deleted. Followers keep what they have under its key.")
        messages.success(request, said.format(name=row))
    return redirect("dashboard:fields")


urlpatterns = [
    path("fields/", index, name="fields"),
    path("fields/add/", add, name="field-add"),
    path("fields/<int:pk>/", edit, name="field"),
    path("fields/<int:pk>/delete/", delete, name="field-delete"),
]

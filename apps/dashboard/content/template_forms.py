"""The forms of the template editor: the draft, its words per language, its variables,
and what comes back as data.
"""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.text import slugify

from apps.content.channel_parts import CHANNEL_PARTS, Part, PartKind
from apps.content.models import Layout, Template, Version
from apps.content.problems import TemplateProblem
from apps.dashboard.shell.forms import KeyField, offer
from apps.lib import strict_json

# Shown in the "add a language" list; any other BCP 47 tag may be typed through the API.
LANGUAGES = {
    "ar": "العربية",
    "cs": "Čeština",
    "de": "Deutsch",
    "en": "English",
    "es": "Español",
    "fr": "Français",
    "hi": "हिन्दी",
    "it": "Italiano",
    "ja": "日本語",
    "ko": "한국어",
    "nl": "Nederlands",
    "pl": "Polski",
    "pt": "Português",
    "pt-BR": "Português (Brasil)",
    "ru": "Русский",
    "tr": "Türkçe",
    "uk": "Українська",
    "zh": "中文",
}
HELP = {
    ("preheader", PartKind.LINE): "The grey line after the subject in an inbox.",
    ("html", PartKind.HTML): "Liquid: {{ follower.first_name }}, {% if … %}, filters with |.",
    ("text", PartKind.TEXT): "Left empty, it is made from the HTML when you publish.",
    ("link", PartKind.LINK): "Where a click on the message leads.",
}
TYPES = ("string", "number", "boolean", "list", "object")


def language_name(tag: str) -> str:
    return LANGUAGES.get(tag, tag)


def source_area(rows: int) -> forms.Textarea:
    """A box for words with Liquid in them: fixed width, no corrections by the browser."""
    return forms.Textarea(
        {"rows": rows, "class": "font-monospace", "spellcheck": "false", "autocomplete": "off"}
    )


class NewTemplateForm(forms.Form):
    name = forms.CharField(
        max_length=120, help_text="What your team calls it, for example Order confirmation."
    )
    key = KeyField(
        max_length=80,
        required=False,
        help_text=(
            "What programs call it; made from the name when left empty. It can't be changed later."
        ),
    )
    description = forms.CharField(max_length=300, required=False)
    copy_of = forms.ModelChoiceField(
        Template.objects.filter(private=False, archived_at=None),
        to_field_name="uid",
        required=False,
        label="Start from",
        empty_label="An empty page",
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        values["key"] = values.get("key") or slugify(values.get("name", ""))[:80]
        if "name" in values and not values["key"]:
            self.add_error("key", "No key can be made from this name. Write one in Latin letters.")
        return values


class NameForm(forms.Form):
    name = forms.CharField(max_length=120)
    description = forms.CharField(max_length=300, required=False)


class DraftForm(forms.Form):
    """What belongs to the whole draft.

    `seen` is the moment of the last save that this page showed.
    """

    default_language = forms.ChoiceField(
        help_text="For followers whose language is not written here."
    )
    layout = forms.ModelChoiceField(
        Layout.objects.all(),
        to_field_name="key",
        required=False,
        empty_label="No layout: the e-mail is exactly the HTML below",
    )
    note = forms.CharField(
        max_length=200, required=False, help_text="What changed and why; shown in the history."
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    add_language = forms.ChoiceField(
        required=False,
        label="Add a language",
        widget=forms.Select({"class": "form-select form-select-sm"}),
    )

    def __init__(self, *args: Any, languages: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer(self, "default_language", [(tag, language_name(tag)) for tag in languages])
        missing = [(tag, name) for tag, name in LANGUAGES.items() if tag not in languages]
        offer(self, "add_language", [("", "Choose…"), *missing])


def field_of(channel: str, part: str) -> str:
    return f"{channel}-{part}"


def field_for(part: Part) -> forms.CharField:
    """The box for one part; anything longer than the column allows is for the domain to refuse."""
    if part.kind in (PartKind.HTML, PartKind.TEXT):
        rows = 8
        if part.kind == PartKind.HTML:
            rows = 18
        widget: forms.Widget = source_area(rows)
    else:
        widget = forms.TextInput({"autocomplete": "off"})
    return forms.CharField(
        label=part.label,
        required=False,
        strip=False,
        widget=widget,
        help_text=HELP.get((part.name, part.kind), ""),
    )


class TranslationForm(forms.Form):
    """One language, with a field for each part of each channel.

    A channel whose fields are all empty is not offered.
    """

    remove = forms.BooleanField(required=False, label="Remove this language")

    def __init__(
        self, data: Any = None, *, language: str, parts: dict[str, dict[str, str]]
    ) -> None:
        super().__init__(data, prefix=f"t-{language}")
        self.language = language
        self.language_name = language_name(language)
        self.problems: dict[str, list[TemplateProblem]] = {}
        for channel, known in CHANNEL_PARTS.items():
            for part in known.parts:
                field = field_for(part)
                field.initial = parts.get(channel, {}).get(part.name, "")
                self.fields[field_of(channel, part.name)] = field

    def parts(self) -> dict[str, dict[str, str]]:
        """Make `Translation.parts` from what was typed.

        Newlines become plain \\n; browsers send \\r\\n.
        """
        found = {
            channel: {
                part.name: self.cleaned_data[field_of(channel, part.name)].replace("\r\n", "\n")
                for part in known.parts
            }
            for channel, known in CHANNEL_PARTS.items()
        }
        return {
            channel: parts
            for channel, parts in found.items()
            if any(text.strip() for text in parts.values())
        }

    def channels(self) -> list[dict[str, Any]]:
        """List each channel with its fields and the lint problems at them, for the template."""
        return [
            {
                "key": channel,
                "label": known.label,
                "fields": [
                    {"field": self[name], "problems": self.problems.get(name, [])}
                    for name in (field_of(channel, part.name) for part in known.parts)
                ],
            }
            for channel, known in CHANNEL_PARTS.items()
        ]

    def has_trouble(self) -> bool:
        return bool(self.problems or self.errors)


class VariableForm(forms.Form):
    name = forms.RegexField(
        r"^[a-z_][a-z0-9_]*$",
        max_length=60,
        required=False,
        error_messages={"invalid": "Use small letters, digits and _, for example first_order."},
    )
    type = forms.ChoiceField(choices=[(each, each) for each in TYPES], required=False)
    required = forms.BooleanField(required=False)
    default = forms.CharField(required=False)
    example = forms.CharField(required=False)
    description = forms.CharField(max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("name"):
            if (
                any(values.get(field) for field in ("default", "example", "description"))
                and not self.errors
            ):
                self.add_error(
                    "name", "This variable has no name. Name it, or empty its row to remove it."
                )
            return values
        for field in ("default", "example"):
            try:
                values[field] = typed(values.get(field, ""), values.get("type") or "string")
            except ValueError as error:
                self.add_error(field, str(error))
        return values


if TYPE_CHECKING:  # Django's classes take no parameters at run time
    _FormSet = BaseFormSet["VariableForm"]
else:
    _FormSet = BaseFormSet


class VariableRows(_FormSet):
    def clean(self) -> None:
        names = [
            form.cleaned_data.get("name") for form in self.forms if hasattr(form, "cleaned_data")
        ]
        for form, name in zip(self.forms, names, strict=False):
            if name and names.count(name) > 1:
                form.add_error("name", f"{name} is declared twice.")

    def declarations(self) -> list[dict[str, Any]]:
        """Give `Version.variables`: rows without a name are gone,
        empty defaults and examples are left out.
        """
        declared = []
        for form in self.forms:
            row = form.cleaned_data
            if not row.get("name"):
                continue
            variable = {
                "name": row["name"],
                "type": row["type"] or "string",
                "required": row["required"],
            }
            for key in ("default", "example"):
                if row[key] is not None:
                    variable[key] = row[key]
            if row["description"]:
                variable["description"] = row["description"]
            declared.append(variable)
        return declared


VariableFormSet = formset_factory(VariableForm, formset=VariableRows, extra=1, max_num=100)


def typed(text: str, kind: str) -> Any:
    """What was typed for a variable of this type; None for nothing.

    Raises ValueError with what to write.
    """
    if not text.strip():
        return None
    if kind == "string":
        return text
    try:
        value = strict_json.read(text)
    except strict_json.BadJson:
        value = None
    wanted: dict[str, tuple[type | tuple[type, ...], str]] = {
        "number": ((int, float), "Write a number, for example 12.5."),
        "boolean": (bool, "Write true or false."),
        "list": (list, 'Write a JSON list, for example ["red", "blue"].'),
        "object": (dict, 'Write a JSON object, for example {"city": "Riga"}.'),
    }
    kinds, sentence = wanted[kind]
    if not isinstance(value, kinds) or (kind == "number" and isinstance(value, bool)):
        raise ValueError(sentence)
    return value


def shown(value: Any) -> str:
    """The reverse of `typed`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


class Editor:
    """All forms of one page, filled from a version and, after a POST, from what was typed."""

    def __init__(self, version: Version, data: Any = None) -> None:
        words = {row.language: row.parts for row in version.translations.all()} or {
            version.default_language: {}
        }
        languages = sorted(words, key=lambda tag: (tag != version.default_language, tag))
        layout = None
        if version.layout:
            layout = version.layout.key
        self.draft = DraftForm(
            data,
            languages=languages,
            initial={
                "default_language": version.default_language,
                "layout": layout,
                "note": version.note,
                "seen": version.updated_at.isoformat(),
            },
        )
        self.translations = [
            TranslationForm(data, language=tag, parts=words[tag]) for tag in languages
        ]
        variables = VariableFormSet(
            data,
            prefix="v",
            initial=[
                {**row, "default": shown(row.get("default")), "example": shown(row.get("example"))}
                for row in version.variables
            ],
        )
        self.variables = cast(VariableRows, variables)

    def is_valid(self) -> bool:
        # each is asked, so that all say what is wrong at once
        valid = [form.is_valid() for form in self.translations]
        valid += [self.draft.is_valid(), self.variables.is_valid()]
        if not all(valid):
            return False
        kept = {form.language for form in self.translations if not form.cleaned_data["remove"]}
        if self.draft.cleaned_data["default_language"] not in kept:
            self.draft.add_error(
                "default_language", "This language is being removed. Choose another default first."
            )
        return not self.draft.errors

    def words(self) -> dict[str, dict[str, dict[str, str]] | None]:
        """Language -> parts, None for one to remove.

        A new language starts with the default language's words.
        """
        words: dict[str, Any] = {}
        for form in self.translations:
            words[form.language] = None
            if not form.cleaned_data["remove"]:
                words[form.language] = form.parts()
        if added := self.draft.cleaned_data["add_language"]:
            words[added] = words[self.draft.cleaned_data["default_language"]]
        return words

    def show_problems(self, problems: Iterable[TemplateProblem]) -> list[TemplateProblem]:
        """Put each lint problem at its field;
        the ones that belong to no field of this page are returned.
        """
        return [problem for problem in problems if not self._place(problem)]

    def _place(self, problem: TemplateProblem) -> bool:
        language, _, rest = problem.where.partition(".")
        name = ""
        if rest.count(".") == 1:
            name = field_of(*rest.split("."))
        for form in self.translations:
            if form.language == language and name in form.fields:
                form.problems.setdefault(name, []).append(problem)
                return True
        return False

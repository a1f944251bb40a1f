"""The forms of the template editor: the draft, its words per language, its variables,
and what comes back as data.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from django import forms
from django.forms import BaseFormSet, formset_factory
from django.utils.functional import Promise
from django.utils.text import slugify
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.content.channel_parts import CHANNEL_PARTS, Part, PartKind
from apps.content.lint import left_behind
from apps.content.mail_text import text_of
from apps.content.models import Layout, Template, Version
from apps.content.problems import TemplateProblem
from apps.dashboard.shell.forms import KeyField, offer
from apps.followers.models import Channel
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
    ("preheader", PartKind.LINE): _("The grey line after the subject in an inbox."),
    ("html", PartKind.HTML): _("Liquid: {{ follower.first_name }}, {% if … %}, filters with |."),
    ("text", PartKind.TEXT): _("Your own words. Left empty, the text is made from the HTML."),
    ("link", PartKind.LINK): _("Where a click on the message leads."),
}
TYPES = ("string", "number", "boolean", "list", "object")


def language_name(tag: str) -> str:
    return LANGUAGES.get(tag, tag)


def source_area(rows: int) -> forms.Textarea:
    """A box for words with Liquid in them: fixed width, no corrections by the browser."""
    plain = {"class": "font-monospace", "spellcheck": "false", "autocomplete": "off"}
    return forms.Textarea({"rows": rows, **plain})


class NewTemplateForm(forms.Form):
    name = forms.CharField(
        max_length=120,
        label=_("Name"),
        help_text=_("What your team calls it, for example Order confirmation."),
    )
    key = KeyField(
        max_length=80,
        required=False,
        label=_("Key"),
        help_text=_(
            "What API clients call it; made from the name when left empty. It can't be changed "
            "later."
        ),
    )
    description = forms.CharField(max_length=300, required=False, label=_("Description"))
    copy_of = forms.ModelChoiceField(
        Template.objects.filter(private=False, archived_at=None),
        to_field_name="uid",
        required=False,
        label=_("Start from"),
        empty_label=_("An empty page"),
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        made = slugify(values.get("name", ""))[:80]
        values["key"] = values.get("key") or made
        if "name" in values and not values["key"]:
            said = gettext("No key can be made from this name. Write one in Latin letters.")
            self.add_error("key", said)
        return values


class NameForm(forms.Form):
    name = forms.CharField(max_length=120, label=_("Name"))
    description = forms.CharField(max_length=300, required=False, label=_("Description"))


class DraftForm(forms.Form):
    """What belongs to the whole draft.

    `seen` is the moment of the last save that this page showed.
    """

    default_language = forms.ChoiceField(
        label=_("Default language"),
        help_text=_("For followers whose language is not written here."),
    )
    layout = forms.ModelChoiceField(
        Layout.objects.all(),
        to_field_name="key",
        required=False,
        label=_("Layout"),
        empty_label=_("No layout: the email is exactly the HTML below"),
    )
    note = forms.CharField(
        max_length=200,
        required=False,
        label=_("Note"),
        help_text=_("What changed and why; shown in the history."),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    add_language = forms.ChoiceField(
        required=False,
        label=_("Add a language"),
        widget=forms.Select({"class": "form-select form-select-sm"}),
    )

    def __init__(self, *args: Any, languages: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        written = [(tag, language_name(tag)) for tag in languages]
        offer(self, "default_language", written)
        missing = [(tag, name) for tag, name in LANGUAGES.items() if tag not in languages]
        offer(self, "add_language", [("", gettext("Choose…")), *missing])


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
    said = HELP.get((part.name, part.kind), "")
    return forms.CharField(
        label=str(part.label), required=False, strip=False, widget=widget, help_text=said
    )


@dataclass(frozen=True, slots=True)
class PartField:
    """The field of one part, the lint problems at it, and what is made where it is left empty."""

    field: forms.BoundField
    problems: list[TemplateProblem]
    made: str = ""


@dataclass(frozen=True, slots=True)
class ChannelFields:
    """The fields of one channel, as a template shows them."""

    key: str
    label: str
    fields: list[PartField]


class TranslationForm(forms.Form):
    """One language, with a field for each part of each channel.

    A channel whose fields are all empty is not offered.
    """

    remove = forms.BooleanField(required=False, label=_("Remove this language"))
    keep = forms.BooleanField(
        required=False,
        label=_("Send these words as they came from the template"),
        help_text=_("Another language was changed, and this one was not."),
    )

    def __init__(
        self,
        data: Any = None,
        *,
        language: str,
        parts: dict[str, dict[str, str]],
        left_behind: bool = False,
    ) -> None:
        super().__init__(data, prefix=f"t-{language}")
        self.left_behind = left_behind
        self.language = language
        self.language_name = language_name(language)
        self.problems: dict[str, list[TemplateProblem]] = {}
        for channel, known in CHANNEL_PARTS.items():
            texts = parts.get(channel, {})
            for part in known.parts:
                field = field_for(part)
                field.initial = texts.get(part.name, "")
                self.fields[field_of(channel, part.name)] = field

    def parts(self) -> dict[str, dict[str, str]]:
        """Give `Translation.parts` from what was typed.

        Newlines become plain \\n; browsers send \\r\\n.
        """
        found = {}
        for channel, known in CHANNEL_PARTS.items():
            texts = {}
            for part in known.parts:
                typed_text: str = self.cleaned_data[field_of(channel, part.name)]
                texts[part.name] = typed_text.replace("\r\n", "\n")
            if any(text.strip() for text in texts.values()):
                found[channel] = texts
        return found

    def channels(self) -> list[ChannelFields]:
        """List each channel with its fields and the lint problems at them."""
        found = []
        for channel, known in CHANNEL_PARTS.items():
            fields = [self._part_field(channel, part) for part in known.parts]
            found.append(ChannelFields(channel, str(known.label), fields))
        return found

    def _part_field(self, channel: str, part: Part) -> PartField:
        name = field_of(channel, part.name)
        made = ""
        if channel == Channel.EMAIL and part.kind is PartKind.TEXT:
            made = self._made_text(name)
        return PartField(self[name], self.problems.get(name, []), made)

    def _made_text(self, name: str) -> str:
        """Give the text that is made from the HTML; "" where somebody wrote their own."""
        if str(self[name].value() or "").strip():
            return ""
        html = self[field_of(Channel.EMAIL, "html")].value()
        return text_of(str(html or ""))

    def has_trouble(self) -> bool:
        return bool(self.problems or self.errors)


class VariableForm(forms.Form):
    name = forms.RegexField(
        r"^[a-z_][a-z0-9_]*$",
        max_length=60,
        required=False,
        label=pgettext_lazy("variable", "Name"),
        error_messages={"invalid": _("Use small letters, digits and _, for example first_order.")},
    )
    type = forms.ChoiceField(
        choices=[(each, each) for each in TYPES], required=False, label=_("Type")
    )
    required = forms.BooleanField(required=False, label=_("Required"))
    default = forms.CharField(required=False, label=_("Default"))
    example = forms.CharField(required=False, label=_("Example"))
    description = forms.CharField(max_length=200, required=False, label=_("Description"))

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if not values.get("name"):
            filled = any(values.get(field) for field in ("default", "example", "description"))
            if filled and not self.errors:
                said = gettext("This variable has no name. Name it, or empty its row to remove it.")
                self.add_error("name", said)
            return values
        kind = values.get("type") or "string"
        for field in ("default", "example"):
            text = values.get(field, "")
            try:
                values[field] = typed(text, kind)
            except ValueError as error:
                self.add_error(field, str(error))
        return values


if TYPE_CHECKING:  # Django's classes take no parameters at run time
    _FormSet = BaseFormSet["VariableForm"]
else:
    _FormSet = BaseFormSet


class VariableRows(_FormSet):
    def clean(self) -> None:
        names = []
        for form in self.forms:
            if hasattr(form, "cleaned_data"):
                names.append(form.cleaned_data.get("name"))
        for form, name in zip(self.forms, names, strict=False):
            if name and names.count(name) > 1:
                said = gettext("{name} is declared twice.").format(name=name)
                form.add_error("name", said)

    def declarations(self) -> list[dict[str, Any]]:
        """Give `Version.variables`: rows without a name are gone,
        empty defaults and examples are left out.
        """
        declared = []
        for form in self.forms:
            row = form.cleaned_data
            if not row.get("name"):
                continue
            kind = row["type"] or "string"
            variable = {"name": row["name"], "type": kind, "required": row["required"]}
            for key in ("default", "example"):
                if row[key] is not None:
                    variable[key] = row[key]
            if row["description"]:
                variable["description"] = row["description"]
            declared.append(variable)
        return declared


VariableFormSet = formset_factory(VariableForm, formset=VariableRows, extra=1, max_num=100)


# Types of variables but strings: what JSON must give, and what to write instead.
WANTED: dict[str, tuple[type | tuple[type, ...], Promise]] = {
    "number": ((int, float), _("Write a number, for example 12.5.")),
    "boolean": (bool, _("Write true or false.")),
    "list": (list, _('Write a JSON list, for example ["red", "blue"].')),
    "object": (dict, _('Write a JSON object, for example {"city": "Riga"}.')),
}


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
    kinds, sentence = WANTED[kind]
    fits = isinstance(value, kinds)
    if kind == "number" and isinstance(value, bool):  # to Python a bool is an int
        fits = False
    if not fits:
        raise ValueError(str(sentence))
    return value


def shown(value: Any) -> str:
    """The reverse of `typed`."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _initial(version: Version) -> dict[str, Any]:
    """What DraftForm shows before anything is typed."""
    layout = None
    if version.layout:
        layout = version.layout.key
    return {
        "default_language": version.default_language,
        "layout": layout,
        "note": version.note,
        "seen": version.updated_at.isoformat(),
    }


def _row_of(variable: dict[str, Any]) -> dict[str, Any]:
    """A declared variable as a row of the form shows it."""
    default = shown(variable.get("default"))
    example = shown(variable.get("example"))
    return {**variable, "default": default, "example": example}


class Editor:
    """All forms of one page, filled from a version and, after a POST, from what was typed."""

    def __init__(self, version: Version, data: Any = None) -> None:
        words = {row.language: row.parts for row in version.translations.all()}
        default = version.default_language
        if not words:
            words = {default: {}}
        languages = sorted(words, key=lambda tag: (tag != default, tag))
        self.draft = DraftForm(data, languages=languages, initial=_initial(version))
        self.translations = []
        behind = left_behind(version)
        for tag in languages:
            form = TranslationForm(data, language=tag, parts=words[tag], left_behind=tag in behind)
            self.translations.append(form)
        declared = [_row_of(variable) for variable in version.variables]
        variables = VariableFormSet(data, prefix="v", initial=declared)
        self.variables = cast(VariableRows, variables)

    def is_valid(self) -> bool:
        # each is asked, so that all say what is wrong at once
        valid = [form.is_valid() for form in self.translations]
        valid += [self.draft.is_valid(), self.variables.is_valid()]
        if not all(valid):
            return False
        default = self.draft.cleaned_data["default_language"]
        kept = {form.language for form in self.translations if not form.cleaned_data["remove"]}
        if default not in kept:
            said = gettext("This language is being removed. Choose another default first.")
            self.draft.add_error("default_language", said)
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
        typed_draft = self.draft.cleaned_data
        if added := typed_draft["add_language"]:
            words[added] = words[typed_draft["default_language"]]
        return words

    def kept(self) -> list[str]:
        """List the languages that are sent as they came from the template."""
        return [form.language for form in self.translations if form.cleaned_data["keep"]]

    def show_problems(self, problems: Iterable[TemplateProblem]) -> list[TemplateProblem]:
        """Put each lint problem at its field;
        the ones that belong to no field of this page are returned.
        """
        return [problem for problem in problems if not self._place(problem)]

    def _place(self, problem: TemplateProblem) -> bool:
        language, _, rest = problem.where.partition(".")
        name = ""
        if rest.count(".") == 1:
            channel, part = rest.split(".")
            name = field_of(channel, part)
        for form in self.translations:
            if form.language == language and name in form.fields:
                here = form.problems.setdefault(name, [])
                here.append(problem)
                return True
        return False

"""A form's own words in the reader's language, and the colour of its button."""

from dataclasses import dataclass

from django.conf import settings
from django.utils import translation

from apps.content.render import pick_language
from apps.followers.consent.matrix import words_of
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import CustomField, NotificationType, SignUpForm
from apps.followers.sign_up.questions import read


@dataclass(frozen=True, slots=True)
class Line:
    """One question as the page shows it."""

    key: str
    label: str
    required: bool
    custom: CustomField | None = None  # that is asked for


@dataclass(frozen=True, slots=True)
class Choice:
    """One message type that somebody may choose."""

    key: str
    name: str
    description: str


def texts_of(form: SignUpForm, language: str) -> dict[str, str]:
    """Take each text in the language (in pt-BR, then in pt), else in the site's."""
    own = form.texts[pick_language(form.texts, language, settings.LANGUAGE_CODE)]
    fallback = form.texts[settings.LANGUAGE_CODE]
    return {name: own.get(name) or text for name, text in fallback.items()}


def lines_of(form: SignUpForm) -> list[Line]:
    language = translation.get_language()
    fallback = settings.LANGUAGE_CODE
    fields = KnownFields()
    lines = []
    for each in read(form.questions):
        custom = fields.by_key.get(each.key)
        label = each.label(language, fallback, custom)
        lines.append(Line(each.key, label, each.required, custom))
    return lines


def choices_of(form: SignUpForm) -> list[Choice]:
    """The types to choose from; none where there is nothing to choose."""
    kinds: list[NotificationType] = list(form.types.order_by("position", "name"))
    if len(kinds) < 2:
        return []
    language = translation.get_language()
    return [Choice(kind.key, *words_of(kind, language)) for kind in kinds]


def ink_on(colour: str) -> str:
    """Black or white, whichever is easier to read on the colour (WCAG 2.2, relative luminance)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (_linear(part) for part in parts)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05):
        return "#000000"
    return "#ffffff"


def _linear(part: float) -> float:
    if part <= 0.04045:
        return part / 12.92
    return float(((part + 0.055) / 1.055) ** 2.4)

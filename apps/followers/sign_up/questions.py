"""What a form asks besides the email address, and whether an answer fits."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers import profile_fields
from apps.followers.fields.fitting import KnownFields, value_for
from apps.followers.models import CustomField
from apps.followers.people.profile import Profile
from apps.followers.profile_fields import BadFollower
from apps.lib.partial import UNSET
from apps.lib.refusals import Refused

MOST = 12
LONGEST = 500  # characters of an answer
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Questions that are about a field of the follower; all others are kept as metadata.
FIELDS = {
    "name": _("Your name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
}
# Names of what the page itself sends.
_TAKEN = frozenset({"email", "language", "types", "website", "puzzle", "solution", "step"})


class BadQuestion(Refused):
    """A question that no form can ask."""

    field = "questions"


class BadAnswer(Refused):
    """An answer that can't be kept; `field` is the question."""


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a form. `labels` are by language; a field of the follower, custom or not, needs
    none.
    """

    key: str
    required: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    def label(self, language: str, fallback: str, custom: CustomField | None = None) -> str:
        """Say the question in the language, else in the other one, else as the field is called."""
        said = self.labels.get(language) or self.labels.get(fallback)
        if said:
            return said
        if custom:
            return custom.label(language)
        if self.key in FIELDS:
            return str(FIELDS[self.key])
        return self.key.replace("_", " ").capitalize()

    def as_json(self) -> dict[str, Any]:
        return {"key": self.key, "required": self.required, "labels": dict(self.labels)}


def read(stored: Sequence[Mapping[str, Any]]) -> list[Question]:
    """Make the questions of a form from what is stored."""
    return [Question(each["key"], each["required"], each.get("labels", {})) for each in stored]


def check(questions: Sequence[Question], custom: Collection[str] = ()) -> None:
    """Raise BadQuestion for a key that can't be one, or is there twice, and for too many.

    `custom` are the keys of custom fields.
    """
    if len(questions) > MOST:
        raise BadQuestion(gettext("A form asks at most {count} things.").format(count=MOST))
    seen = set()
    for each in questions:
        is_name = each.key in custom or _KEY.fullmatch(each.key)
        if not is_name or each.key in _TAKEN:
            said = gettext(
                "{key!r} can't name a question. Use small letters, digits and _, for example city."
            )
            raise BadQuestion(said.format(key=each.key))
        if each.key in seen:
            said = gettext("The question {key!r} is there twice. Take one of them away.")
            raise BadQuestion(said.format(key=each.key))
        seen.add(each.key)


def answered(
    questions: Sequence[Question], given: Mapping[str, Any], fields: KnownFields
) -> dict[str, Any]:
    """Take the answers of these questions, tidied, without empty ones: text, or what a custom field
    keeps. Raises BadAnswer.
    """
    answers = {}
    for each in questions:
        custom = fields.by_key.get(each.key)
        if custom:
            answer = _fitting_custom(custom, given.get(each.key))
        else:
            answer = _text(each.key, str(given.get(each.key) or ""))
        if each.required and answer in (None, ""):
            raise BadAnswer(gettext("Please fill this in."), field=each.key)
        if answer not in (None, ""):
            answers[each.key] = answer
    return answers


def _text(key: str, given: str) -> str:
    text = " ".join(given.split())
    if len(text) > LONGEST:
        said = gettext("Please write at most {count} characters.")
        raise BadAnswer(said.format(count=LONGEST), field=key)
    if text:
        return _fitting(key, text)
    return ""


def _fitting_custom(custom: CustomField, given: Any) -> Any:
    try:
        return value_for(custom, given)
    except BadFollower as error:
        raise BadAnswer(error.sentence, field=custom.key) from error


def _fitting(key: str, text: str) -> str:
    try:
        if key in FIELDS:
            return str(getattr(profile_fields, key)(text))
        profile_fields.metadata({key: text})
    except BadFollower as error:
        raise BadAnswer(error.sentence, field=key) from error
    return text


def profile_of(answers: Mapping[str, Any]) -> Profile:
    """Make what the answers say about a follower; what was not answered changes nothing."""
    named: dict[str, Any] = {key: text for key, text in answers.items() if key in FIELDS}
    others = {key: text for key, text in answers.items() if key not in FIELDS}
    return Profile(**named, metadata_changes=others or UNSET)

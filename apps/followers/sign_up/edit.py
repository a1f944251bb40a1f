"""Sign-up forms: make and change one. Each change of its words is a wording of its own."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.followers import profile_fields
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import (
    Channel,
    ConsentWording,
    NotificationType,
    SignUpForm,
)
from apps.followers.sign_up import questions
from apps.followers.sign_up.questions import Question
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import changes
from apps.lib.refusals import UNFIT, RefusalKind, Refused

TEXTS = ("title", "intro", "consent", "button", "thanks")
LONGEST_TEXT = 2000  # characters
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_web_address = URLValidator(schemes=["https", "http"])


class BadForm(Refused):
    """Values that no form can have; `field` is the one to change."""


class FormKeyTaken(BadForm):
    """Another form has this key."""

    kind = RefusalKind.STATE
    field = "key"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormValues:
    """All that staff decide about a form.

    `texts` by language: {"en": {"title": ..., "consent": ...}}; the site's language must have a
    title and the sentence of consent. `types` are message types that are offered by email.
    """

    name: str
    texts: Mapping[str, Mapping[str, str]]
    types: Sequence[NotificationType]
    questions: Sequence[Question] = ()
    tags: Sequence[str] = ()
    colour: str = ""
    thanks_url: str = ""
    approval: bool = False
    welcome: NotificationType | None = None
    active: bool = True


@dataclass(slots=True)
class _Written:
    """The values as they are stored."""

    columns: dict[str, Any] = field(default_factory=dict)
    types: list[NotificationType] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """What the history shows."""
        said = dict(self.columns)
        welcome = said.pop("welcome")
        said["welcome"] = ""
        if welcome:
            said["welcome"] = welcome.key
        said["types"] = sorted(each.key for each in self.types)
        return said


def create_form(*, key: str, values: FormValues, by: Actor, now: dt.datetime) -> SignUpForm:
    """Make a form, with its first wording. Raises BadForm, BadQuestion, FormKeyTaken."""
    written = _checked(values)
    try:
        with transaction.atomic():
            form = SignUpForm.objects.create(
                key=key, created_at=now, updated_at=now, **written.columns
            )
            form.types.set(written.types)
            _word(form, written.types, now)
            data = {"before": {}, "after": written.told()}
            tell(Kind.SIGN_UP_FORM_CHANGED, by=by, now=now, about=form, data=data)
    except IntegrityError:
        if SignUpForm.objects.filter(key=key).exists():
            said = gettext("There is a form {key!r} already. Choose another key.")
            raise FormKeyTaken(said.format(key=key)) from None
        raise
    return form


def change_form(*, form: SignUpForm, values: FormValues, by: Actor, now: dt.datetime) -> SignUpForm:
    """Change a form; other words make a new wording. Raises BadForm, BadQuestion."""
    written = _checked(values)
    with transaction.atomic():
        form = SignUpForm.objects.select_for_update(of=("self",)).get(pk=form.pk)
        before = _Written(
            {name: getattr(form, name) for name in written.columns}, list(form.types.all())
        )
        said = changes(before.told(), written.told())
        if not said:
            return form
        for name, value in written.columns.items():
            setattr(form, name, value)
        form.updated_at = now
        form.save()
        form.types.set(written.types)
        if before.columns["texts"] != form.texts or {*before.types} != {*written.types}:
            _word(form, written.types, now)
        tell(Kind.SIGN_UP_FORM_CHANGED, by=by, now=now, about=form, data=said)
    return form


def wording_of(form: SignUpForm) -> ConsentWording:
    """The wording that the form shows now."""
    return form.wordings.order_by("-number")[0]


def _word(form: SignUpForm, types: Iterable[NotificationType], now: dt.datetime) -> None:
    latest = form.wordings.order_by("-number").first()
    number = 1
    if latest:
        number = latest.number + 1
    ConsentWording.objects.create(
        form=form,
        number=number,
        texts=form.texts,
        types={each.key: each.name for each in types},
        created_at=now,
    )


def _checked(values: FormValues) -> _Written:
    name = values.name.strip()
    if not name:
        raise BadForm(gettext("Give the form a name."), field="name")
    colour = values.colour.strip().lower()
    if colour and not _COLOUR.fullmatch(colour):
        raise BadForm(gettext("Write the colour as #1a2b3c."), field="colour")
    thanks_url = values.thanks_url.strip()
    if thanks_url:
        try:
            _web_address(thanks_url)
        except ValidationError as error:
            said = gettext("Write the whole address of the page, with https://.")
            raise BadForm(said, field="thanks_url") from error
    _check_types(values.types)
    questions.check(values.questions, KnownFields().by_key)
    columns = {
        "name": name,
        "texts": _texts(values.texts),
        "questions": [each.as_json() for each in values.questions],
        "tags": profile_fields.tag_names(values.tags),
        "colour": colour,
        "thanks_url": thanks_url,
        "approval": values.approval,
        "welcome": values.welcome,
        "active": values.active,
    }
    return _Written(columns, sorted(values.types, key=lambda each: each.key))


def _check_types(types: Sequence[NotificationType]) -> None:
    if not types:
        said = gettext("Choose at least one message type: what do people sign up for?")
        raise BadForm(said, field="types")
    for each in types:
        if Channel.EMAIL not in each.channels:
            said = gettext("{name} is not offered by email. Offer it there, or leave it out.")
            raise BadForm(said.format(name=each.name), field="types", cause=UNFIT)


def _texts(given: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    texts = {}
    for language, words in given.items():
        tidy = {name: words.get(name, "").strip() for name in TEXTS}
        if any(len(text) > LONGEST_TEXT for text in tidy.values()):
            said = gettext("Each text may have {count} characters.")
            raise BadForm(said.format(count=LONGEST_TEXT), field="texts")
        if any(tidy.values()):
            texts[language] = tidy
    own = texts.get(settings.LANGUAGE_CODE, {})
    if not own.get("title") or not own.get("consent"):
        said = gettext("Write a title and the sentence that people agree to.")
        raise BadForm(said, field="texts")
    return texts

"""Custom fields: define, change and delete them. The only writer of definitions.

Values that followers have are not touched: what does not fit stays, and is judged when somebody
changes it.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.followers import profile_fields
from apps.followers.fields.index import announce_index
from apps.followers.models import CustomField, FieldKind
from apps.followers.models.fields import OF_A_LIST
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, changes, given
from apps.lib.refusals import TOO_MUCH, UNFIT, RefusalKind, Refused, not_one_of

MOST_FIELDS = 100
MOST_OPTIONS = 200
LONGEST_LABEL = 100  # characters of a label, and of a value of a list
# As rules of segments take them (campaigns/audience/language.py), and as an import cuts a heading.
KEY = r"^[^\W\d][\w .:-]{0,58}[\w.:-]$|^[^\W\d]$"
# Columns of the follower, which have a meaning of their own.
TAKEN = frozenset(
    (
        *("id", "uid", "name", "first_name", "last_name", "external_id", "email", "phone"),
        *("language", "time_zone", "tags", "subscribed", "tracking", "metadata", "addresses"),
    )
)


class BadField(Refused):
    """A field that can't be; `field` is what to change."""


class FieldKeyTaken(BadField):
    """Another field has this key, perhaps in other case."""

    kind = RefusalKind.STATE
    field = "key"


@dataclass(frozen=True, slots=True)
class FieldValues:
    """What people decide about a field, named as the columns of CustomField."""

    kind: str | Unset = UNSET
    labels: Mapping[str, str] | Unset = UNSET
    options: Sequence[Mapping[str, Any]] | Unset = UNSET
    searchable: bool | Unset = UNSET
    public: bool | Unset = UNSET
    position: int | Unset = UNSET


def create_field(*, key: str, values: FieldValues, by: Actor, now: dt.datetime) -> CustomField:
    """Define a field. Raises BadField, FieldKeyTaken."""
    field = CustomField(key=_checked_key(key), created_at=now, updated_at=now)
    if CustomField.objects.count() >= MOST_FIELDS:
        said = gettext("A site has at most {most} custom fields. Delete one first.")
        raise BadField(said.format(most=MOST_FIELDS), field="key", cause=TOO_MUCH)
    _set(field, values)
    try:
        with transaction.atomic():
            field.save(force_insert=True)
            data = {"before": {}, "after": {"key": field.key, **_described(field)}}
            tell(Kind.CUSTOM_FIELD_CHANGED, by=by, now=now, about=field, data=data)
            if field.searchable:
                announce_index()
    except IntegrityError:
        said = gettext("There is a custom field “{key}” already. Choose another key.")
        raise FieldKeyTaken(said.format(key=field.key)) from None
    return field


def change_field(
    *, field: CustomField, values: FieldValues, by: Actor, now: dt.datetime
) -> CustomField:
    """Change a field, and give it as it is now. Raises BadField."""
    with transaction.atomic():
        row = CustomField.objects.select_for_update(no_key=True).get(pk=field.pk)
        before = _described(row)
        _set(row, values)
        if data := changes(before, _described(row)):
            row.updated_at = now
            row.save()
            tell(Kind.CUSTOM_FIELD_CHANGED, by=by, now=now, about=row, data=data)
            if before["searchable"] != row.searchable:
                announce_index()
    return row


def delete_field(*, field: CustomField, by: Actor, now: dt.datetime) -> None:
    """Delete the definition; the values stay with the followers, as metadata without a meaning."""
    with transaction.atomic():
        data = {"before": _described(field)}
        tell(Kind.CUSTOM_FIELD_DELETED, by=by, now=now, about=field, data=data)
        CustomField.objects.filter(pk=field.pk).delete()
        announce_index()


def _described(field: CustomField) -> dict[str, Any]:
    return {each.name: getattr(field, each.name) for each in fields(FieldValues)}


def _checked_key(key: str) -> str:
    key = key.strip()
    if not re.fullmatch(KEY, key):
        said = gettext(
            "{key!r} can't be a key. Begin with a letter; letters, digits, spaces and . : - _ may "
            "follow, 60 characters in all."
        )
        raise BadField(said.format(key=key[:60]), field="key")
    if key.casefold() in TAKEN:
        said = gettext("Every follower has “{key}” already. Choose another key.")
        raise BadField(said.format(key=key), field="key", cause=UNFIT)
    return key


def _set(field: CustomField, values: FieldValues) -> None:
    """Put what is said on the row, checked together with what is there. Raises BadField."""
    for name, value in given(values).items():
        setattr(field, name, value)
    if field.kind not in FieldKind.values:
        raise BadField(not_one_of(repr(field.kind), FieldKind.values), field="kind")
    field.labels = _labels(field.labels, "labels")
    if not field.labels.get(settings.LANGUAGE_CODE):
        said = gettext("Give a label in the site's language, {language}.")
        words = said.format(language=settings.LANGUAGE_CODE)
        raise BadField(words, field="labels", cause=UNFIT)
    if field.kind not in OF_A_LIST:
        field.options = []
        return
    field.options = _options(field.options)


def _options(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = []
    seen: set[str] = set()
    if len(given) > MOST_OPTIONS:
        said = gettext("A list has at most {most} values.").format(most=MOST_OPTIONS)
        raise BadField(said, field="options", cause=TOO_MUCH)
    for each in given:
        value = str(each.get("value", "")).strip()
        if not value or len(value) > LONGEST_LABEL or not value.isprintable():
            said = gettext("Each value of the list has 1 to {most} characters.")
            words = said.format(most=LONGEST_LABEL)
            raise BadField(words, field="options", cause=UNFIT)
        if value.casefold() in seen:
            said = gettext("The list has “{value}” twice. Take one of them away.")
            raise BadField(said.format(value=value), field="options", cause=UNFIT)
        seen.add(value.casefold())
        options.append({"value": value, "labels": _labels(each.get("labels", {}), "options")})
    if not options:
        said = gettext("Write the values of the list, at least one.")
        raise BadField(said, field="options", cause=UNFIT)
    return options


def _labels(given: Mapping[str, str], about: str) -> dict[str, str]:
    labels = {}
    for language, text in given.items():
        try:
            tag = profile_fields.language(language)
        except profile_fields.BadFollower as error:
            raise BadField(error.sentence, field=about, cause=UNFIT) from error
        tidy = " ".join(str(text).split())
        if len(tidy) > LONGEST_LABEL:
            said = gettext("A label has at most {most} characters.")
            raise BadField(said.format(most=LONGEST_LABEL), field=about)
        if tag and tidy:
            labels[tag] = tidy
    return labels

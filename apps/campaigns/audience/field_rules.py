"""What may be asked about a custom field: comparisons that fit its kind, values it may have."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import get_language, gettext

from apps.campaigns.audience.language import OPERATORS, BadRules, Group, Rule, leaves
from apps.followers.fields.fitting import value_for
from apps.followers.models import CustomField, FieldKind
from apps.followers.profile_fields import BadFollower
from apps.lib.refusals import UNFIT

_KNOWN = ("exists", "not_exists")
_SAME = ("is", "is_not", "in", "not_in")
OPERATORS_OF: dict[str, Sequence[str]] = {
    FieldKind.TEXT: (*_SAME, "contains", "not_contains", "starts_with", *_KNOWN),
    FieldKind.NUMBER: (*_SAME, "gt", "lt", *_KNOWN),
    FieldKind.BOOLEAN: ("is", "is_not", *_KNOWN),
    FieldKind.DATE: ("is", "is_not", "before", "after", "within_days", *_KNOWN),
    FieldKind.CHOICE: (*_SAME, *_KNOWN),
    FieldKind.CHOICES: ("contains", "not_contains", *_KNOWN),
}
# Comparisons with a whole value; a piece of a text and a number of days are none.
_WHOLE = {*_SAME, "before", "after", "gt", "lt"}


def check_fields(group: Group) -> None:
    """Refuse what a custom field can't be asked, or what nobody can have there.

    Asked when rules are written, not when they are used: a field that is defined later stops no
    campaign. Raises BadRules.
    """
    asked = {rule.key for rule in leaves(group) if rule.field == "metadata"}
    fields = {field.key: field for field in CustomField.objects.filter(key__in=asked)}
    for rule in leaves(group):
        if rule.field == "metadata" and rule.key in fields:
            _check(rule, fields[rule.key])


def _check(rule: Rule, field: CustomField) -> None:
    label = field.label(get_language() or "")
    if rule.op not in OPERATORS_OF[field.kind]:
        said = gettext("{field} ({kind}) can't be compared by “{comparison}”. Use one of: {known}.")
        known = ", ".join(str(OPERATORS[op]) for op in OPERATORS_OF[field.kind])
        words = {"kind": field.get_kind_display(), "comparison": OPERATORS[rule.op]}
        raise BadRules(said.format(field=label, known=known, **words), cause=UNFIT)
    values = rule.value
    if not isinstance(values, list):
        values = [values]
    is_element = field.kind == FieldKind.CHOICES and "contains" in rule.op
    if rule.op in _WHOLE or is_element:
        for value in values:
            _check_value(value, field)


def _check_value(value: Any, field: CustomField) -> None:
    try:
        kept = value_for(field, value)
    except BadFollower as error:
        raise BadRules(error.sentence, cause=UNFIT) from error
    if field.kind == FieldKind.CHOICES:
        kept = _only(kept, field)
    if not _means(value, kept):
        said = gettext("{field} is kept as “{kept}”. Write that instead of “{value}”.")
        words = {"field": field.label(get_language() or ""), "kept": kept, "value": value}
        raise BadRules(said.format(**words), cause=UNFIT)


def _only(kept: Sequence[str] | None, field: CustomField) -> str:
    """Give the one value that a text such as "pro, free" must come to."""
    if kept is None or len(kept) != 1:
        said = gettext("{field}: compare with one value at a time.")
        raise BadRules(said.format(field=field.label(get_language() or "")), cause=UNFIT)
    return kept[0]


def _means(value: Any, kept: Any) -> bool:
    """Whether a rule with this value finds what is kept."""
    if isinstance(kept, bool):
        return str(value).casefold() == str(kept).casefold()
    if isinstance(kept, int | float):
        try:
            return float(value) == kept
        except ValueError:
            return False
    return str(value).casefold() == str(kept).casefold()

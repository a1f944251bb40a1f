"""What must be true of an event: conditions on its data and its follower.

They are judged without a database and told in words.

`{"all": [...]}` or `{"any": [...]}` of `{"field": "data.total", "op": "greater", "value": 100}`;
nothing at all is always true. A field is a path into the event as `document` shows it. Every
condition is true or false: what is not there is not equal to, not greater than and does not contain
anything. Letter case does not count.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import pgettext_lazy

from apps.campaigns.audience.language import as_number
from apps.campaigns.audience.words import quoted
from apps.followers.models import Follower
from apps.lib.refusals import UNFIT, Refused

MOST = 30
MAX_TEXT = 200
MAX_QUOTED = 60
ROOTS = ("data", "follower", "event")
OPS = {
    "is": pgettext_lazy("comparison", "is"),
    "is_not": pgettext_lazy("comparison", "is not"),
    "greater": pgettext_lazy("comparison", "is more than"),
    "less": pgettext_lazy("comparison", "is less than"),
    "contains": pgettext_lazy("comparison", "contains"),
    "exists": pgettext_lazy("comparison", "is there"),
    "not_exists": pgettext_lazy("comparison", "is not there"),
}
MISSING: Any = object()


class BadConditions(Refused):
    """Conditions that can't be judged; the text names one and says what to write instead."""

    field = "conditions"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of what stands at the path `field`."""

    field: str
    op: str
    value: Any = None

    def __str__(self) -> str:
        said = f"{self.field} {OPS[self.op]}"
        if self.value is None:
            return said
        return f"{said} {quoted(self.value, longest=MAX_QUOTED)}"


@dataclass(frozen=True, slots=True)
class Conditions:
    """All (or any) of `parts`; without parts it is always true."""

    every: bool
    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        if not self.parts:
            return _("always")
        joint = _("or")
        if self.every:
            joint = _("and")
        return f" {joint} ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether conditions are met; `because` says what decided, without a full stop."""

    matches: bool
    because: str


# ------------------------------------------------------------------ reading
def parse(data: Any) -> Conditions:
    """Raises BadConditions."""
    if not isinstance(data, dict) or not set(data) <= {"all", "any"} or len(data) > 1:
        raise BadConditions(_('Conditions are {"all": [...]} or {"any": [...]}.'))
    rows = data.get("all", data.get("any", []))
    if not isinstance(rows, list) or len(rows) > MOST:
        raise BadConditions(_("Conditions are a list of at most {most}.").format(most=MOST))
    parts = [_condition(row, number) for number, row in enumerate(rows, start=1)]
    return Conditions(every="any" not in data, parts=tuple(parts))


def _condition(row: Any, number: int) -> Condition:
    here = _("Condition {number}").format(number=number)
    if not isinstance(row, dict) or not set(row) <= {"field", "op", "value"}:
        said = _('{condition} must be {{"field": ..., "op": ..., "value": ...}}.')
        raise BadConditions(said.format(condition=here))
    op = row.get("op")
    if not isinstance(op, str) or op not in OPS:
        said = _("{condition} can't be compared by {op!r}. Use one of: {known}.")
        raise BadConditions(said.format(condition=here, op=op, known=", ".join(OPS)))
    value = row.get("value")
    if op in ("exists", "not_exists"):
        value = None
    elif op in ("greater", "less"):
        value = as_number(value)
        if value is None:
            said = _("{condition} ({comparison}) needs a number.")
            said = said.format(condition=here, comparison=OPS[op])
            raise BadConditions(said, cause=UNFIT)
    elif not _is_comparable(value):
        said = _(
            "{condition} ({comparison}) needs a text of at most {most} characters, a number, "
            "or true or false."
        )
        said = said.format(condition=here, comparison=OPS[op], most=MAX_TEXT)
        raise BadConditions(said, cause=UNFIT)
    return Condition(path(row.get("field"), here), op, value)


def _is_comparable(value: Any) -> bool:
    if not isinstance(value, str | int | float | bool):
        return False
    return value != "" and len(str(value)) <= MAX_TEXT


def path(text: Any, here: str) -> str:
    """Check a path into `document`. Raises BadConditions."""
    parts = []
    if isinstance(text, str):
        parts = text.split(".")
    is_path = len(parts) >= 2 and parts[0] in ROOTS and all(parts)
    if not is_path or len(text) > MAX_TEXT:
        said = _(
            "{condition}: {text!r} is not a field. Write data.total, follower.language or "
            "event.name."
        )
        raise BadConditions(said.format(condition=here, text=text))
    return ".".join(parts)


# ------------------------------------------------------------------ judging
def document(
    *, name: str, occurred_at: dt.datetime, data: dict[str, Any], follower: Follower | None
) -> dict[str, Any]:
    """Show an event as paths see it: {"event", "data", "follower"}.

    Without a follower that part is empty.
    """
    person = {}
    if follower is not None:
        person = _seen(follower)
    return {
        "event": {"name": name, "occurred_at": occurred_at.isoformat()},
        "data": data,
        "follower": person,
    }


def _seen(follower: Follower) -> dict[str, Any]:
    return {
        "id": str(follower.uid),
        "name": follower.name,
        "first_name": follower.first_name,
        "last_name": follower.last_name,
        "email": follower.email,
        "phone": follower.phone,
        "external_id": follower.external_id,
        "language": follower.language,
        "time_zone": follower.time_zone,
        "subscribed": follower.subscribed,
        "tags": [tag.slug for tag in follower.tags.all()],
        "metadata": follower.metadata,
    }


def value_at(document: Any, path: str) -> Any:
    """Find what stands at `data.items.0.price`; MISSING where nothing is, or null."""
    found = document
    for step in path.split("."):
        if isinstance(found, dict):
            found = found.get(step, MISSING)
        elif isinstance(found, list) and _is_index(step, found):
            found = found[int(step)]
        else:
            return MISSING
    if found is None:
        return MISSING
    return found


def _is_index(step: str, items: list[Any]) -> bool:
    return step.isdecimal() and len(step) < 6 and int(step) < len(items)


def judge(conditions: Conditions, document: dict[str, Any]) -> Judgement:
    """Tell whether conditions are true of a document.

    What decided is the first false one of all, or the first true one of any.
    """
    if not conditions.parts:
        return Judgement(True, _("it always applies"))
    for condition in conditions.parts:
        if holds(condition, document) != conditions.every:
            if conditions.every:
                return Judgement(False, _denied(condition, document))
            return Judgement(True, str(condition))
    if conditions.every:
        return Judgement(True, str(conditions))
    return Judgement(False, _("none of these: {conditions}").format(conditions=conditions))


def _denied(condition: Condition, document: dict[str, Any]) -> str:
    found = value_at(document, condition.field)
    if found is MISSING:
        said = _("{field} is not there, and this asks: {condition}")
        return said.format(field=condition.field, condition=condition)
    said = _("{field} is {value}, and this asks: {condition}")
    value = quoted(found, longest=MAX_QUOTED)
    return said.format(field=condition.field, value=value, condition=condition)


def holds(condition: Condition, document: dict[str, Any]) -> bool:
    found = value_at(document, condition.field)
    value = condition.value
    match condition.op:
        case "exists":
            return found is not MISSING
        case "not_exists":
            return found is MISSING
        case "is":
            return _same(found, value)
        case "is_not":
            return not _same(found, value)
        case "contains":
            if isinstance(found, list):
                return any(_same(each, value) for each in found)
            return isinstance(found, str) and _text(value) in found.casefold()
    number = None
    if isinstance(found, int | float):
        number = as_number(found)
    if number is None:
        return False
    if condition.op == "greater":
        return bool(number > value)
    return bool(number < value)


def _same(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or isinstance(value, bool):
        return _text(found) == _text(value)
    if isinstance(found, int | float):
        return as_number(value) == found
    return isinstance(found, str) and found.casefold() == _text(value)


def _text(value: Any) -> str:
    return str(value).casefold()

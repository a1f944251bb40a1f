"""What the audit log tells of a subject: each entry as a sentence, with before and after put side
by side.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from apps.accounts.fact_words import field_of, name_of, sentence_of, value_of
from apps.accounts.models import AuditEntry

Explain = Callable[[str, str], str]  # a value's name and its text, as words
EXPLAINED = ("reason", "why", "said", "error")


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of what a fact carries; `before` is None where only a plain value is known."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Told:
    """An entry with what it means."""

    entry: AuditEntry
    sentence: str
    lines: list[Difference]

    @property
    def who(self) -> str:
        """Name who acted; "" where nobody knows."""
        return name_of(self.entry.actor_label)

    @property
    def what(self) -> str:
        """Name what it was done to."""
        return name_of(self.entry.subject_label) or self.entry.subject_id


def tell(entries: Iterable[AuditEntry], *, explain: Explain) -> list[Told]:
    """The entries in words, in their order.

    `explain` says what a reason means, a code or a stored sentence; the apps that give them know.
    """
    told = []
    for entry in entries:
        lines = differences(entry.data, explain=explain)
        told.append(Told(entry, sentence_of(entry.kind), lines))
    return told


def history_of(subject_type: str, uid: UUID, *, most: int, explain: Explain) -> list[Told]:
    """What happened to one subject, newest first."""
    entries = AuditEntry.objects.filter(subject_type=subject_type, subject_id=str(uid))
    return tell(entries[:most], explain=explain)


def differences(data: dict[str, Any], *, explain: Explain) -> list[Difference]:
    """A fact's data, line by line: {"before": {…}, "after": {…}} by key, all else plain.

    Nothing before at all means that it was made just then: there is no change to show.
    """
    rest = dict(data)
    before = rest.pop("before", {})
    after = rest.pop("after", {})
    if isinstance(before, dict) and isinstance(after, dict):
        lines = _changes(before, after)
    else:
        lines = [Difference(_("Value"), readable(before), readable(after))]
    for name, value in rest.items():
        if isinstance(value, dict) and set(value) == {"before", "after"}:
            lines += _changes({name: value["before"]}, {name: value["after"]})
        elif name in EXPLAINED and isinstance(value, str) and value:
            lines.append(Difference(field_of(name), None, explain(name, value)))
        else:
            lines.append(Difference(field_of(name), None, readable(value_of(name, value))))
    return lines


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[Difference]:
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old = before.get(name)
        new = after.get(name)
        if old == new:
            continue
        was = None
        if before:
            was = readable(value_of(name, old))
        now = readable(value_of(name, new))
        lines.append(Difference(field_of(name), was, now))
    return lines


def readable(value: Any) -> str:
    """A stored value as a person reads it."""
    if value in (None, "", [], {}):
        return _("nothing")
    match value:
        case bool():
            if value:
                return _("yes")
            return _("no")
        case str():
            return value
        case list() if all(isinstance(each, str | int | float) for each in value):
            return ", ".join(str(each) for each in value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return str(value)

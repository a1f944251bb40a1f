"""What was decided about a row, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.utils.translation import gettext

from apps.followers.imports.options import Options
from apps.followers.imports.person import CellProblem, ImportedPerson


class Action(StrEnum):
    """What an import does with a row."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SUPPRESS = "suppress"
    REFUSED = "refused"


@dataclass(slots=True, eq=False)
class KnownFollower:
    """What an import compares of a follower; one per follower in a slice."""

    pk: int
    values: dict[str, Any]  # name and its parts, external_id, language, time_zone
    subscribed: bool
    subscribed_at: Any  # None, too, where no row says when somebody signed up
    metadata: dict[str, Any]
    # what only a few need
    uid: UUID | None = None
    # {"email": (value, key), "phone": …}: the primary ones
    primary: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What people know this follower by, as `Follower.label`."""
        email = self.primary_value("email")
        phone = self.primary_value("phone")
        found = (self.values["name"], email, phone, self.values["external_id"])
        return next(filter(None, found), str(self.uid))

    def primary_value(self, name: str) -> str:
        """Give the primary "email" or "phone", "" without one."""
        value, _ = self.primary.get(name, ("", ""))
        return value


@dataclass(slots=True)
class RowDecision:
    """What happens to one row.

    `changes` are {field: (before, after)}; `note` says why, or what stays as it is; `why` is what
    a refusal is for. The person of a refused row is known when its opt-out is obeyed; it is
    obeyed for `also_out` too, who have a further address of the row.
    """

    line: int
    action: Action
    cells: list[str]
    note: str = ""
    person: ImportedPerson | None = None
    follower: KnownFollower | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    why: CellProblem | None = None
    also_out: tuple[KnownFollower, ...] = ()

    @property
    def problems(self) -> list[CellProblem]:
        """Give what the file's owner may want to correct: cells left out, or why it was refused."""
        if self.why:
            return [self.why._replace(message=self.note)]
        if self.person:
            return list(self.person.problems)
        return []

    @property
    def message(self) -> str:
        """Say the problems in one line for the file of problems."""
        return " ".join(problem.message for problem in self.problems)

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """Give `changes` for reading: (field, before, after) as text, one per metadata key."""
        lines: list[tuple[str, str, str]] = []
        for name, (before, after) in self.changes.items():
            if name != "metadata":
                lines.append((name, _text(before), _text(after)))
                continue
            old = before or {}
            for key, value in after.items():
                lines.append((f"metadata.{key}", _text(old.get(key)), _text(value)))
        return lines


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        if value:
            return "yes"
        return "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)


@dataclass(slots=True)
class Memory:
    """Whom earlier rows of the same file spoke about: a later one is refused,
    so that a second run changes nothing.

    `freed` are keys that a row took from their follower, who has another one instead, by its line.
    """

    lines_by_key: dict[tuple[str, str], int] = field(default_factory=dict)
    lines_by_follower: dict[int, int] = field(default_factory=dict)
    freed: dict[tuple[str, str], int] = field(default_factory=dict)

    def forget(self, lines: Iterable[int]) -> None:
        """Forget what these rows said, to hear them once more; all that change somebody."""
        gone = set(lines)
        keys = self.lines_by_key.items()
        self.lines_by_key = {key: line for key, line in keys if line not in gone}
        followers = self.lines_by_follower.items()
        self.lines_by_follower = {pk: line for pk, line in followers if line not in gone}
        self.freed = {}


def refusal_of(said: str, person: ImportedPerson | None, options: Options) -> str:
    """Say why a row is refused, and that its opt-out is obeyed nevertheless."""
    if person is None:
        return said
    listed = options.do_not_contact and person.all_places
    if person.opted_out or person.suppressions or listed:
        obeyed = gettext("The opt-out in this row is obeyed.")
        return f"{said} {obeyed}"
    return said

"""Read a row of a file: from its cells to a person, or to the reason why it says none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, normalise
from apps.followers.imports import cells
from apps.followers.imports.columns import METADATA, BadMapping
from apps.followers.imports.csv_file import CsvRow
from apps.followers.profile_fields import BadFollower

_YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "1",
        "on",
        "subscribed",
        "active",
        "да",
        "д",
        "истина",
        "подписан",
        "подписана",
    ]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "0",
        "off",
        "unsubscribed",
        "inactive",
        "optout",
        "нет",
        "н",
        "ложь",
        "отписан",
        "отписана",
    ]
)


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for the whole file.

    Opt-outs in the file are obeyed even when existing followers are left alone.
    """

    tags: tuple[str, ...] = ()  # put on everybody in the file
    update: bool = True  # False: followers that exist already stay as they are
    wording: str = ""  # which consent text the people in the file saw

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "Options":
        """Read {"tags": [names], "update": bool, "wording": text}. Raises BadMapping."""
        if unknown := set(options) - {"tags", "update", "wording"}:
            raise BadMapping(
                f"{unknown.pop()!r} is not an option. There are: tags, update, wording."
            )
        try:
            tags = profile_fields.tag_names(options.get("tags", ()))
        except BadFollower as error:
            raise BadMapping(str(error)) from error
        return cls(
            tuple(tags), bool(options.get("update", True)), str(options.get("wording", ""))[:40]
        )

    def as_json(self) -> dict[str, Any]:
        return {"tags": list(self.tags), "update": self.update, "wording": self.wording}


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """What a row says, tidied; only what is not empty."""

    line: int
    keys: dict[str, str]  # of columns.KEYS: what is compared
    places: dict[str, tuple[str, str]]  # "email" and "phone": (value, key)
    values: dict[str, str]  # name, external_id, language, time_zone
    tags: list[str]
    subscribed: bool | None
    metadata: dict[str, str]


def read(
    row: CsvRow, columns: Sequence[str], mapping: Mapping[str, str], options: Options
) -> ImportedPerson:
    """Read what a row says of a person. Raises Refused with the reason why it can't be taken."""
    said = _cells_by_target(row, columns, mapping)
    places = {}
    for name, channel in CHANNEL_OF.items():
        if said.get(name):
            places[name] = normalise(channel, said[name])
    keys = {name: key for name, (_, key) in places.items()}
    full_name = said.get("name")
    if not full_name:
        full_name = f"{said.get('first_name', '')} {said.get('last_name', '')}"
    values = {
        "name": profile_fields.name(full_name),
        "external_id": profile_fields.external_id(said.get("external_id")),
        "language": profile_fields.language(said.get("language", "")),
        "time_zone": profile_fields.time_zone(said.get("time_zone", "")),
    }
    external_id = values["external_id"]
    if external_id:
        keys["external_id"] = external_id
    if not keys:
        raise BadFollower(
            "The row has no email, phone or external id, so nobody could tell whom it is about.",
            field="row",
        )
    metadata = {}
    for target, cell in said.items():
        if target.startswith(METADATA) and cell:
            metadata[target.removeprefix(METADATA)] = cell
    tags = [*re.split("[;,]", said.get("tags", "")), *options.tags]
    return ImportedPerson(
        line=row.line,
        keys=keys,
        places=places,
        values={name: value for name, value in values.items() if value},
        tags=profile_fields.tag_names(tags),
        subscribed=_yes_or_no(said.get("subscribed", "")),
        metadata=profile_fields.metadata(metadata),
    )


def _cells_by_target(
    row: CsvRow, columns: Sequence[str], mapping: Mapping[str, str]
) -> dict[str, str]:
    """Give the cells that are mapped to something, stripped. Raises BadFollower."""
    # Excel likes to end a row with empty cells; anything else that doesn't fit may have slipped
    # into the wrong column.
    beyond = row.cells[len(columns) :]
    if len(row.cells) < len(columns) or any(cell.strip() for cell in beyond):
        raise BadFollower(
            f"The row has {len(row.cells)} cells, but there are {len(columns)} headings.",
            field="row",
        )
    said = {}
    for column, cell in zip(columns, row.cells, strict=False):
        target = mapping.get(column)
        if target:
            said[target] = cells.original(cell).strip()
    return said


def _yes_or_no(text: str) -> bool | None:
    word = text.casefold()
    if not word:
        return None
    if word in _YES or word in _NO:
        return word in _YES
    raise BadFollower(
        f"{text[:40]!r} is neither yes nor no. Write yes or no under “subscribed”.",
        field="subscribed",
    )

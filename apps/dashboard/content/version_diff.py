"""Two versions of a template side by side: what was taken out, what was put in, line by line."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.models import Version

CONTEXT = 3  # unchanged lines shown around a change

Texts = dict[str, str]  # "English: Email subject" -> text


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line of a change; `sign` says it without colour: "+" put in, "-" taken out, " " the same,
    "…" lines left out.
    """

    sign: Literal["+", "-", " ", "…"]
    old: int | None
    new: int | None
    text: str

    @property
    def kind(self) -> str:
        return {"+": "added", "-": "removed", " ": "same", "…": "gap"}[self.sign]


@dataclass(frozen=True, slots=True)
class DiffChange:
    place: str
    lines: list[DiffLine]
    added: int
    removed: int


def texts_of(version: Version) -> Texts:
    """Everything in a version that people write, by a name they recognise."""
    words = {row.language: row.parts for row in version.translations.all()}
    layout = ""
    if version.layout:
        layout = version.layout.name
    return texts(
        words,
        variables=version.variables,
        layout=layout,
        default_language=version.default_language,
    )


def texts(
    words: Mapping[str, Mapping[str, Mapping[str, str]]],
    *,
    variables: list[Any],
    layout: str,
    default_language: str,
) -> Texts:
    found: Texts = {"Default language": default_language, "Layout": layout}
    for language in sorted(words):
        for channel, parts in CHANNEL_PARTS.items():
            for part in parts.parts:
                text = words[language].get(channel, {}).get(part.name, "")
                found[f"{language}: {parts.label}, {part.label}"] = text
    for row in variables:
        about = {key: value for key, value in row.items() if key != "name"}
        found[f"Variable {row['name']}"] = json.dumps(
            about, ensure_ascii=False, indent=1, sort_keys=True
        )
    return found


def changes(old: Texts, new: Texts) -> list[DiffChange]:
    """Give the places that differ, in the order of the page."""
    places = list(dict.fromkeys([*old, *new]))
    return [
        compared(place, old.get(place, ""), new.get(place, ""))
        for place in places
        if old.get(place, "") != new.get(place, "")
    ]


def compared(place: str, old: str, new: str) -> DiffChange:
    before = old.splitlines()
    after = new.splitlines()
    lines: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        if lines or group[0][1] > 0:
            lines.append(DiffLine("…", None, None, ""))
        for tag, old_from, old_to, new_from, new_to in group:
            if tag == "equal":
                lines += [
                    DiffLine(" ", old_from + at + 1, new_from + at + 1, before[old_from + at])
                    for at in range(old_to - old_from)
                ]
            else:
                lines += [DiffLine("-", at + 1, None, before[at]) for at in range(old_from, old_to)]
                lines += [DiffLine("+", None, at + 1, after[at]) for at in range(new_from, new_to)]
    return DiffChange(
        place,
        lines,
        added=sum(line.sign == "+" for line in lines),
        removed=sum(line.sign == "-" for line in lines),
    )

"""Two versions of a template side by side: what was taken out, what was put in, line by line."""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext as _

from apps.content.channel_parts import CHANNEL_PARTS
from apps.content.models import Version

CONTEXT = 3  # unchanged lines shown around a change

KINDS = {"+": "added", "-": "removed", " ": "same", "…": "gap"}
Texts = dict[str, str]  # "English: Email subject" -> text


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a change; `sign` says what became of it without colour:
    "+" put in, "-" taken out, " " the same, "…" lines left out.
    """

    sign: Literal["+", "-", " ", "…"]
    old: int | None
    new: int | None
    text: str

    @property
    def kind(self) -> str:
        return KINDS[self.sign]


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
    found: Texts = {_("Default language"): default_language, _("Layout"): layout}
    for language in sorted(words):
        for channel, known in CHANNEL_PARTS.items():
            said = words[language].get(channel, {})
            for part in known.parts:
                place = f"{language}: {known.label}, {part.label}"
                found[place] = said.get(part.name, "")
    for row in variables:
        about = dict(row)
        name = about.pop("name")
        text = json.dumps(about, ensure_ascii=False, indent=1, sort_keys=True)
        found[_("Variable {name}").format(name=name)] = text
    return found


def changes(old: Texts, new: Texts) -> list[DiffChange]:
    """List the places that differ, in the order of the page."""
    found = []
    for place in dict.fromkeys([*old, *new]):
        before = old.get(place, "")
        after = new.get(place, "")
        if before != after:
            found.append(compared(place, before, after))
    return found


def compared(place: str, old: str, new: str) -> DiffChange:
    before = old.splitlines()
    after = new.splitlines()
    lines: list[DiffLine] = []
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        _, first, *_ = group[0]
        if lines or first > 0:
            lines.append(DiffLine("…", None, None, ""))
        for tag, old_from, old_to, new_from, new_to in group:
            taken = enumerate(before[old_from:old_to], old_from + 1)
            put = enumerate(after[new_from:new_to], new_from + 1)
            if tag == "equal":
                for (old_at, text), (new_at, _) in zip(taken, put, strict=True):
                    lines.append(DiffLine(" ", old_at, new_at, text))
                continue
            for at, text in taken:
                lines.append(DiffLine("-", at, None, text))
            for at, text in put:
                lines.append(DiffLine("+", None, at, text))
    added = sum(line.sign == "+" for line in lines)
    removed = sum(line.sign == "-" for line in lines)
    return DiffChange(place, lines, added=added, removed=removed)

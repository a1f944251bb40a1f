"""One word for one thing: the words that docs/glossary.md replaced appear on no page, in no
message of ours, and neither in the docs nor in the API's document.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# word that is gone (a pattern): the word that stands in its place, as in the glossary
REPLACED = {
    r"[Ee]-mails?": "Email",
    r"[Ww]hat would happen\?": "Delivery check",
    r"Seen by": "Preview as",
    r"What may wait|[Mm]ay wait for a digest|Messages that can wait": "Digest",
    r"[Ww]ait and be gathered": "Digest",
    r"One too many": "Cap",
    r"\bsettled\b": "Delivery report",
    r"[Bb]alance sheet": "Delivery report",
    r"What became of it|[Cc]ame of it": "Result",
    r"Not sent, with a reason": "Skipped",
    r"\bIn doubt\b": "Delivery unknown",
    r"Take it as sent": "Mark as sent",
    r"Undelivered": "Failed messages",
    r"Worthless": "Expires after",
    r"At most so many|In so many seconds": "Rate limit",
    r"Seconds that each of them": "Channel fallback",
    r"Try one channel after the other": "Channel fallback",
    r"[Ss]peaks for th": "Default template",
    r"Reached at": "Contact",
    r"On its way|Its way": "Timeline",
    r"What programs send": "Variables, Payload schema",
    r"Whose clock|If nobody was at work": "Time zone",
    r"Calls at the same time|Address of the API": "Parallel requests, API base URL",
    r"Opens in all": "Open and click tracking",
    r"[Oo]wn choices?\b": "Preference",
    r"Short name": "Slug",
    r"have an opinion about": "Message type",
    r"Put it right": "Fix",
    r"(Cancel|Stop) for good": "Cancel",
    r"Take back": "Recall",
    r"Retry the failed|Send (it )?again\b(?! with)|Use it again now": "Retry",
    r"When and where|When we write|[Rr]hythm": "Delivery preferences",
    r"Count opens and clicks|Opens and clicks": "Open and click tracking",
    r"Take a break|[Ss]nooz": "Pause",
    r"Release the address": "Remove from list",
    r"notification-types|Notification types?": "Message type",
    r"Clicks in all": "Open and click tracking",
    r"[Tt]his kind\b|switch kinds": "Message type",
    r"[Pp]rograms (add|call|post|send|and commands)\b|[Ww]hich program|by programs": "API client",
}
COMMENTS = re.compile(r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->", re.DOTALL)
TAGS = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL)
SPOKEN = re.compile(r"""(?:aria-label|title|placeholder|data-label|data-confirm)=["']([^"']*)""")
# Strings of the code that nobody reads: one word without a blank, or in small letters and dashes.
NAMES = re.compile(r"[\w./:%{}-]*")


def of_templates() -> Iterator[tuple[str, str]]:
    for file in sorted(ROOT.glob("templates/**/*.html")):
        text = COMMENTS.sub("", file.read_text(encoding="utf-8"))
        spoken = " \n ".join(SPOKEN.findall(text))
        in_tags = " \n ".join(re.findall(r'"([A-Z][^"]*)"', " ".join(TAGS.findall(text))))
        yield str(file), f"{TAGS.sub(' ', text)}\n{spoken}\n{in_tags}"


def of_docs() -> Iterator[tuple[str, str]]:
    for file in [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]:
        yield str(file), file.read_text(encoding="utf-8")


def of_code() -> Iterator[tuple[str, str]]:
    """Strings of apps/ that people may read: all but docstrings and names."""
    for file in sorted(ROOT.glob("apps/**/*.py")):
        if "migrations" in file.parts:
            continue
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docstrings = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr):
                docstrings.add(id(node.value))
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if id(node) not in docstrings and not NAMES.fullmatch(node.value):
                yield f"{file}:{node.lineno}", node.value


def of_api() -> Iterator[tuple[str, str]]:
    file = ROOT / "tests/api/openapi.yaml"
    yield str(file), file.read_text(encoding="utf-8")


@cache
def surface(name: str) -> list[tuple[str, str]]:
    found = {"templates": of_templates, "docs": of_docs, "code": of_code, "API": of_api}
    return [(place, " ".join(text.split())) for place, text in found[name]()]


@pytest.mark.parametrize("where", ["templates", "docs", "code", "API"])
@pytest.mark.parametrize("old", REPLACED, ids=lambda old: REPLACED[old].replace(" ", "-"))
def test_a_word_that_was_replaced_is_nowhere(where: str, old: str) -> None:
    found = []
    for place, text in surface(where):
        for match in re.finditer(old, text):
            near = text[max(match.start() - 40, 0) : match.end() + 40]
            found.append(f"{place}: …{near}…")
    assert found == [], f"say “{REPLACED[old]}”"


def test_the_glossary_has_each_word_that_replaced_another_and_its_russian() -> None:
    rows = {}
    for line in (ROOT / "docs/glossary.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3:
            rows[cells[0]] = cells[1]
    assert set(REPLACED.values()) <= set(rows)
    assert all(re.search("[а-яё]", rows[word]) for word in REPLACED.values())

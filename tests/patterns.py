"""Regular expressions of ours, and whether any of them may take longer than its text is long.

Nothing is timed: a pattern is judged by how it is built. Two things make one slow, and both are
looked for in its parts, with sets of characters:

- an attempt runs far and fails, and where it ran another one may begin (`<a[^>]*>`);
- within an attempt two neighbouring repeats may share what they run over (`\\s*x?\\s*`).

A repeat with a bound, or at the end of a pattern where nothing after it can fail, does neither.
"""

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = [*map(chr, range(128)), "\x85", "é", "Ж", "\u2028", "\ufeff", "\ud7ff"]
EVERYTHING = frozenset(SAMPLE)
ANCHORED = {"match", "fullmatch"}
FEW = 1_000  # a repeat of so many at most costs a fixed time
CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}
Chars = frozenset[str]


@dataclass(frozen=True)
class Written:
    """A pattern and where it stands; `anchored` where it is only tried at one place."""

    place: str
    pattern: str
    flags: int
    anchored: bool


def written(*folders: str) -> Iterator[Written]:
    """Find the patterns in the code: those that modules hold, and those written in a call."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _of_module(path)


def _of_module(path: Path) -> Iterator[Written]:
    source = path.read_text("utf-8")
    if not re.search(r"^import re$|^from re import ", source, re.MULTILINE):
        return
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    uses = _uses(ast.parse(source))
    for place, held in _held(importlib.import_module(name)):
        how = uses.get(place.rpartition(".")[2], {"search"})
        pattern = held.pattern
        if isinstance(pattern, bytes):
            pattern = pattern.decode("latin-1")
        yield Written(f"{name}.{place}", pattern, held.flags, anchored=how <= ANCHORED)
    for node in ast.walk(ast.parse(source)):
        if _is_call_of_re(node) and node.func.attr != "compile":
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                anchored = node.func.attr in ANCHORED
                yield Written(f"{name}:{node.lineno}", first.value, 0, anchored=anchored)


def _is_call_of_re(node: Any) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and bool(node.args)
    )


def _uses(tree: ast.AST) -> dict[str, set[str]]:
    """Name of a pattern -> the methods that the module calls on it."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _held(module: Any) -> Iterator[tuple[str, re.Pattern[Any]]]:
    for name, value in vars(module).items():
        if isinstance(value, re.Pattern):
            yield name, value
        elif isinstance(value, dict):
            for each in value.values():
                if isinstance(each, re.Pattern):
                    yield name, each
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for inner, each in vars(value).items():
                if isinstance(each, re.Pattern):
                    yield f"{name}.{inner}", each


def fault(found: Written) -> str:
    """Say what makes a pattern slow, "" for none."""
    tree = list(parser.parse(found.pattern, found.flags & ~re.DEBUG))
    flags = found.flags
    if said := _shared(tree, flags):
        return said
    if found.anchored:
        return ""
    begins = _first(tree, flags)
    if tree and tree[0] == (sre.AT, sre.AT_BEGINNING):
        begins = frozenset("\n")  # each line is tried once, at its beginning
    for repeated, after in _repeats(tree, []):
        if not _may_fail(after):
            continue
        again = _within(repeated, flags) & begins
        if again and not _held_back(tree, repeated, flags):
            return f"may begin again at {min(again)!r} where it ran already"
    return ""


def _held_back(tree: Sequence[Any], repeated: Any, flags: int) -> bool:
    """Whether a look behind forbids what is repeated before a beginning, as in `(?<!x)x+y`."""
    if tree and tree[0][0] is sre.ASSERT_NOT and tree[0][1][0] < 0:
        behind = _within(tree[0][1][1], flags)
        return _within(repeated, flags) & _first(tree[1:], flags) <= behind
    return False


def _may_fail(after: Sequence[Any]) -> bool:
    """Whether something has to follow, be it no more than an end or a border."""
    conditions = (sre.AT, sre.ASSERT, sre.ASSERT_NOT, sre.GROUPREF)
    return any(each[0] in conditions or not _may_be_empty([each]) for each in after)


def _shared(items: Sequence[Any], flags: int) -> str:
    """Find two repeats beside each other, or one in another, that run over the same characters."""
    running: Chars = frozenset()
    for place, (kind, about) in enumerate(items):
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            _, most, body = about
            if said := _shared(body, flags):
                return said
            many = most > FEW
            if many and kind is not sre.POSSESSIVE_REPEAT and _may_fail(items[place + 1 :]):
                inner = _last_run(body, flags)
                if len(list(body)) > 1 and inner & _first(list(body), flags):
                    return "repeats a repeat over the same characters"
                if running & _within(body, flags):
                    return "has two repeats over the same characters"
            if not _may_be_empty([(kind, about)]):
                running = frozenset()
            if many and kind is not sre.POSSESSIVE_REPEAT:
                running |= _within(body, flags)
            continue
        for branch in _branches(kind, about):
            if said := _shared(branch, flags):
                return said
        if not _may_be_empty([(kind, about)]):
            running = frozenset()
    return ""


def _last_run(items: Sequence[Any], flags: int) -> Chars:
    """Collect what a repeat at the end of some items runs over."""
    found: Chars = frozenset()
    for kind, about in reversed(list(items)):
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT) and about[1] > FEW:
            found |= _within(about[2], flags)
        for branch in _branches(kind, about):
            found |= _last_run(branch, flags)
        if not _may_be_empty([(kind, about)]):
            break
    return found


def _branches(kind: Any, about: Any) -> list[Any]:
    if kind is sre.SUBPATTERN:
        return [about[3]]
    if kind is sre.BRANCH:
        return list(about[1])
    if kind is sre.ATOMIC_GROUP:
        return [about]
    if kind in (sre.ASSERT, sre.ASSERT_NOT):
        return [about[1]]
    return []


def _repeats(items: Sequence[Any], after: Sequence[Any]) -> Iterator[tuple[Any, list[Any]]]:
    """Find each repeat without a bound, with what has to follow it."""
    listed = list(items)
    for place, (kind, about) in enumerate(listed):
        rest = [*listed[place + 1 :], *after]
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            if about[1] > FEW:
                yield about[2], rest
            yield from _repeats(about[2], rest)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT):
            yield from _repeats(about[1], [(sre.LITERAL, 0)])
        else:
            for branch in _branches(kind, about):
                yield from _repeats(branch, rest)


def _may_be_empty(items: Sequence[Any]) -> bool:
    for kind, about in items:
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            if about[0] and not _may_be_empty(about[2]):
                return False
        elif kind in (sre.LITERAL, sre.NOT_LITERAL, sre.ANY, sre.IN):
            return False
        elif kind in (sre.AT, sre.ASSERT, sre.ASSERT_NOT, sre.GROUPREF, sre.GROUPREF_EXISTS):
            continue
        elif not any(_may_be_empty(branch) for branch in _branches(kind, about)):
            return False
    return True


def _first(items: Sequence[Any], flags: int) -> Chars:
    """Collect the characters that some items may begin with."""
    found: Chars = frozenset()
    for kind, about in items:
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found |= _first(about[2], flags)
        elif kind in (sre.ASSERT, sre.ASSERT_NOT, sre.AT):
            continue
        elif branches := _branches(kind, about):
            for branch in branches:
                found |= _first(branch, flags)
        else:
            found |= _chars(kind, about, flags)
        if not _may_be_empty([(kind, about)]):
            return found
    return found or EVERYTHING


def _within(items: Any, flags: int) -> Chars:
    """Collect all characters that some items may run over."""
    found: Chars = frozenset()
    for kind, about in items:
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found |= _within(about[2], flags)
        elif branches := _branches(kind, about):
            if kind not in (sre.ASSERT, sre.ASSERT_NOT):
                for branch in branches:
                    found |= _within(branch, flags)
        else:
            found |= _chars(kind, about, flags)
    return found


def _chars(kind: Any, about: Any, flags: int) -> Chars:
    if kind is sre.LITERAL:
        return _cased({chr(about)}, flags)
    if kind is sre.NOT_LITERAL:
        return EVERYTHING - _cased({chr(about)}, flags)
    if kind is sre.ANY:
        if flags & re.DOTALL:
            return EVERYTHING
        return EVERYTHING - {"\n"}
    if kind is sre.IN:
        chosen: set[str] = set()
        for each, what in about:
            if each is sre.LITERAL:
                chosen.add(chr(what))
            elif each is sre.RANGE:
                chosen.update(one for one in SAMPLE if what[0] <= ord(one) <= what[1])
            elif each is sre.CATEGORY:
                named = re.compile(CATEGORIES[what], flags & re.ASCII)
                chosen.update(filter(named.match, SAMPLE))
        if about[0][0] is sre.NEGATE:
            return EVERYTHING - _cased(chosen, flags)
        return _cased(chosen, flags)
    return frozenset()


def _cased(chosen: set[str], flags: int) -> Chars:
    if flags & re.IGNORECASE:
        both = {case for one in chosen for case in (one.lower(), one.upper())}
        return frozenset(both)
    return frozenset(chosen)

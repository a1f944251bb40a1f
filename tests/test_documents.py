"""What documents, docstrings and comments point at is there: links, files, modules, decisions."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
CODE = ("apps", "tests", "bench", "notifications_project")
FOLDERS = (*CODE, "docs", "templates", "static", "locale")
INSIDE = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
FILES = [path.relative_to(ROOT).as_posix() for path in [*ROOT.iterdir(), *INSIDE]]
# A file by its ending (`claim.py`, `sending/claim.py`), or anything below a folder of ours.
NAMED = re.compile(
    r"(?<![\w/.:@*-])(?:\.?[\w*-]+/)*[\w*-]+\.(?:py|md|html|js|css|toml|ya?ml|svg)(?![\w/(])"
    rf"|(?<![\w/.:-])(?:{'|'.join(FOLDERS)})/[\w/*.-]*[\w*]"
)
MODULE = re.compile(r"(?<![\w/-])apps(?:\.\w+)+")
EXAMPLES = {"news.html"}  # of what somebody may call a file
PARTS = ["Context", "Decision", "Consequence", "Rejected", "Where"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_link_of_a_page_leads_to_a_file(page: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", page.read_text())
    inside = [target.partition("#")[0] for target in targets if "://" not in target]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_decisions_are_numbered_in_a_row_and_have_all_parts() -> None:
    numbers = [int(page.name[:4]) for page in DECISIONS]
    assert numbers == list(range(1, len(DECISIONS) + 1))
    for page, number in zip(DECISIONS, numbers, strict=True):
        text = page.read_text()
        assert text.startswith(f"# {number}. "), page.name
        assert re.search(r"^Status: (Accepted|Rejected|Replaced by )", text, re.MULTILINE), (
            page.name
        )
        assert re.findall(r"^## (.+)", text, re.MULTILINE) == PARTS, page.name


@pytest.mark.parametrize("index", ["docs/decisions/README.md", "docs/architecture.md"])
def test_each_decision_is_found_from_the_index(index: str) -> None:
    text = (ROOT / index).read_text()
    assert [page.name for page in DECISIONS if page.name not in text] == []


# ---- files that are named
def words_of(path: Path) -> Iterator[str]:
    """Give what people read: docstrings and comments, and pages without their code."""
    text = path.read_text()
    if path.suffix == ".md":
        yield re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        return
    if path.suffix != ".py":
        yield from re.findall(r"//.*|/\*.*?\*/", text, re.DOTALL)
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node, clean=False) or ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def is_there(name: str, said_by: Path) -> bool:
    """Look for a file or folder by its path or the end of it, in the same app if it is bare."""
    if (ROOT / name).exists() or name in EXAMPLES:
        return True
    found = [path for path in FILES if fnmatch(path, name) or fnmatch(path, f"*/{name}")]
    if "/" not in name and said_by.is_relative_to(ROOT / "apps"):
        app = ROOT / "apps" / said_by.relative_to(ROOT).parts[1]
        found = [path for path in found if (ROOT / path).is_relative_to(app)]
    return any(ROOT / path != said_by for path in found)


def is_module(name: str) -> bool:
    """Look for a module by its dotted path, which may go on with a name or two in it."""
    parts = name.split(".")
    if ROOT.joinpath(*parts).is_dir():
        return True
    paths = [ROOT.joinpath(*parts[:length]) for length in range(2, len(parts) + 1)]
    return any(path.with_suffix(".py").exists() for path in paths[-3:])


def sources() -> list[Path]:
    modules = [path for folder in CODE for path in (ROOT / folder).rglob("*.py")]
    ours = [path for path in modules if "migrations" not in path.parts]
    scripts = (ROOT / "static" / "carillon").rglob("*.js")
    return [*PAGES, *ours, *scripts, *(ROOT / "static" / "carillon").glob("*.css")]


def named(pattern: re.Pattern[str]) -> Iterator[tuple[Path, str, str]]:
    """Give each place that names what the pattern finds: the file, the name, and both in words."""
    for path in sources():
        for words in words_of(path):
            for name in pattern.findall(words):
                yield path, name, f"{path.relative_to(ROOT)} names {name}"


def test_each_file_that_is_named_is_there() -> None:
    assert [said for path, name, said in named(NAMED) if not is_there(name, path)] == []


def test_each_module_that_is_named_is_there() -> None:
    assert [said for _, name, said in named(MODULE) if not is_module(name)] == []


@pytest.mark.parametrize(
    ("name", "there"),
    [
        ("claim.py", True),
        ("sending/claim.py", True),
        ("apps/notifications/sending/*.py", True),
        ("facts.py", False),  # of another app
        ("lib/facts.py", True),
        ("sending/replay.py", False),
        ("apps/notifications/nowhere", False),
    ],
)
def test_a_file_is_found_by_the_end_of_its_path(name: str, there: bool) -> None:
    assert NAMED.findall(f"See {name}.") == [name]
    assert is_there(name, ROOT / "apps" / "notifications" / "plan.py") == there

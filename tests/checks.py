"""The checks that need no test to run: how code looks, whether it parses, types, migrations.

`make lint` runs them all, `make lint ARGS="templates scripts"` those named, by `tests.both`.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = [
    "apps",
    "clients",
    "tests",
    "bench",
    "notifications_project",
    "manage.py",
    ".ci/commit_subject.py",
]
DJADE = str(Path(sys.executable).with_name("djade"))
DJANGO = "5.2"
CHECKS = {
    "ruff-check": [sys.executable, "-m", "ruff", "check", *PYTHON],
    "ruff-format": [sys.executable, "-m", "ruff", "format", "--check", *PYTHON],
    "templates": [DJADE, "--target-version", DJANGO, "--check"],
    "scripts": [sys.executable, "-m", "tests.scripts"],
    "migrations": [sys.executable, "manage.py", "makemigrations", "--check", "--dry-run"],
    "types": [sys.executable, "-m", "mypy"],
}


class NoSuchCheck(ValueError):
    """A name that no check has; the text lists the names."""


def templates() -> list[str]:
    """List Django's templates, relative to the project; apps/content/stock holds Liquid."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "templates").rglob("*.html"))


def commands(names: Sequence[str] = ()) -> dict[str, list[str]]:
    """Give each named check with its command, or all of them. Raises NoSuchCheck."""
    unknown = sorted(set(names) - set(CHECKS))
    if unknown:
        raise NoSuchCheck(
            f"There is no check called {', '.join(unknown)}. There are: {', '.join(CHECKS)}."
        )
    chosen = {name: list(CHECKS[name]) for name in names or CHECKS}
    if "templates" in chosen:
        chosen["templates"] += templates()
    return chosen

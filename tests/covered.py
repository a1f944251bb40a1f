"""Modules of which no line and no branch may be left untested: they decide, or keep the books.

As pytest's plugin it traces them while the tests of TESTS run, where the variable COVERED names a
folder. What functions keep (`lru_cache`) is dropped before: a line that an earlier test reached,
and whose result is kept, would look untested. `tests.both` sets the variable, and joins what both
databases reached: some lines belong to one.
`python -m tests.covered [pytest's arguments]` shows what is missing on the database of
DATABASE_URL.
"""

import json
import os
import subprocess
import sys
import tempfile
from functools import _lru_cache_wrapper
from pathlib import Path
from typing import Any

import coverage
import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = (
    "apps/followers/consent/verdict.py",
    "apps/followers/consent/verdict_sql.py",
    "apps/notifications/accounts/breaker.py",
    "apps/notifications/books/tallies.py",
    "apps/notifications/decide/decision.py",
    "apps/notifications/sending/journal.py",
    "apps/notifications/sending/outcomes.py",
    "apps/notifications/sending/recover.py",
)
# Folders and files of tests that hold them; tracing costs nothing elsewhere.
TESTS = (
    "tests/followers/consent/",
    "tests/notifications/accounts/test_breaker.py",
    "tests/notifications/books/test_tallies.py",
    "tests/notifications/decide/test_decision.py",
    "tests/notifications/sending/test_journal.py",
    "tests/notifications/sending/test_outcomes.py",
    "tests/notifications/sending/test_recover.py",
    "tests/notifications/sending/test_remedies.py",
    "tests/notifications/sending/test_trouble.py",
    "tests/notifications/test_plan.py",
)
VARIABLE = "COVERED"


class Tracing:
    """The plugin: begins before the modules are imported, pauses outside of TESTS, then writes."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._coverage = _coverage(folder)
        self._on = False
        self._switch(True)

    def pytest_collection_finish(self) -> None:
        self._switch(False)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._switch(str(item.path.relative_to(ROOT)).startswith(TESTS))

    def pytest_sessionfinish(self) -> None:
        self._switch(False)
        self._coverage.save()

    def _switch(self, on: bool) -> None:
        if on == self._on:
            return
        self._on = on
        if on:
            _forget_what_is_kept()
            self._coverage.start()
        else:
            self._coverage.stop()


def _forget_what_is_kept() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("apps."):
            for each in vars(module).values():
                if isinstance(each, _lru_cache_wrapper):
                    each.cache_clear()


def _coverage(folder: Path) -> coverage.Coverage:
    return coverage.Coverage(
        data_file=str(folder / "data"),
        data_suffix=True,  # one file for each process
        config_file=False,
        branch=True,
        include=[str(ROOT / module) for module in MODULES],
    )


# Before Django is set up, which imports the modules: their first lines run once.
if os.environ.get(VARIABLE):
    _tracing = Tracing(Path(os.environ[VARIABLE]))

    def pytest_configure(config: pytest.Config) -> None:
        config.pluginmanager.register(_tracing)


def missing(folder: Path) -> list[str]:
    """Name what no process reached, such as "apps/….py: 12, 40->44". A line below 0 is an exit."""
    measured = _coverage(folder)
    measured.combine([str(folder)], keep=True)
    path = folder / "report.json"
    measured.json_report(outfile=str(path))
    files = json.loads(path.read_text())["files"]
    return [f"{module}: {said}" for module in MODULES if (said := _said(files.get(module)))]


def _said(found: dict[str, Any] | None) -> str:
    if found is None:
        return "was not imported"
    lines = [str(line) for line in found["missing_lines"]]
    branches = [f"{start}->{end}" for start, end in found["missing_branches"]]
    return ", ".join([*lines, *branches])


def main(words: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="ct-covered-") as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words, *TESTS]
        code = subprocess.call(command, cwd=ROOT, env=os.environ | {VARIABLE: folder})
        print("\n".join(missing(Path(folder)) or ["Nothing is missing."]))
        return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

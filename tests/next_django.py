"""The suite on Django's next release: `make test ARGS=--next`, with what pytest is given after it.

That release wants a newer Python than ours. The first that is found makes `.venv-next`, with all
our pins but those that requirements-next.txt replaces, and `tests.both` starts again in there. What
is only deprecated in the new release is listed at the end, and is no failure.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
FLAG = "--next"
VENV = ROOT / ".venv-next"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
NEWEST_FIRST = ("python3.14", "python3.13", "python3.12", "python3")
REQUIREMENTS = (
    "requirements.txt",
    "requirements-ses.txt",
    "requirements-parquet.txt",
    "requirements-dev.txt",
)
REPLACEMENTS = "requirements-next.txt"
# Its stubs and checks are those of the release that we run on.
CHECKS = ("migrations",)
DEPRECATED = ("-W", "default::DeprecationWarning", "-W", "default::PendingDeprecationWarning")
_GOOD_ENOUGH = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"


class NotReady(Exception):
    """Why the next release can't be tried here, as one line."""


def is_running() -> bool:
    """Return whether this process runs in the environment of the next release."""
    return Path(sys.prefix) == VENV


def start_again(words: Sequence[str]) -> NoReturn:
    """Go on in `.venv-next`, made or brought up to date before. Raises NotReady."""
    make_environment()
    command = [str(PYTHON), "-m", "tests.both", *words]
    os.execv(command[0], command)  # noqa: S606  # no shell is meant


def make_environment() -> None:
    """Make `.venv-next` where it is missing or old. Raises NotReady."""
    wanted = "\n".join(pins())
    stamp = hashlib.sha256(wanted.encode()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == stamp:
        return
    python = find_python()
    print(f"Making {VENV.name} with {python} ...", flush=True)
    _run([python, "-m", "venv", "--clear", str(VENV)], "could not be made")
    listed = VENV / "requirements.txt"
    listed.write_text(wanted)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--root-user-action=ignore", "-r", str(listed)], "can't be filled")
    STAMP.write_text(stamp)


def _run(command: Sequence[str], failed: str) -> None:
    if subprocess.run(command, check=False).returncode:
        raise NotReady(f"{VENV.name} {failed} (its reason is above).")


def pins() -> list[str]:
    """List what is installed, a pin a line."""
    replaced = dict(_named(REPLACEMENTS))
    lines = []
    for file in REQUIREMENTS:
        lines += [replaced.pop(name, pin) for name, pin in _named(file)]
    if replaced:
        raise NotReady(f"{REPLACEMENTS} names {', '.join(replaced)}, which we don't use.")
    return lines


def _named(file: str) -> Iterator[tuple[str, str]]:
    for line in (ROOT / file).read_text().splitlines():
        pin = line.partition("#")[0].strip()
        if pin and not pin.startswith("-r"):
            yield re.split(r"[=\[]", pin)[0], pin


def find_python() -> str:
    """Return a Python that the next release runs on. Raises NotReady."""
    chosen = os.environ.get("NEXT_PYTHON")
    if chosen:
        candidates: Iterable[str | None] = [chosen]
    else:
        candidates = [*map(shutil.which, NEWEST_FIRST), *_of_pyenv()]
    for python in candidates:
        if python and _is_good(python):
            return python
    asked = chosen or ", ".join(NEWEST_FIRST)
    raise NotReady(
        f"{FLAG} needs Python 3.12 or newer with its venv module, and none is here ({asked}):"
        " install one, or set NEXT_PYTHON to its path."
    )


def _of_pyenv() -> list[str]:
    """List the Pythons that pyenv has built, the newest first, whichever of them is chosen."""
    found = Path.home().glob(".pyenv/versions/3.*/bin/python3")
    return sorted(map(str, found), key=_version, reverse=True)


def _version(path: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path)]


def _is_good(python: str) -> bool:
    try:
        tried = subprocess.run([python, "-c", _GOOD_ENOUGH], capture_output=True, check=False)
    except OSError:
        return False
    return tried.returncode == 0


def deprecations(outputs: Iterable[str]) -> list[str]:
    """List what the new release warns of, each once, as pytest's summaries have it."""
    found = (re.findall(r"(RemovedIn\w+: .+)$", output, re.MULTILINE) for output in outputs)
    return sorted({each for every in found for each in every})

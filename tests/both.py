"""`python -m tests.both`: all checks,
then the whole suite on SQLite and on PostgreSQL side by side.

Each runs as two halves, so that all processors have work to the end; each half of PostgreSQL's has
a server of its own, unless DATABASE_URL names one. Tests that ask for no database are the same on
both (half of all), so they run once, as a part of their own; so do the few that are marked as such
(on SQLite), those that start programs beside the suites. What the whole suite reached of the
modules of tests/covered.py, on both, is joined: nothing may be missing. `--lint` runs the checks
only, or those whose names follow (tests/checks.py); `--next` runs it all on Django's next release
(tests/next_django.py). Other arguments go to pytest (`python -m tests.both -k consent`).
"""

import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import django

from tests import checks, chromium, covered, next_django, postgres
from tests.clients import node

ROOT = Path(__file__).resolve().parent.parent
NOTHING_CHOSEN = 5  # pytest's exit code
REPORTED = r"^reported cases: (\d+)$"  # what tests/conftest.py says at the end
TOOK = r"^ *([\d.]+)s (?:setup|call|teardown) +(\S+)"  # a line of pytest's --durations
HALVES = ("even", "odd")  # of the files (tests/conftest.py)
SLOWEST = 10  # tests that are named at the end


@dataclass(frozen=True, slots=True)
class Part:
    """One program of the run, with its output in a file of its own."""

    name: str
    ok: bool
    output: str
    seconds: float
    empty: bool = False  # nothing of it was asked for

    def verdict(self) -> str:
        if self.empty:
            return "left out"
        if self.ok:
            return "ok"
        return "FAILED"

    def slowest(self) -> list[tuple[float, str]]:
        """The tests that took longest: seconds of setup, call and teardown together,
        and the test's name.
        """
        seconds: Counter[str] = Counter()
        for took, test in re.findall(TOOK, self.output, re.MULTILINE):
            seconds[test] += float(took)
        return [(took, test) for test, took in seconds.items()]

    def reported(self) -> int:
        """How many cases passed that came from somebody's report."""
        return sum(map(int, re.findall(REPORTED, self.output, re.MULTILINE)))

    def counts(self) -> str:
        """pytest's closing line without its frame, such as "412 passed, 3 deselected"."""
        found = re.findall(r"^=+ (.+?) in [\d.]+s.* =+$", self.output, re.MULTILINE)
        if found:
            return found[-1]
        if self.empty:
            return "none chosen"
        return "did not finish"


class Run:
    """Starts programs in sessions of their own,
    so that Ctrl-C reaches this process only and it can tidy up.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stopped = False
        self._running: set[subprocess.Popen[bytes]] = set()

    def stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        for process in list(self._running):
            self._end(process)

    def _end(self, process: "subprocess.Popen[bytes]") -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def part(self, name: str, command: Sequence[str], **environment: str) -> Part:
        path = self.folder / f"{name.replace(' ', '-').lower()}.log"
        started = time.monotonic()
        if self.stopped:
            return Part(name, False, "stopped", 0)
        with path.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            code = process.wait()
            self._end(process)  # what a killed test may have left behind
            self._running.discard(process)
        output = path.read_text(errors="replace")
        seconds = time.monotonic() - started
        empty = code == NOTHING_CHOSEN
        part = Part(name, code == 0 or empty, output, seconds, empty)
        print(f"  {name}: {part.verdict()} ({part.seconds:.0f} s)", flush=True)
        return part


def check(run: Run, commands: Mapping[str, Sequence[str]]) -> list[Part]:
    environment = {"CARILLON_MODE": "test", "VAR_DIR": str(run.folder / "var-checks")}
    return [run.part(name, command, **environment) for name, command in commands.items()]


def suite(
    run: Run, name: str, url: str, marks: str, words: Sequence[str], *, files: str = ""
) -> Part:
    """Run the tests that have the marks, of the named `files` (tests/conftest.py) or of all."""
    var_dir = Path(tempfile.mkdtemp(prefix="var-", dir=run.folder))
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    command += [f"--durations={2 * SLOWEST}", *words]
    environment = {"DATABASE_URL": url, "VAR_DIR": str(var_dir), "FILES": files}
    if not words:
        environment[covered.VARIABLE] = str(run.folder / "covered")
    return run.part(name, [*command, "-m", marks], **environment)


def coverage(run: Run) -> Part:
    """Join what all processes of the suites reached of the modules that must be reached whole."""
    started = time.monotonic()
    missing = covered.missing(run.folder / "covered")
    part = Part("coverage", not missing, "\n".join(missing), time.monotonic() - started)
    print(f"  {part.name}: {part.verdict()} ({part.seconds:.0f} s)", flush=True)
    return part


@contextmanager
def _server(run: Run) -> Iterator[str]:
    """A PostgreSQL for one part of the run: gives its URL. Raises NoPostgres."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=run.folder))
    folder.chmod(0o755)
    with postgres.server(folder, stopped=lambda: run.stopped) as url:
        yield url


def main(words: Sequence[str]) -> int:
    started = time.monotonic()
    # The suites start some hundred programs: where no bytecode may be kept, each compiles us anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen_checks: Sequence[str] = ()
    if next_django.FLAG in words:
        if not next_django.is_running():
            next_django.start_again(words)
        print(f"On Django {django.__version__} and Python {platform.python_version()}.")
        chosen_checks = next_django.CHECKS
        words = [word for word in words if word != next_django.FLAG]
        words += next_django.DEPRECATED
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ct-", dir="/tmp")))
        folder.chmod(0o755)
        run = Run(folder)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, run.stop)
        if "--lint" in words:
            names = [word for word in words if word != "--lint"]
            return report(run, check(run, checks.commands(names)), [], started)
        with_browser = os.environ.get("BROWSER", "1") != "0"
        if with_browser:
            os.environ["CHROMIUM"] = chromium.find() or chromium.install()
        given = os.environ.get("DATABASE_URL", "")
        if given.startswith(("postgres://", "postgresql://")):
            on_postgres = {given: ""}
        else:
            on_postgres = {stack.enter_context(_server(run)): half for half in HALVES}
        name = postgres.version(next(iter(on_postgres)))
        print(
            f"Checks, then the suite on SQLite {sqlite3.sqlite_version} and {name} ...", flush=True
        )
        # Chromium's share is done once, half here, half there: the looks on SQLite,
        # the story on PostgreSQL.
        if with_browser:
            here = "looks or not browser"
            there = "not looks"
        else:
            here = "not browser"
            there = "not browser"
        small = f"sqlite:///{folder}/test.sqlite3"
        # One more than there are processors, because now and then each waits.
        at_once = max(2, os.cpu_count() or 2) + 1
        with ThreadPoolExecutor(at_once) as pool:
            # first, because mostly they wait for processes to start and end
            programs = pool.submit(
                suite,
                run,
                "Programs once",
                small,
                f"({here}) and once and slow",
                words,
                files="slow",
            )
            parts = [programs]
            marks = f"({there}) and not once"
            for number, (url, half) in enumerate(on_postgres.items(), start=1):
                title = f"{name}, {number} of {len(on_postgres)}"
                parts.append(pool.submit(suite, run, title, url, marks, words, files=half))
            checked = check(run, checks.commands(chosen_checks))
            marks = f"({here}) and not once"
            for number, half in enumerate(HALVES, start=1):
                title = f"SQLite {sqlite3.sqlite_version}, {number} of {len(HALVES)}"
                parts.append(pool.submit(suite, run, title, small, marks, words, files=half))
            once = f"({here}) and once and not slow"
            parts.append(pool.submit(suite, run, "Run once", small, once, words))
            suites = [part.result() for part in parts]
        if not words and all(part.ok for part in suites):
            checked.append(coverage(run))
        code = report(run, checked, suites, started)
        if chosen_checks:
            tell_deprecations(suites)
        if not with_browser:
            print("The browser tests were left out (BROWSER=0).")
        if missing := node.missing():
            print(f"The TypeScript client was left out ({missing}).")
        return code


def tell_slowest(suites: Sequence[Part]) -> None:
    """Print the tests that took longest in all suites together, with their setup and teardown."""
    tests = [(seconds, test, part.name) for part in suites for seconds, test in part.slowest()]
    if not tests:
        return
    print("\nThe slowest tests:")
    for seconds, test, name in sorted(tests, reverse=True)[:SLOWEST]:
        print(f"  {seconds:5.0f} s  {test}  ({name})")


def tell_reported(suites: Sequence[Part]) -> None:
    """Print how many cases came from reports; those of both databases count once."""
    once = [part for part in suites if not part.name.startswith("PostgreSQL")]
    cases = sum(part.reported() for part in once)
    print(f"Of these, {cases} cases come from what people reported.")


def tell_deprecations(suites: Sequence[Part]) -> None:
    """Print what the release of Django that was tried warns of."""
    told = next_django.deprecations(part.output for part in suites)
    print(f"\nDjango {django.__version__} deprecates {len(told)} things that we use:")
    for each in told:
        print(f"  {each}")


def report(run: Run, checked: Sequence[Part], suites: Sequence[Part], started: float) -> int:
    """Print the whole output of what failed, the slowest tests, and a last line for each part."""
    for part in [*checked, *suites]:
        if not part.ok:
            print(f"\n──── {part.name} ────\n{part.output}")
    tell_slowest(suites)
    print()
    for part in checked:
        if part.empty:
            print(part.output.strip())
    for part in suites:
        print(f"{part.name}: {part.counts()}")
    if suites:
        tell_reported(suites)
    failed = [part.name for part in [*checked, *suites] if not part.ok]
    if suites and all(part.empty for part in suites):
        failed.append("no test is called so")
    if run.stopped:
        print("Stopped.")
        return 130
    print(
        f"{'FAILED: ' + ', '.join(failed) if failed else 'All green'}"
        f" ({time.monotonic() - started:.0f} s)."
    )
    if failed:
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (
        checks.NoSuchCheck,
        chromium.NoChromium,
        next_django.NotReady,
        postgres.NoPostgres,
    ) as error:
        sys.exit(f"make test: {error}")

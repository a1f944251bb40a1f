"""`python -m bench [--quick] [--recipients N] [row ...]`: measure, print,
and write docs/performance.md.
"""

import argparse
import importlib
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from bench import database, machine, mailservers, report, site
from bench.bench import FULL, QUICK, Bench
from bench.processes import DidNotWork

ROWS = (
    "rate",
    "naive",
    "post_office",
    "latency",
    "dkim",
    "cpu",
    "memory",
    "idle",
    "planning",
    "lanes",
    "kills",
    "notify",
    "overload",
    "build",
    "books",
    "pages",
    "imports",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench ARGS=", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small numbers, a few minutes; prints, and writes no page",
    )
    parser.add_argument(
        "--recipients", type=int, metavar="N", help="of the campaign of `cpu` and `memory`"
    )
    parser.add_argument("rows", nargs="*", metavar="row", help=f"any of: {', '.join(ROWS)} (all)")
    asked = parser.parse_args()
    if unknown := set(asked.rows) - set(ROWS):
        parser.error(f"there is no row {', '.join(sorted(unknown))}; rows are: {', '.join(ROWS)}")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    mailservers.postfix("smtp-sink"), mailservers.postfix("smtp-source")
    chosen = [name for name in ROWS if name in asked.rows or not asked.rows]
    began = time.monotonic()
    missed = []
    failed = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cb-", dir="/tmp")))
        folder.chmod(0o755)
        here = machine.facts(folder, "PostgreSQL")
        server = stack.enter_context(database.started(folder / "pg"))
        here[2] = here[2].replace("PostgreSQL", server.version, 1)
        print("\n".join(here), flush=True)
        os.environ |= site.environment(url=server.make("carillon"), folder=folder)
        site.prepare(folder)
        bench = Bench(folder, server, QUICK if asked.quick else FULL, asked.recipients)
        bench.fill(chosen)
        for name in chosen:
            print(f"\n{name} ({time.monotonic() - began:.0f} s so far)", flush=True)
            try:
                row = importlib.import_module(f"bench.rows.{name}").measure(bench)
            except DidNotWork as error:
                failed.append(name)
                print(f"  NOT MEASURED: {error}", flush=True)
                print(
                    *(log.read_text()[-2000:] for log in sorted(folder.glob("*.log"))), flush=True
                )
                continue
            row.at = machine.stamp()
            missed += [line.measure for line in row.lines if line.met is False]
            print(report.told(row), flush=True)
            if not asked.quick:
                report.keep(name, row)
        if not asked.quick:
            print(f"\nWrote {report.write_page(ROWS, here)}.")
    for title, names in (("Bars missed", missed), ("Not measured", failed)):
        if names:
            print(f"{title}: {'; '.join(names)}.")
    print(f"Done in {time.monotonic() - began:.0f} s.")
    if failed:
        return 1
    return 0


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # everything that was started is ended on the way out


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DidNotWork as error:
        sys.exit(f"make bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)

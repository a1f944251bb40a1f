"""What it costs to import a file of followers, beside a plain COPY of the same file."""

import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.bench import Bench
from bench.processes import DidNotWork, cpu, said_by
from bench.report import Line, Row, at_most

COLUMNS = ("email", "name", "city", "plan", "score")
CITIES = ("Berlin", "Köln", "Praha", "Лондон", "Paris", "New York", "Kraków")
PLANS = ("free", "pro", "team")


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds, and the time that passed; MB of the program at its largest."""

    app: float
    database: float
    seconds: float
    memory: float = 0

    @property
    def cpu(self) -> float:
        return self.app + self.database


def measure(bench: Bench) -> Row:
    """COPY, the import of people who are new, and the same file again; each in its turn."""
    rows = bench.sizes.people
    file = bench.folder / "people.csv"
    _write(file, rows)
    url = bench.database.make("imports")
    said_by(os.environ | {"DATABASE_URL": url}, "manage.py", "migrate", "--verbosity", "0")
    plain = _copy(bench, url, file)
    first = _import(bench, url, file, created=rows)
    again = _import(bench, url, file, unchanged=rows)
    return Row(
        [
            at_most(
                f"import of {rows:,} new people, in CPU of a COPY",
                first.cpu / plain.cpu,
                60,
                unit="×",
            ),
            at_most(
                "the same file again, in CPU of the first time",
                again.cpu / first.cpu,
                0.5,
                unit="×",
            ),
            at_most(
                "largest memory of the program that imports",
                max(first.memory, again.memory),
                200,
                unit=" MB",
            ),
            Line("new people", f"{rows / first.seconds:,.0f} rows/s"),
            Line("people who are as the file says", f"{rows / again.seconds:,.0f} rows/s"),
        ],
        [
            f"COPY into a table with one unique index: {plain.cpu:.1f} s of CPU. The import:"
            f" {first.app:.1f} s in the app and {first.database:.1f} s in PostgreSQL; again"
            f" {again.app:.1f} s and {again.database:.1f} s. Five columns, three of them metadata."
        ],
    )


def _write(file: Path, rows: int) -> None:
    chance = random.Random(1)
    with file.open("w", encoding="utf-8") as out:
        out.write(f"{','.join(COLUMNS)}\n")
        for number in range(rows):
            cells = (chance.choice(CITIES), chance.choice(PLANS), str(chance.randrange(1000)))
            address = f"person{number}@example{number % 50}.org"
            out.write(f"{address},Person {number},{','.join(cells)}\n")


def _copy(bench: Bench, url: str, file: Path) -> Cost:
    began = time.perf_counter()
    spent = time.process_time()
    database = cpu(bench.database.pid)
    with psycopg.connect(url, autocommit=True) as connection:
        columns = ", ".join(f"{name} text" for name in COLUMNS)
        connection.execute(f"CREATE TABLE bench_plain ({columns}, UNIQUE (email))")
        into = "COPY bench_plain FROM STDIN (FORMAT csv, HEADER)"
        with connection.cursor().copy(into) as copy, file.open("rb") as lines:
            while piece := lines.read(1 << 16):
                copy.write(piece)
        seconds = time.perf_counter() - began
        cost = Cost(time.process_time() - spent, cpu(bench.database.pid) - database, seconds)
        connection.execute("DROP TABLE bench_plain")
    return cost


def _import(bench: Bench, url: str, file: Path, **expected: int) -> Cost:
    database = cpu(bench.database.pid)
    found = json.loads(
        said_by(os.environ | {"DATABASE_URL": url}, "-m", "bench.import_file", str(file))
    )
    if any(found[name] != count for name, count in expected.items()):
        raise DidNotWork(f"The import should have ended with {expected}, and did with {found}.")
    return Cost(found["cpu"], cpu(bench.database.pid) - database, found["seconds"], found["memory"])

"""The project in bench/naive, set up and run: what our rows are measured beside."""

import json
import os
from dataclasses import dataclass
from typing import Any

import psycopg

from bench import newsletter
from bench.bench import Bench
from bench.processes import DidNotWork, python, running, said_by, wait_for


@dataclass(frozen=True, slots=True)
class Told:
    """`whole`: letters a second from "send" to the last one; `steady`:
    from the first sent to the last.
    """

    whole: float
    steady: float


def _environment(bench: Bench, *, port: int, kept: bool) -> dict[str, str]:
    templates = bench.folder / "letters"
    templates.mkdir(exist_ok=True)
    files = {
        "subject.txt": newsletter.SUBJECT,
        "newsletter.txt": newsletter.text(),
        "newsletter.html": newsletter.html(),
    }
    for name, words in files.items():
        (templates / name).write_text(words, encoding="utf-8")
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "bench.naive.settings",
        "LETTERS_URL": bench.database.url("letters"),
        "LETTERS_TEMPLATES": str(templates),
        "EMAIL_PORT": str(port),
        "CONN_MAX_AGE": "600" if kept else "0",
    }


def _prepare(bench: Bench, environment: dict[str, str], letters: int) -> None:
    bench.database.make("letters")
    said_by(environment, "-m", "django", "migrate", "--run-syncdb", "--verbosity", "0")
    with psycopg.connect(bench.database.url("letters"), autocommit=True) as connection:
        reader = (
            f"{newsletter.READER_EMAIL}, {newsletter.READER_NAME}, {newsletter.READER_METADATA}"
        )
        source = f"generate_series(1, {letters}) n"
        connection.execute(
            f"INSERT INTO letters_reader (email, name, metadata) SELECT {reader} FROM {source}"
        )
        connection.execute("INSERT INTO letters_letter (reader_id) SELECT id FROM letters_reader")
        connection.execute("VACUUM ANALYZE")


def tasks(bench: Bench, *, port: int, letters: int, kept: bool) -> Told:
    """One django-q2 task for each letter, with a cluster that runs when "send" is pressed;
    `kept`: CONN_MAX_AGE=600.
    """
    environment = _environment(bench, port=port, kept=kept)
    _prepare(bench, environment, letters)
    with (
        psycopg.connect(bench.database.url("letters"), autocommit=True) as connection,
        running(
            python("-m", "django", "qcluster"),
            log=bench.folder / "qcluster.log",
            environment=environment,
        ),
    ):

        def left(table: str, where: str = "true") -> int:
            found = connection.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()
            assert found
            return int(found[0])

        said_by(
            environment,
            "-c",
            "import django; django.setup(); from django_q.tasks import async_task;"
            " async_task('time.sleep', 0)",
        )
        wait_for(
            lambda: left("django_q_task") == 1, "the cluster's first task", within=30, every=0.2
        )
        began = json.loads(said_by(environment, "-m", "bench.naive.send", "tasks"))["began"]
        wait_for(
            lambda: not left("letters_letter", "sent_at IS NULL"),
            "the last letter",
            within=180,
            every=0.2,
        )
        found: Any = connection.execute(
            "SELECT extract(epoch FROM min(sent_at))::float, extract(epoch FROM"
            " max(sent_at))::float FROM letters_letter"
        ).fetchone()
    first, last = found
    return Told(letters / (last - began), (letters - 1) / (last - first))


def post_office(bench: Bench, *, port: int, letters: int) -> Told:
    """django-post_office with two processes of its own; sending alone is what `steady` counts."""
    environment = _environment(bench, port=port, kept=True)
    _prepare(bench, environment, letters)
    words = ("-m", "bench.naive.send", "post_office")
    said = json.loads(said_by(environment, *words).splitlines()[-1])
    if said["sent"] != letters:
        raise DidNotWork(
            f"django-post_office sent {said['sent']:.0f} of {letters}, {said['failed']:.0f} failed."
        )
    return Told(
        letters / (said["ended"] - said["began"]), letters / (said["ended"] - said["queued"])
    )

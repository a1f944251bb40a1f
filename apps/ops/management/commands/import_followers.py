"""Command `manage.py import_followers people.csv --map "E-Mail=email" --tag Expo --dry-run`."""

from argparse import ArgumentParser
from itertools import starmap
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from apps.followers.imports import csv_file, run
from apps.followers.imports.columns import TARGETS, UNDECIDED, BadMapping, laid_over
from apps.followers.imports.csv_file import BadFile, Reading
from apps.followers.imports.encoding import ENCODINGS
from apps.followers.imports.options import DATES, REFUSE
from apps.followers.imports.preview import ImportPreview, preview_of
from apps.followers.imports.problems_file import problems_csv
from apps.followers.imports.status_words import MEANINGS
from apps.followers.imports.upload import discard, start_upload
from apps.followers.models import Import, ImportState
from apps.lib.actor import command
from apps.ops.terminal import console, plain

_COLOURS = {
    "create": "green",
    "update": "cyan",
    "unchanged": "dim",
    "suppress": "cyan",
    "refused": "red",
}


class Command(BaseCommand):
    help = (
        "Import followers from a CSV file or a workbook (XLSX). "
        "Whoever unsubscribed stays unsubscribed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=FIELD",
            help=(
                "may be repeated; usual headings are recognised. FIELD:"
                f" {', '.join(TARGETS)}, metadata.KEY"
            ),
        )
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            metavar="NAME",
            help="put on everybody in the file",
        )
        parser.add_argument(
            "--encoding", default="", choices=["", *ENCODINGS], help="found out when not given"
        )
        parser.add_argument(
            "--sheet", default="", help="of a workbook; the first one when not given"
        )
        parser.add_argument(
            "--delimiter", default="", help="one of , ; | or \\t; found out when not given"
        )
        parser.add_argument(
            "--country", default="", help="of phone numbers without country code, such as DE"
        )
        parser.add_argument(
            "--dates", default="", choices=DATES, help="what stands first in 03/04/2023"
        )
        parser.add_argument(
            "--welcome",
            default="",
            metavar="TYPE",
            help="these are sign-ups: greet who is new with a message of this type",
        )
        parser.add_argument(
            "--standing",
            default="",
            choices=["", *MEANINGS],
            help="what all people in the file are, where no column says it",
        )
        parser.add_argument(
            "--value",
            action="append",
            default=[],
            metavar="COLUMN:WORD=MEANING",
            help="what is read instead of a word; of a status: "
            f"{', '.join(MEANINGS)}, {REFUSE}, or nothing",
        )
        parser.add_argument(
            "--do-not-contact",
            action="store_true",
            help="suppress each address of the file, and add nobody",
        )
        parser.add_argument("--wording", default="", help="which consent text these people saw")
        parser.add_argument(
            "--keep-existing",
            action="store_true",
            help="add new people, leave known ones as they are",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would happen and change nothing"
        )
        parser.add_argument(
            "--errors", type=Path, metavar="FILE", help="write rows with problems there as CSV"
        )

    def handle(self, **options: Any) -> None:
        out = console(options)
        by = command("import_followers")
        chosen = _chosen(options)
        try:
            with options["file"].open("rb") as file:
                job = start_upload(
                    file=file,
                    file_name=options["file"].name,
                    reading=_reading(options),
                    by=by,
                    now=timezone.now(),
                )
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}") from error
        except BadFile as error:
            raise CommandError(f"{options['file']}: {error}") from error
        try:
            mapping = _mapping(job, options["map"])
            _show_mapping(out, job, mapping)
            if options["dry_run"]:
                _show_preview(out, preview_of(job, mapping, 20, options=chosen))
                discard(job=job)
                return
            run.start(
                job=job,
                mapping=mapping,
                options=chosen,
                by=by,
                now=timezone.now(),
                background=False,
            )
        except BadMapping as error:
            discard(job=job)
            raise CommandError(str(error)) from error
        job = _run(out, job)
        _show_result(out, job)
        if options["errors"] and (job.refused or job.incomplete):
            options["errors"].write_text("".join(problems_csv(job)), encoding="utf-8", newline="")
            out.print(plain(f"The rows with problems are in {options['errors']}."))
        if job.state == ImportState.FAILED:
            raise CommandError(job.error)


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """Give what was said for all rows; the rest is as the file suggests."""
    chosen = {
        "tags": options["tag"],
        "wording": options["wording"],
        "update": not options["keep_existing"],
        "do_not_contact": options["do_not_contact"],
    }
    for name in ("country", "dates", "standing", "welcome"):
        if options[name]:
            chosen[name] = options[name]
    values: dict[str, dict[str, str]] = {}
    for said in options["value"]:
        place, equals, meaning = said.rpartition("=")
        column, colon, word = place.partition(":")
        if not equals or not colon:
            raise CommandError(
                f"--value {said!r} is not COLUMN:WORD=MEANING, such as --value Status:gold=bounced."
            )
        values.setdefault(column.strip(), {})[word] = meaning
    if values:
        chosen["values"] = values
    return chosen


def _reading(options: dict[str, Any]) -> Reading:
    delimiter = options["delimiter"].replace("\\t", "\t")
    if delimiter not in ("", *csv_file.DELIMITERS):
        raise CommandError(f"--delimiter {delimiter!r} is none. Use one of , ; | or \\t.")
    return Reading(options["encoding"], delimiter, options["sheet"])


def _mapping(job: Import, pairs: list[str]) -> dict[str, str]:
    """What the headings suggest, with the caller's own words on top."""
    own: dict[str, str] = {}
    for pair in pairs:
        column, equals, field = pair.rpartition("=")
        if not equals:
            raise BadMapping(f"--map {pair!r} is not COLUMN=FIELD, such as --map E-Mail=email.")
        own[column.strip()] = field.strip()
    return laid_over(job.mapping, own)


def _show_mapping(out: Console, job: Import, mapping: dict[str, str]) -> None:
    dialect = job.dialect
    out.print(
        plain(
            f"{job.file_name}: {job.rows_total:,} rows, {dialect['encoding']}, delimiter"
            f" {dialect['delimiter']!r}"
        )
    )
    if dialect.get("system"):
        out.print(plain(f"An export of {dialect['system']}."))
    table = Table("Column", "becomes", box=box.SIMPLE_HEAD, header_style="bold")
    for column in dialect["columns"]:
        field = mapping.get(column, "ignore")
        becomes = plain(field, "cyan")
        if field == "ignore":
            becomes = plain("left out", "dim")
        elif field == UNDECIDED:
            becomes = plain("undecided: may say who opted out", "red")
        table.add_row(plain(column), becomes)
    out.print(table)


def _difference(name: str, before: str, after: str) -> str:
    if before:
        return f"{name}: {before} → {after}"
    return f"{name}: {after}"


def _show_preview(out: Console, preview: ImportPreview) -> None:
    table = Table("Line", "What", "Changes", box=box.SIMPLE_HEAD, header_style="bold")
    shown = {row.line: row for row in [*preview.rows, *preview.problems]}
    for line, row in sorted(shown.items()):
        changes = "; ".join(starmap(_difference, row.differences))
        action = plain(row.action.value, _COLOURS[row.action])
        table.add_row(str(line), action, plain(row.note or changes))
    out.print(table)
    counts = ", ".join(f"{number:,} {name}" for name, number in preview.counts.items())
    extent = "the first"
    if preview.complete:
        extent = "all"
    for sort in preview.sorts:
        out.print(plain(f"{sort.count:,} × {sort.label}"))
    for column in preview.words:
        for word in column.words:
            if word.meaning is None:
                out.print(plain(f"{column.column}: {word.text!r} ({word.count:,}) is not known."))
    out.print(plain(f"Dry run of {extent} {preview.read:,} rows: {counts}. Nothing was changed."))


def _run(out: Console, job: Import) -> Import:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=out) as progress:
        bar = progress.add_task("Importing", total=job.rows_total)
        try:
            for step in run.slices(job.pk):
                progress.update(bar, completed=step.rows_done)
        except run.Taken as taken:  # this process slept for longer than its lease
            raise CommandError(f"{taken} It goes on in the background.") from taken
    job.refresh_from_db()
    return job


def _show_result(out: Console, job: Import) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    numbers = {
        "created": "green",
        "updated": "cyan",
        "unchanged": "dim",
        "suppressed": "cyan",
        "refused": "red",
        "incomplete": "red",
    }
    for name, colour in numbers.items():
        table.add_column(name.title(), justify="right", style=colour)
    table.add_row(*(f"{getattr(job, name):,}" for name in numbers))
    out.print(table)
    for problem in job.problems.all()[:10]:
        out.print(plain(f"Line {problem.line:,}: ", "red"), plain(problem.message), sep="")
    faulty = job.refused + job.incomplete
    if faulty > 10:
        out.print(plain(f"... and {faulty - 10:,} more; --errors FILE writes them all.", "dim"))

"""Show the rows of an import that were refused or lost a cell: the first ones in the reader's
words, and all as a CSV file, to be corrected and uploaded again.
"""

import csv
import datetime as dt
import io
from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext

from apps.followers.imports.cells import inert
from apps.followers.imports.csv_file import CsvRow
from apps.followers.imports.judging.decisions import refusal_of
from apps.followers.imports.person import BadRow
from apps.followers.imports.rows import Terms, read
from apps.followers.models import Import, ImportProblem
from apps.lib.erasing.letting_go import AT_ONCE


def old_problems(*, before: dt.datetime) -> QuerySet[ImportProblem]:
    """Find the refused rows of files that were through before this moment."""
    return ImportProblem.objects.filter(job__finished_at__lt=before)


def forget_old(*, before: dt.datetime) -> int:
    """Delete refused rows of files that were through before this moment, some at a time; returns
    how many. The import keeps their number.
    """
    chosen = list(old_problems(before=before).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    ImportProblem.objects.filter(pk__in=chosen).delete()
    return len(chosen)


def problems_in_words(job: Import, most: int) -> list[ImportProblem]:
    """Give the first problems, in the order of the file; their messages, which are kept in English,
    in the reader's language, as far as reading the row again finds them.
    """
    terms = Terms.kept(job)
    problems = list(job.problems.all()[:most])
    for problem in problems:
        row = CsvRow(problem.line, problem.row, 0, 0)
        with translation.override("en"):
            found = _found(row, terms)[: len(problem.message)]
        if found == problem.message:
            problem.message = _found(row, terms)
        else:
            problem.message = gettext(problem.message)
    return problems


def _found(row: CsvRow, terms: Terms) -> str:
    """Say what is wrong with a row by itself."""
    try:
        person = read(row, terms)
    except BadRow as error:
        return refusal_of(error.sentence, error.person, terms.options)
    return " ".join(problem.message for problem in person.problems)


def problems_csv(job: Import) -> Iterator[str]:
    """Give the file piece by piece: line, problem, then the row's own cells, made inert.

    Corrected and uploaded again it imports only them:
    “Line” and “Problem” are left out by themselves.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # without it Excel reads UTF-8 as something else
    writer.writerow(["Line", "Problem", *map(inert, job.dialect["columns"])])
    for problem in job.problems.iterator(chunk_size=1000):
        writer.writerow([problem.line, inert(problem.message), *map(inert, problem.row)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()

"""Write the rows of an import that were refused or lost a cell as a CSV file, to be corrected and
uploaded again.
"""

import csv
import io
from collections.abc import Iterator

from apps.followers.imports.cells import inert
from apps.followers.models import Import


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

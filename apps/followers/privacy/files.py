"""Files of imports that wait or run: the lines about somebody are found, and made unreadable when
the person is erased.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from apps.followers.imports.csv_file import raw_of
from apps.followers.imports.upload import path_of
from apps.followers.models import Import, ImportState
from apps.lib.erasing.person import DataSubject

_OPEN = (ImportState.UPLOADED, ImportState.RUNNING)


def lines_about(person: DataSubject) -> Iterator[tuple[Import, str]]:
    """Give each line that names the person, with the import in whose file it waits."""
    for job in Import.objects.filter(state__in=_OPEN).order_by("pk"):
        path = path_of(job)
        if path.exists():
            with path.open("rb") as file:
                for line in file:
                    text = line.decode(errors="replace").rstrip()
                    if person.is_in(text):
                        yield job, text


def clear(person: DataSubject) -> None:
    """Write over the person's lines, byte for byte, so that a run finds its place. They are then
    refused as lines without an address.
    """
    for job in Import.objects.filter(state__in=_OPEN):
        keep = (job.dialect["delimiter"] + '"\r\n').encode()
        if _clear(path_of(job), keep, person):
            # as it was uploaded, in whatever encoding
            raw_of(path_of(job)).unlink(missing_ok=True)


def _clear(path: Path, keep: bytes, person: DataSubject) -> bool:
    if not path.exists() or not path.stat().st_size:
        return False
    found = False
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        begin = 0
        while line := memory.readline():
            end = begin + len(line)
            if person.is_in(line.decode(errors="replace")):
                memory[begin:end] = bytes(_over(byte, keep) for byte in line)
                found = True
            begin = end
        memory.flush()
    return found


def _over(byte: int, keep: bytes) -> int:
    if byte in keep:
        return byte
    return ord("x")

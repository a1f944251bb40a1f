"""The reports in a mail: unpacked with a limit for all of them, told apart by their first bytes."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress

from apps.channels.doctor.reports.aggregate import read_xml
from apps.channels.doctor.reports.report import BadReport, Budget, Observed
from apps.channels.doctor.reports.tls_report import read_json
from apps.channels.returned.mail_parts import MailParts

MOST_REPORTS = 5  # of one mail; receivers send one
PIECE = 65_536
_GZIP = b"\x1f\x8b"
_ZIP = b"PK\x03\x04"
_KINDS = {
    "application/gzip",
    "application/x-gzip",
    "application/tlsrpt+gzip",
    "application/tlsrpt+json",
    "application/zip",
    "application/x-zip-compressed",
    "application/xml",
    "text/xml",
    "application/json",
    "application/octet-stream",
}


def reports_in(parts: MailParts) -> list[Observed]:
    """Read the reports that a mail brings; none for a mail of another kind.

    A part that can't be read, or that is more than a mail may cost, is left out.
    """
    found: list[Observed] = []
    budget = Budget()
    for part in [each for each in parts.parts if each.kind in _KINDS][:MOST_REPORTS]:
        data = part.whole.get_payload(decode=True)
        if isinstance(data, bytes):
            with suppress(BadReport):
                found += reports_of(data, budget)
    return found


def reports_of(data: bytes, budget: Budget | None = None) -> list[Observed]:
    """Read a file as it is attached; [] for a file that is no report. Raises BadReport."""
    budget = budget or Budget()
    pieces = _unpacked(data, budget)
    first = next(pieces, b"").lstrip(b"\xef\xbb\xbf \t\r\n")
    if first.startswith(b"<"):
        return [read_xml(_after(first, pieces), budget)]
    if first.startswith(b"{"):
        return read_json(b"".join(_after(first, pieces)), budget)
    return []


def _after(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from pieces


def _unpacked(data: bytes, budget: Budget) -> Iterator[bytes]:
    """Give what is packed, piece by piece. Raises BadReport for more than any report is."""
    if data.startswith(_GZIP):
        pieces = _gunzipped(data)
    elif data.startswith(_ZIP):
        pieces = _unzipped(data)
    else:
        pieces = iter([data])
    for piece in pieces:
        budget.unpack(len(piece))
        yield piece


def _gunzipped(data: bytes) -> Iterator[bytes]:
    unpack = zlib.decompressobj(wbits=31)
    try:
        while data and not unpack.eof:
            yield unpack.decompress(data, PIECE)
            data = unpack.unconsumed_tail
    except zlib.error as error:
        raise BadReport(f"It can't be unpacked: {error}.") from error
    if not unpack.eof:
        raise BadReport("It was cut off.")


def _unzipped(data: bytes) -> Iterator[bytes]:
    """Give the first file of an archive: a report is the only one in it."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [each for each in archive.infolist() if not each.is_dir()]
            if not names:
                return
            with archive.open(names[0]) as file:
                while piece := file.read(PIECE):
                    yield piece
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as error:
        raise BadReport(f"It can't be unpacked: {error}.") from error

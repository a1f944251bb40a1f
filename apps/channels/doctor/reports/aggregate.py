"""DMARC aggregate reports (RFC 9990, and RFC 7489 before it), read while they are unpacked.

Namespaces and the many fields that receivers leave out make no difference. A document type is
refused: entities are the one thing in XML by which a small file becomes a large one.
"""

import codecs
import re
from collections.abc import Iterator
from typing import NoReturn
from xml.parsers import expat

from apps.channels.doctor.reports.report import (
    MOST_TEXT,
    BadReport,
    Budget,
    Observed,
    Sort,
    moment,
    words,
)

MOST_ROWS = 1000  # kept of one report; further sources are counted together
DEEPEST = 12
DONE = ("none", "quarantine", "reject", "pass")
ONE_BYTE = ("iso-8859-1", "latin1", "windows-1252")  # all else is or should be UTF-8
OTHERS = "others"
_ENCODING = re.compile(rb"""^<\?xml [^>]{0,80}encoding=["']([\w.-]{1,30})["']""")
_BEGIN = "report_metadata/date_range/begin"
_END = "report_metadata/date_range/end"

Key = tuple[str, bool, bool, str]


def read_xml(pieces: Iterator[bytes], budget: Budget) -> Observed:
    """Read a report from its bytes as they come. What breaks off after a record is taken as far as
    it goes: some receivers forget to close their first element. Raises BadReport.
    """
    reader = _Reader(budget)
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        for piece in _decoded(pieces):
            parser.Parse(piece.encode())
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        if not reader.has_records:
            raise BadReport(f"This is no XML: {error}.") from error
    return reader.report()


def _decoded(pieces: Iterator[bytes]) -> Iterator[str]:
    """Decode as the first line says, else by UTF-8; what does not fit is replaced: a single wrong
    byte in a name makes no report worthless.
    """
    first = next(pieces, b"")
    named = _ENCODING.search(first[:200])
    encoding = "utf-8"
    if named and named[1].decode().lower() in ONE_BYTE:
        encoding = "cp1252"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    yield decoder.decode(first)
    for piece in pieces:
        yield decoder.decode(piece)


def _refuse(*of: object) -> NoReturn:
    raise BadReport("A report has no document type.")


class _Reader:
    """Values by their path below the root; those of a record are added up when it ends."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._path: list[str] = []
        self._words = ""
        self._head: dict[str, str] = {}
        self._record: dict[str, str] = {}
        self._counts: dict[Key, int] = {}

    def start(self, tag: str, attributes: object) -> None:
        self._budget.read()
        if len(self._path) >= DEEPEST:
            raise BadReport("Its elements stand too deep within each other.")
        name = tag.rpartition(" ")[2]
        if name == "feedback":  # the root, but for receivers that put their schema around it
            self._path.clear()
        self._path.append(name)
        self._words = ""

    def text(self, more: str) -> None:
        if len(self._words) < MOST_TEXT:
            self._words = (self._words + more)[:MOST_TEXT]

    def end(self, tag: str) -> None:
        below = self._path[1:]
        value = self._words.strip()
        if below == ["record"]:
            self._add()
        elif value and below[:1] == ["record"]:
            self._record.setdefault("/".join(below[1:]), value)
        elif value:
            self._head.setdefault("/".join(below), value)
        if self._path:
            self._path.pop()
        self._words = ""

    def _add(self) -> None:
        told = self._record
        self._record = {}
        count = _number(told.get("row/count", "0"))
        done = told.get("row/policy_evaluated/disposition", "").lower()
        if done not in DONE:
            done = ""
        key = (
            words(told.get("row/source_ip", ""), 45),
            told.get("row/policy_evaluated/dkim", "").lower() == "pass",
            told.get("row/policy_evaluated/spf", "").lower() == "pass",
            done,
        )
        if key not in self._counts and len(self._counts) >= MOST_ROWS:
            key = (OTHERS, *key[1:])
        self._counts[key] = self._counts.get(key, 0) + count

    @property
    def has_records(self) -> bool:
        return bool(self._counts)

    def report(self) -> Observed:
        head = self._head
        domain = head.get("policy_published/domain", "").lower().rstrip(".")
        if not domain or _BEGIN not in head:
            raise BadReport("It names no domain, or no time.")
        rows = [
            {"ip": ip, "count": count, "dkim": dkim, "spf": spf, "done": done}
            for (ip, dkim, spf, done), count in self._counts.items()
        ]
        total = sum(self._counts.values())
        passed = sum(count for (_, dkim, spf, _), count in self._counts.items() if dkim or spf)
        begin = moment(_number(head[_BEGIN]))
        return Observed(
            sort=Sort.DMARC,
            domain=domain,
            organization=words(head.get("report_metadata/org_name", "")),
            name=words(head.get("report_metadata/report_id", "")),
            begin=begin,
            end=max(begin, moment(_number(head.get(_END, head[_BEGIN])))),
            passed=passed,
            failed=total - passed,
            rows=rows,
        )


def _number(told: str) -> int:
    """Read a count or a time. Raises BadReport for what is none, or larger than any is."""
    if not told.isdecimal() or len(told) > 12:
        raise BadReport(f"{told[:40]} is no number.")
    return int(told)

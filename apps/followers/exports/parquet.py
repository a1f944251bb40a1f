"""A Parquet file that leaves while it is written: a group of rows at a time.

What each column holds is said by the source and never guessed from rows: all files of all exports
have one schema, as a warehouse wants it.
"""

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from apps.followers.exports.source import MOMENT, NUMBER, TRUTH, WHOLE

GROUP = 20_000  # rows; smaller groups compress badly, and all of one lie in memory


class _Stream:
    """A file that remembers only what nobody has taken yet."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Do nothing; Arrow asks for it."""

    def close(self) -> None:
        """Do nothing: what was written is still to be taken."""

    def taken(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found


def parquet(
    columns: Mapping[str, str], chunks: Iterable[Sequence[Sequence[Any]]]
) -> Iterator[bytes]:
    """Give the file. Needs pyarrow."""
    import pyarrow as arrow
    from pyarrow.parquet import ParquetWriter

    types = {
        MOMENT: arrow.timestamp("us", tz="UTC"),
        TRUTH: arrow.bool_(),
        WHOLE: arrow.int64(),
        NUMBER: arrow.float64(),
    }
    fields = [(name, types.get(held, arrow.string())) for name, held in columns.items()]
    schema = arrow.schema(fields)
    stream = _Stream()
    writer = ParquetWriter(arrow.PythonFile(stream, mode="w"), schema, compression="zstd")
    for rows in _grouped(chunks):
        table = {
            name: [_value(row[place], held) for row in rows]
            for place, (name, held) in enumerate(columns.items())
        }
        writer.write_table(arrow.Table.from_pydict(table, schema=schema))
        yield stream.taken()
    writer.close()
    yield stream.taken()


def _grouped(chunks: Iterable[Sequence[Sequence[Any]]]) -> Iterator[list[Sequence[Any]]]:
    group: list[Sequence[Any]] = []
    for rows in chunks:
        group += rows
        if len(group) >= GROUP:
            yield group
            group = []
    if group:
        yield group


def _value(value: Any, held: str) -> Any:
    if value is None:
        return None
    if held == MOMENT:
        return dt.datetime.fromisoformat(value)
    if held in (TRUTH, WHOLE, NUMBER) or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)

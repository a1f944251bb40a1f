"""Write thousands of rows of a model at once: on PostgreSQL by COPY, elsewhere by one statement
for all. For the ORM each row is an object and each value a parameter, and that takes longer than
the database does.

What is alike in all rows is said once, by a row that is not stored. No signal of Django's is sent.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from django.db import connection
from django.db.models import DateTimeField, Field, JSONField, Model, UUIDField

from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import wrapped_errors

_AT_ONCE = 1000  # rows in one piece of a COPY
_encode = json.JSONEncoder(ensure_ascii=False).encode
_Rows = Sequence[Sequence[Any]]
_Column: TypeAlias = "Field[Any, Any]"


def next_keys(model: type[Model], count: int) -> Sequence[int]:
    """Take primary keys for rows that are written in this transaction.

    On SQLite it has written already, so that nobody else does.
    """
    table = model._meta.db_table
    if connection.vendor == "postgresql":
        sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
        return [key for (key,) in run(sql, [table, count])]
    found = run("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
    last = 0
    for (seq,) in found:
        last = seq
    return range(last + 1, last + 1 + count)


def insert_like(
    alike: Model, columns: Sequence[str], rows: _Rows, *, missing: bool = False
) -> None:
    """Store rows that are as `alike`, but for these columns (attributes of the model).

    With `missing`, rows that are there already are left out.
    """
    if not rows:
        return
    model = type(alike)
    fields = _fields(model, columns)
    for field in model._meta.concrete_fields:
        if not (field in fields or field.primary_key or field.generated):
            fields.append(field)
    constants = [getattr(alike, field.attname) for field in fields[len(columns) :]]
    table = _name(model._meta.db_table)
    names = ", ".join(_name(field.column) for field in fields)
    if connection.vendor == "postgresql" and not missing:
        into = f"COPY {table} ({names}) FROM STDIN"
        with connection.cursor() as cursor, wrapped_errors(), cursor.cursor.copy(into) as copy:
            for piece in _pieces(fields, constants, rows):
                copy.write(piece)
        return
    words = ["INSERT INTO", table, f"({names})"]
    unless = ["ON CONFLICT DO NOTHING"] * missing
    whole = [[*row, *constants] for row in rows]
    if connection.vendor == "postgresql":
        words += ["SELECT", names, "FROM", _said(fields), *unless]
        run(" ".join(words), [_as_json(fields, whole)])
    else:
        marks = ", ".join("%s" for _ in fields)
        words += [f"VALUES ({marks})", *unless]
        _run_each(" ".join(words), fields, whole)


def update_rows(model: type[Model], columns: Sequence[str], rows: _Rows) -> None:
    """Change stored rows; the first column finds them."""
    if not rows:
        return
    key, *fields = _fields(model, columns)
    table = _name(model._meta.db_table)
    found_by = _name(key.column)
    words = ["UPDATE", table, "SET"]
    if connection.vendor == "postgresql":
        changes = [f"{_name(each.column)} = said.{_name(each.column)}" for each in fields]
        words += [", ".join(changes), "FROM", _said([key, *fields])]
        words += ["WHERE", f"{table}.{found_by} = said.{found_by}"]
        run(" ".join(words), [_as_json([key, *fields], rows)])
        return
    changes = [f"{_name(each.column)} = %s" for each in fields]
    words += [", ".join(changes), "WHERE", f"{found_by} = %s"]
    _run_each(" ".join(words), [*fields, key], [[*row[1:], row[0]] for row in rows])


def _fields(model: type[Model], columns: Sequence[str]) -> list[_Column]:
    named = {field.attname: field for field in model._meta.concrete_fields}
    return [named[name] for name in columns]


def _name(name: str | None) -> str:
    quoted: str = connection.ops.quote_name(str(name))
    return quoted


def _said(fields: Sequence[_Column]) -> str:
    """Name one JSON parameter as a table with these columns."""
    columns = [f"{_name(field.column)} {field.db_type(connection)}" for field in fields]
    return f"jsonb_to_recordset(%s::jsonb) AS said({', '.join(columns)})"


def _as_json(fields: Sequence[_Column], rows: _Rows) -> str:
    names = [field.column for field in fields]
    return json.dumps([dict(zip(names, row, strict=True)) for row in rows], default=str)


def _pieces(fields: Sequence[_Column], constants: Sequence[Any], rows: _Rows) -> Iterator[str]:
    """Give the rows as COPY reads them, a thousand at a time."""
    varying = len(fields) - len(constants)
    writers = [_writer(field) for field in fields]
    fixed = [write(value) for write, value in zip(writers[varying:], constants, strict=True)]
    end = "\t".join(["", *fixed]) + "\n"
    writers = writers[:varying]
    for start in range(0, len(rows), _AT_ONCE):
        lines = []
        for row in rows[start : start + _AT_ONCE]:
            cells = [write(value) for write, value in zip(writers, row, strict=True)]
            lines.append("\t".join(cells) + end)
        yield "".join(lines)


def _writer(field: _Column) -> Callable[[Any], str]:
    if isinstance(field, JSONField):
        return _json
    if isinstance(field.choices, list) or field.get_internal_type() in _TEXTS:
        return _text
    return _plain


_TEXTS = ("CharField", "TextField", "SlugField", "GenericIPAddressField")


def _plain(value: Any) -> str:
    """Write a number, a moment, an id, or yes and no."""
    if value is None:
        return r"\N"
    return str(value)


def _text(value: str | None) -> str:
    if value is None:
        return r"\N"
    if "\\" in value:
        value = value.replace("\\", r"\\")
    if not value.isprintable():
        value = value.replace("\t", r"\t").replace("\n", r"\n").replace("\r", r"\r")
    return value


def _json(value: Any) -> str:
    if value is None:
        return r"\N"
    return _encode(value).replace("\\", r"\\")


def _run_each(sql: str, fields: Sequence[_Column], rows: _Rows) -> None:
    """Run one statement for each row, with values as SQLite keeps them."""
    adapters = [_adapter(field) for field in fields]
    adapted = []
    for row in rows:
        pairs = zip(adapters, row, strict=True)
        adapted.append([adapt(value) for adapt, value in pairs])
    with connection.cursor() as cursor:
        cursor.executemany(sql, adapted)


def _adapter(field: _Column) -> Callable[[Any], Any]:
    if isinstance(field, JSONField | DateTimeField | UUIDField):
        return lambda value: field.get_db_prep_value(value, connection)
    return _as_it_is


def _as_it_is(value: Any) -> Any:
    return value

"""Public ids: time-ordered UUIDs (RFC 9562, version 7), made in Python or, for set-wise inserts,
in SQL.
"""

import datetime as dt
import os
import sqlite3
import time
import uuid
from typing import Any, TypeVar

from django.db.backends.signals import connection_created
from django.db.models import Func, Model, QuerySet, UUIDField
from django.dispatch import receiver

M = TypeVar("M", bound=Model)


def uuid7() -> uuid.UUID:
    """Time-ordered UUID (RFC 9562 6.2, method 3): 48 bits of milliseconds, 12 bits of their
    fraction, then 62 random bits.

    The fraction keeps ids of one process in order:
    a list of ids made in the same millisecond is still in their order.
    """
    millis, rest = divmod(time.time_ns(), 1_000_000)
    fraction = rest * 4096 // 1_000_000
    random = int.from_bytes(os.urandom(8), "big") & ~(0x3 << 62)
    return uuid.UUID(int=millis << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | random)


def read_uid(text: str) -> uuid.UUID | None:
    """The id that a text is, in any of the forms of a UUID; None where it is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def row_with(rows: QuerySet[M], text: str) -> M | None:
    """Find the row whose public id, its column `uid`, a text is; None where there is none."""
    uid = read_uid(text)
    if uid is None:
        return None
    return rows.filter(uid=uid).first()


def moment_of(uid: uuid.UUID) -> dt.datetime:
    """When a `uuid7` was made, to the millisecond; 1970 for what is none."""
    return dt.datetime.fromtimestamp((uid.int >> 80) / 1000, dt.UTC)


class Uuid7(Func):
    """UUID as `uuid7()` makes it, as a database expression, for INSERT ... SELECT."""

    function = "carillon_uuid7"
    arity = 0
    output_field = UUIDField()

    def as_postgresql(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[()]]:
        # gen_random_uuid() gives version 4; the first 48 bits become the time and bits 52/53 turn 4
        # into 7.
        # extract() reckons in slow decimals
        millis = "(date_part('epoch', clock_timestamp()) * 1000)::bigint"
        return (
            "encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid()) placing "
            f"substring(int8send({millis}) from 3) from 1 for 6), 52, 1), 53, 1), 'hex')::uuid"
        ), ()


@receiver(connection_created, dispatch_uid="carillon-uuid7")
def _teach_sqlite(connection: Any, **kwargs: Any) -> None:
    if isinstance(connection.connection, sqlite3.Connection):
        # Django stores UUIDs on SQLite as 32 hex digits.
        connection.connection.create_function("carillon_uuid7", 0, lambda: uuid7().hex)

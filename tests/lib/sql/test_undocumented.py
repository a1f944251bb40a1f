"""What Django does not promise is there, and does what we use it for.

A failure here names the part of Django that another release has changed:
apps/lib/sql/undocumented.py is the one place to mend.
"""

import datetime as dt
import inspect
from typing import Any

import django
import pytest
from django.db import DatabaseError, connection
from django.db.models import Q, query
from django.db.models.fields.json import KeyTransform, KeyTransformGt, KeyTransformLt
from django.db.models.sql.compiler import SQLCompiler

from apps.followers.models import Address, Follower
from apps.lib.sql import undocumented

pytestmark = pytest.mark.django_db


def test_what_fills_in_related_objects_takes_what_we_give_it() -> None:
    taken = list(inspect.signature(query.get_related_populators).parameters)
    given = ["klass_info", "select", "db"]
    if undocumented.KNOWS_FETCH_MODES:
        given.append("fetch_mode")
    assert taken == given, f"Django {django.__version__} asks for other things"


@pytest.mark.parametrize("name", ["as_sql", "get_converters", "apply_converters"])
def test_a_compiler_has_the_methods_we_call(name: str) -> None:
    assert callable(getattr(SQLCompiler, name, None)), f"Django {django.__version__} has none"


def test_a_queryset_tells_its_statement(anna: Follower) -> None:
    rows = Follower.objects.filter(uid=anna.uid).values_list("name")
    sql, parameters = undocumented.statement_of(rows)
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        assert cursor.fetchall() == [(anna.name,)]


def test_a_row_is_made_into_what_the_orm_makes_of_it(anna: Follower) -> None:
    rows = Address.objects.filter(follower=anna).select_related("follower").order_by("pk")
    reading = undocumented.reading_of(rows)
    with connection.cursor() as cursor:
        cursor.execute(reading.sql, reading.parameters)
        found = [reading.made(reading.values(row)) for row in cursor.fetchall()]
    wanted = list(rows)
    fields = [field.attname for field in Address._meta.concrete_fields]
    for one, other in zip(found, wanted, strict=True):
        assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
        assert one.follower.metadata == other.follower.metadata
        assert (one._state.db, one._state.adding) == (other._state.db, other._state.adding)


@pytest.mark.parametrize(
    ("lookup", "limit", "is_found"),
    [(KeyTransformGt, 9.5, True), (KeyTransformGt, 10, False), (KeyTransformLt, 100, True)],
)
def test_a_number_in_json_is_compared_as_a_number(
    lookup: Any, limit: float, is_found: bool, anna: Follower
) -> None:
    Follower.objects.filter(pk=anna.pk).update(metadata={"age": 10})
    number = undocumented.comparable_in_json(limit)
    condition = Q(lookup(KeyTransform("age", "metadata"), number))
    assert Follower.objects.filter(condition, pk=anna.pk).exists() is is_found


def test_the_drivers_errors_become_djangos() -> None:
    with pytest.raises(DatabaseError), undocumented.wrapped_errors():
        raise connection.Database.DatabaseError("the driver's own")


def test_the_backend_has_the_features_we_ask_for() -> None:
    moment = dt.datetime(2026, 5, 1, 8, tzinfo=dt.UTC)
    assert isinstance(connection.features.has_select_for_update_skip_locked, bool)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s", [connection.ops.adapt_datetimefield_value(moment)])
        assert "2026-05-01" in str(cursor.fetchone()[0])

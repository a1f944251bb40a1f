"""Rows that are written by thousands are those that the ORM would write."""

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from apps.followers.models import Follower, Suppression, Tag, Tagging
from apps.lib.sql.writing.many_rows import insert_like, next_keys, update_rows
from tests.make import make_follower

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 12, 1, 8, 30, 15, 123456, tzinfo=dt.UTC)
ODD = ["", "plain", "tab\tnew\nline\rreturn", "\\N \\t \\", "quote \" ' {}, $1 %s", "Ёлка 🎄 é"]


def columns_of(key: int) -> dict[str, Any]:
    return Follower.objects.filter(pk=key).values().get()


def test_whatever_stands_in_a_row_is_stored_as_the_orm_stores_it() -> None:
    last = make_follower(email="a@example.com").pk
    keys = next_keys(Follower, len(ODD))
    assert len(set(keys)) == len(ODD)
    assert min(keys) > last
    rows = []
    for key, text in zip(keys, ODD, strict=True):
        metadata = {text: [text, 1, 2.5, True, None, {"in": text}]}
        rows.append((key, uuid.uuid4(), text, f"id {text}", NOW, None, metadata))
    columns = ("id", "uid", "name", "external_id", "subscribed_at", "links_since", "metadata")
    insert_like(Follower(created_at=NOW, updated_at=NOW), columns, rows)
    assert make_follower(email="b@example.com").pk > max(keys)
    for row in rows:
        ours = columns_of(row[0])
        Follower.objects.filter(pk=row[0]).delete()
        values = dict(zip(columns, row, strict=True))
        Follower.objects.create(created_at=NOW, updated_at=NOW, **values)
        assert columns_of(row[0]) == ours


def test_rows_are_changed_each_to_its_own_values() -> None:
    people = [make_follower(email=f"p{number}@example.com") for number in range(len(ODD) + 1)]
    rows = [(one.pk, text, {"k": text}, NOW) for one, text in zip(people, ODD, strict=False)]
    update_rows(Follower, ("id", "name", "metadata", "updated_at"), rows)
    for row in rows:
        changed = Follower.objects.get(pk=row[0])
        assert (changed.pk, changed.name, changed.metadata, changed.updated_at) == row
    assert Follower.objects.get(pk=people[-1].pk).updated_at != NOW


def test_what_is_there_already_is_refused_or_left_out_as_the_caller_says() -> None:
    follower = make_follower(email="a@example.com", tags=["vip"])
    vip = Tag.objects.get()
    new = Tag.objects.create(name="new", slug="new", created_at=NOW)
    rows = [(follower.pk, vip.pk), (follower.pk, new.pk)]
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_like(Tagging(created_at=NOW), ("follower_id", "tag_id"), rows)
    assert Tagging.objects.count() == 1
    insert_like(Tagging(created_at=NOW), ("follower_id", "tag_id"), rows, missing=True)
    assert set(Tagging.objects.values_list("follower_id", "tag_id")) == set(rows)


def test_nothing_to_write_is_no_statement(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        insert_like(Tag(), ("name",), [])
        update_rows(Tag, ("id", "name"), [])


@pytest.mark.parametrize("text", ODD)
def test_a_text_is_found_among_others_by_one_parameter(text: str) -> None:
    Suppression.objects.create(channel="email", key=text, created_at=NOW)
    found = Suppression.objects.filter(key__among=["x", text, text])
    assert [row.key for row in found] == [text]
    assert not Suppression.objects.filter(key__among=[f"{text} "]).exists()
    assert not Suppression.objects.filter(key__among=[]).exists()

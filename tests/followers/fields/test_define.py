"""Staff define what a key of the metadata means; whatever writes followers keeps to it."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.followers.fields import index
from apps.followers.fields.define import BadField, FieldValues, change_field, delete_field
from apps.followers.fields.fitting import UnfitMetadata
from apps.followers.models import CustomField, Follower
from apps.followers.people import search
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from tests.followers.fields.world import make_field
from tests.followers.imports.world import run_import, upload
from tests.make import TESTER, make_follower


def change(follower: Follower, **metadata: Any) -> dict[str, Any]:
    values = Profile(metadata_changes=metadata)
    now = timezone.now()
    kept: dict[str, Any] = change_follower(
        follower=follower, values=values, by=TESTER, now=now
    ).metadata
    return kept


@pytest.mark.django_db
def test_a_value_is_kept_in_the_form_of_its_field_and_other_keys_hold_what_they_like() -> None:
    make_field()
    make_field("orders", "number")
    selma = make_follower(
        name="Selma", metadata={"plan": "PROFESSIONAL", "orders": "7", "shoe": [1]}
    )
    assert selma.metadata == {"plan": "pro", "orders": 7, "shoe": [1]}
    assert change(selma, plan="", orders=8) == {"orders": 8, "shoe": [1]}


@pytest.mark.django_db
def test_all_that_does_not_fit_is_told_by_its_key_and_nothing_is_kept() -> None:
    make_field()
    make_field("orders", "number")
    selma = make_follower(name="Selma", metadata={"plan": "pro"})
    with pytest.raises(UnfitMetadata) as refused:
        change(selma, plan="gold", orders="many")
    assert [key for key, _ in refused.value.faults] == ["metadata.plan", "metadata.orders"]
    selma.refresh_from_db()
    assert selma.metadata == {"plan": "pro"}


@pytest.mark.django_db
def test_what_was_there_before_the_field_stays_and_stops_nothing() -> None:
    selma = make_follower(name="Selma", metadata={"plan": "gold"})
    make_field()
    assert change(selma, plan="gold", city="Riga") == {"plan": "gold", "city": "Riga"}
    with pytest.raises(UnfitMetadata):
        change(selma, plan="silver")


@pytest.mark.django_db
def test_a_site_may_keep_nothing_but_its_fields(settings: Any) -> None:
    settings.CUSTOM_FIELDS_ONLY = True
    make_field()
    selma = make_follower(name="Selma", metadata={"plan": "pro"})
    with pytest.raises(UnfitMetadata, match="Did you mean plan"):
        change(selma, Plan="pro")
    with pytest.raises(UnfitMetadata, match="“shoe”, and this site keeps nothing else"):
        change(selma, shoe=41)
    assert upload("email,Plan,shoe\na@example.com,pro,41\n").mapping == {
        "email": "email",
        "Plan": "metadata.plan",
        "shoe": "ignore",
    }


@pytest.mark.django_db
def test_an_import_fills_fields_by_label_and_a_bad_cell_costs_the_cell() -> None:
    make_field(labels={"en": "Plan", "ru": "Тариф"})
    make_field("orders", "number")
    job = run_import(
        "email,Тариф,orders,shoe\n"
        'good@example.com,профи,"1 234,5",41\n'
        "bad@example.com,gold,many,42\n"
    )
    kept = {row.email: row.metadata for row in Follower.objects.prefetch_related("addresses")}
    assert kept["good@example.com"] == {"plan": "pro", "orders": 1234.5, "shoe": "41"}
    assert kept["bad@example.com"] == {"shoe": "42"}
    assert (job.created, job.refused, job.incomplete) == (2, 0, 1)


@pytest.mark.django_db
def test_a_definition_is_changed_and_deleted_and_the_history_says_so() -> None:
    field = make_field(public=True)
    selma = make_follower(name="Selma", metadata={"plan": "pro"})
    values = FieldValues(kind="text", labels={"en": "Tariff", "pt-br": "Plano"})
    changed = change_field(field=field, values=values, by=TESTER, now=timezone.now())
    assert (changed.kind, changed.options, changed.public) == ("text", [], True)
    assert changed.label("pt-BR") == "Plano"
    assert changed.label("de") == "Tariff"
    delete_field(field=changed, by=TESTER, now=timezone.now())
    selma.refresh_from_db()
    assert selma.metadata == {"plan": "pro"}
    kinds = AuditEntry.objects.filter(kind__startswith="custom_field").values_list(
        "kind", flat=True
    )
    assert sorted(kinds) == ["custom_field.changed", "custom_field.changed", "custom_field.deleted"]


@pytest.mark.parametrize(
    ("key", "values", "about", "said"),
    [
        ("1st", {}, "key", "Begin with a letter"),
        ("Email", {}, "key", "Every follower has “Email” already"),
        ("PLAN", {}, "key", "There is a custom field “PLAN” already"),
        ("other", {"labels": {"ru": "Тариф"}}, "labels", "Give a label in the site's language, en"),
        ("other", {"labels": {"en": "x" * 101}}, "labels", "at most 100 characters"),
        ("other", {"options": []}, "options", "at least one"),
        ("other", {"options": [{"value": "a"}, {"value": "A"}]}, "options", "“A” twice"),
        ("other", {"kind": "colour"}, "kind", "'colour' is not one of"),
    ],
)
@pytest.mark.django_db
def test_a_field_that_cannot_be_is_refused(
    key: str, values: dict[str, Any], about: str, said: str
) -> None:
    make_field()
    with pytest.raises(BadField, match=said) as refused:
        make_field(key, **values)
    assert refused.value.field == about


@pytest.mark.django_db
def test_a_search_looks_at_fields_that_are_searchable_whatever_case_and_accents() -> None:
    make_field("city", "text", searchable=True)
    make_field("street", "text")
    selma = make_follower(name="Selma", metadata={"city": "Neu-Łódź", "street": "Hauptstraße"})
    assert list(search.find("lodz")) == [selma]
    assert list(search.find("haupt")) == []


@pytest.mark.django_db(transaction=True)
def test_postgresql_has_an_index_of_each_searchable_field() -> None:
    index.announce_missing(now=timezone.now())
    if connection.vendor != "postgresql":
        return
    field = make_field("city", "text", searchable=True)
    index.bring_up_to_date()
    assert index._there() == {f"follower_field_{field.pk}": True}
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        plan = Follower.objects.filter(search._field_holds("berlin")).order_by().explain()
        cursor.execute("RESET enable_seqscan")
        assert f"follower_field_{field.pk}" in plan
        OrmQ.objects.all().delete()
        index.announce_missing(now=timezone.now())
        assert not OrmQ.objects.exists()
        # as a worker leaves it that died in the midst of making it
        name = f"follower_field_{field.pk}"
        broken = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass"
        cursor.execute(broken, [name])
    index.announce_missing(now=timezone.now())
    assert OrmQ.objects.count() == 1
    index.bring_up_to_date()
    assert index._there() == {name: True}
    delete_field(field=CustomField.objects.get(), by=TESTER, now=timezone.now())
    index.bring_up_to_date()
    assert index._there() == {}

"""Followers: adding, changing, adding again and finding."""

import datetime as dt
from typing import Any

import pytest

from apps.accounts.models import AuditEntry
from apps.followers.addresses import BadAddress
from apps.followers.consent.record import Proof
from apps.followers.models import Address, ConsentRecord, Follower, Suppression
from apps.followers.people import contacts
from apps.followers.people.contacts import AddressTaken, BadFollower, ExternalIdTaken
from apps.followers.people.profile import Profile
from apps.lib.refusals import Refused
from apps.lib.wallclock import UnknownZone
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 3, 1, 9, 0, tzinfo=dt.UTC)
BY: dict[str, Any] = {"by": TESTER, "now": NOW}


def facts(kind: str) -> list[dict[str, Any]]:
    return list(AuditEntry.objects.filter(kind=kind).order_by("pk").values_list("data", flat=True))


def tags_of(follower: Follower) -> list[str]:
    return sorted(follower.tags.values_list("name", flat=True))


# ---------------------------------------------------------------- add
def test_a_follower_is_added_with_addresses_tags_and_a_consent_record() -> None:
    follower = contacts.add_follower(
        values=Profile(
            email=" Anna@Example.com ",
            phone="+49 30 1234567",
            name="Anna\u00a0 Weber",
            external_id="crm-1",
            language="pt_br",
            time_zone="Europe/Berlin",
            tags=["VIP", "vip", " Berlin "],
            metadata={"plan": "pro"},
        ),
        proof=Proof(source="api", **BY),
    )
    follower.refresh_from_db()
    assert (follower.name, follower.language, follower.time_zone) == (
        "Anna Weber",
        "pt-BR",
        "Europe/Berlin",
    )
    assert follower.metadata == {"plan": "pro"}
    assert (follower.subscribed, follower.subscribed_at, follower.unsubscribed_at) == (
        True,
        NOW,
        None,
    )
    assert list(follower.addresses.values_list("channel", "value", "key", "state", "primary")) == [
        ("email", "Anna@example.com", "anna@example.com", "active", True),
        ("sms", "+49301234567", "+49301234567", "active", True),
    ]
    assert tags_of(follower) == ["Berlin", "VIP"]
    record = ConsentRecord.objects.get(follower=follower)
    assert (record.act, record.source, record.at) == ("subscribed", "api", NOW)
    assert facts("follower.added") == facts("follower.subscribed") == [{"source": "api"}]
    assert facts("follower.tagged") == [{"tags": ["VIP", "Berlin"]}]


def test_a_follower_without_any_address_is_fine_and_reached_in_app() -> None:
    follower = contacts.add_follower(values=Profile(name="Dana"), proof=Proof(source="staff", **BY))
    assert not follower.addresses.exists()
    assert (follower.language, follower.external_id) == ("en", None)


def test_a_follower_added_as_unsubscribed_has_that_on_record() -> None:
    follower = contacts.add_follower(
        values=Profile(email="b@example.com"), subscribed=False, proof=Proof(source="staff", **BY)
    )
    assert (follower.subscribed, follower.subscribed_at, follower.unsubscribed_at) == (
        False,
        None,
        NOW,
    )
    assert ConsentRecord.objects.get(follower=follower).act == "unsubscribed"
    assert facts("follower.subscribed") == []


@pytest.mark.parametrize(
    ("values", "error", "says"),
    [
        ({"email": "nope"}, BadAddress, "not an email address"),
        ({"phone": "12"}, BadAddress, "country code"),
        ({"language": "English please"}, BadFollower, "language tag"),
        ({"time_zone": "Mars/Olympus"}, UnknownZone, "Europe/Berlin"),
        ({"time_zone": "+03:00"}, UnknownZone, "not a time zone"),
        *(
            ({"time_zone": name}, UnknownZone, "not a time zone")
            for name in (
                "localtime",
                "posixrules",
                "Factory",
                "Etc/Unknown",
                "posix/Europe/Berlin",
                "right/Europe/Berlin",
            )
        ),
        ({"name": "x" * 201}, BadFollower, "201 characters; 200"),
        ({"name": "a\x00b"}, BadFollower, "control character"),
        ({"external_id": "x" * 201}, BadFollower, "external id has 201"),
        ({"tags": ["x" * 81]}, BadFollower, "81 characters; 80"),
        ({"metadata": ["a"]}, BadFollower, "JSON object"),
        ({"metadata": {"a": "x" * 17_000}}, BadFollower, "16,384"),
        ({"metadata": {"a": float("nan")}}, BadFollower, "numbers"),
        ({"metadata": {"a": NOW}}, BadFollower, "numbers"),
        ({"metadata": {"a": "nul \x00"}}, BadFollower, "NUL"),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words_and_nothing_is_written(
    values: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        contacts.add_follower(
            values=Profile(**({"name": "Anna"} | values)), proof=Proof(source="api", **BY)
        )
    assert isinstance(caught.value, Refused)
    assert not Follower.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_backslash_in_metadata_is_not_taken_for_a_nul() -> None:
    follower = contacts.add_follower(
        values=Profile(name="Anna", metadata={"path": "c:\\u0000"}), proof=Proof(source="api", **BY)
    )
    follower.refresh_from_db()
    assert follower.metadata == {"path": "c:\\u0000"}


def test_an_address_in_other_spelling_belongs_to_its_first_owner(anna: Follower) -> None:
    with pytest.raises(AddressTaken, match="Anna Weber") as caught:
        contacts.add_follower(
            values=Profile(email="ANNA@EXAMPLE.com"), proof=Proof(source="api", **BY)
        )
    assert (caught.value.follower, caught.value.field) == (anna, "email")
    assert Follower.objects.count() == 1


def test_somebody_without_a_name_is_called_by_the_address() -> None:
    nameless = make_follower(email="x@example.com", phone="+49301234567")
    assert nameless.label == "x@example.com"
    assert AuditEntry.objects.get(kind="follower.added").subject_label == "x@example.com"
    with pytest.raises(AddressTaken, match="already: x@example"):
        contacts.add_follower(values=Profile(phone="+49301234567"), proof=Proof(source="api", **BY))


def test_a_taken_phone_and_a_taken_external_id_are_told_apart(chen: Follower) -> None:
    contacts.change_follower(follower=chen, values=Profile(external_id="crm-9"), **BY)
    with pytest.raises(AddressTaken) as phone:
        contacts.add_follower(
            values=Profile(email="new@example.com", phone="+86 138 0013 8000"),
            proof=Proof(source="api", **BY),
        )
    assert phone.value.field == "phone"
    with pytest.raises(ExternalIdTaken) as external:
        contacts.add_follower(
            values=Profile(email="new@example.com", external_id=" crm-9 "),
            proof=Proof(source="api", **BY),
        )
    assert external.value.follower == chen


def test_a_suppressed_address_stays_suppressed_for_whoever_is_added_with_it() -> None:
    Suppression.objects.create(
        channel="email", key="gone@example.com", reason="hard_bounce", created_at=NOW
    )
    Suppression.objects.create(
        channel="email", key="angry@example.com", reason="complaint", created_at=NOW
    )
    gone = make_follower(email="gone@example.com")
    angry = make_follower(email="Angry@example.com")
    assert [gone.addresses.get().state, angry.addresses.get().state] == ["bounced", "suppressed"]


# ---------------------------------------------------------------- change
def test_only_what_really_changes_is_told(anna: Follower) -> None:
    changed = contacts.change_follower(
        follower=anna, values=Profile(name="Anna W.", language="en", metadata={"plan": "pro"}), **BY
    )
    assert (changed.name, changed.updated_at) == ("Anna W.", NOW)
    assert facts("follower.changed") == [
        {
            "before": {"name": "Anna Weber", "metadata": {}},
            "after": {"name": "Anna W.", "metadata": {"plan": "pro"}},
        }
    ]
    contacts.change_follower(
        follower=anna, values=Profile(name="Anna W.", email="anna@example.com"), **BY
    )
    assert len(facts("follower.changed")) == 1


def test_a_new_email_takes_the_place_of_the_old_one_and_starts_fresh(anna: Follower) -> None:
    anna.addresses.update(state="bounced", confirmed_at=NOW)
    contacts.change_follower(follower=anna, values=Profile(email="anna@new.example"), **BY)
    address = anna.addresses.get()
    assert (address.value, address.state, address.confirmed_at) == (
        "anna@new.example",
        "active",
        None,
    )
    assert facts("follower.changed")[0]["before"] == {"email": "anna@example.com"}


def test_respelling_an_address_does_not_wash_its_state_clean(anna: Follower) -> None:
    anna.addresses.update(state="bounced")
    contacts.change_follower(follower=anna, values=Profile(email="Anna@Example.com"), **BY)
    assert (anna.addresses.get().value, anna.addresses.get().state) == (
        "Anna@example.com",
        "bounced",
    )


def test_an_emptied_email_is_removed_and_the_next_one_becomes_primary(anna: Follower) -> None:
    Address.objects.create(
        follower=anna,
        channel="email",
        value="anna@home.example",
        key="anna@home.example",
        primary=False,
        created_at=NOW,
    )
    contacts.change_follower(follower=anna, values=Profile(email=""), **BY)
    assert (anna.addresses.get().value, anna.addresses.get().primary) == ("anna@home.example", True)
    contacts.change_follower(follower=anna, values=Profile(email="", phone="+49301234567"), **BY)
    assert list(anna.addresses.values_list("channel", flat=True)) == ["sms"]


def test_a_persons_other_address_can_be_made_primary(anna: Follower) -> None:
    Address.objects.create(
        follower=anna,
        channel="email",
        value="anna@home.example",
        key="anna@home.example",
        primary=False,
        created_at=NOW,
    )
    contacts.change_follower(follower=anna, values=Profile(email="anna@home.example"), **BY)
    assert dict(anna.addresses.values_list("value", "primary")) == {
        "anna@home.example": True,
        "anna@example.com": False,
    }


def test_a_change_to_somebody_elses_address_is_refused_whole(
    anna: Follower, boris: Follower
) -> None:
    with pytest.raises(AddressTaken) as caught:
        contacts.change_follower(
            follower=boris,
            values=Profile(name="Bob", phone="+49301234567", email="anna@example.com"),
            **BY,
        )
    assert caught.value.follower == anna
    boris.refresh_from_db()
    assert (boris.name, boris.addresses.count()) == ("Борис Иванов", 1)


def test_the_set_of_tags_is_replaced_and_other_case_is_the_same_tag(anna: Follower) -> None:
    contacts.change_follower(follower=anna, values=Profile(tags=["Москва", "old"]), **BY)
    contacts.change_follower(follower=anna, values=Profile(tags=["МОСКВА", "new"]), **BY)
    assert tags_of(anna) == ["new", "Москва"]
    assert facts("follower.untagged") == [{"tags": ["old"]}]


# ---------------------------------------------------------------- upsert
def test_an_upsert_finds_by_external_id_then_email_then_phone(
    anna: Follower, chen: Follower
) -> None:
    contacts.change_follower(follower=anna, values=Profile(external_id="crm-1"), **BY)
    by_id, _ = contacts.upsert_follower(
        values=Profile(external_id="crm-1", email="other@example.com"),
        proof=Proof(source="api", **BY),
    )
    by_email, _ = contacts.upsert_follower(
        values=Profile(email="OTHER@example.com", name="Anna B"), proof=Proof(source="api", **BY)
    )
    by_phone, _ = contacts.upsert_follower(
        values=Profile(phone="+86 138 0013 8000", external_id="crm-2"),
        proof=Proof(source="api", **BY),
    )
    assert (by_id, by_email, by_phone) == (anna, anna, chen)
    assert (by_email.name, by_phone.external_id) == ("Anna B", "crm-2")
    new, created = contacts.upsert_follower(
        values=Profile(email="new@example.com"), proof=Proof(source="api", **BY)
    )
    assert created
    assert new not in {anna, chen}


def test_an_upsert_adds_tags_merges_metadata_and_leaves_what_is_empty(anna: Follower) -> None:
    contacts.change_follower(
        follower=anna, values=Profile(tags=["one"], metadata={"a": 1, "b": 1}), **BY
    )
    contacts.upsert_follower(
        values=Profile(email="anna@example.com", tags=["two"], metadata={"b": 2}),
        proof=Proof(source="api", **BY),
    )
    anna.refresh_from_db()
    assert (anna.name, anna.time_zone, anna.metadata) == (
        "Anna Weber",
        "Europe/Berlin",
        {"a": 1, "b": 2},
    )
    assert tags_of(anna) == ["one", "two"]


def test_an_upsert_never_subscribes_again_who_unsubscribed(boris: Follower) -> None:
    follower, created = contacts.upsert_follower(
        values=Profile(email="boris@example.com"), subscribed=True, proof=Proof(source="api", **BY)
    )
    assert (created, follower.subscribed) == (False, False)
    assert ConsentRecord.objects.filter(follower=boris).count() == 1


def test_an_upsert_that_says_unsubscribed_is_obeyed(anna: Follower) -> None:
    follower, _ = contacts.upsert_follower(
        values=Profile(email="anna@example.com"), subscribed=False, proof=Proof(source="api", **BY)
    )
    assert not follower.subscribed
    assert ConsentRecord.objects.filter(follower=anna).first().act == "unsubscribed"


def test_an_upsert_refuses_an_address_of_somebody_with_another_external_id(anna: Follower) -> None:
    contacts.change_follower(follower=anna, values=Profile(external_id="crm-1"), **BY)
    with pytest.raises(AddressTaken):
        contacts.upsert_follower(
            values=Profile(external_id="crm-2", email="anna@example.com"),
            proof=Proof(source="api", **BY),
        )


def test_an_upsert_that_loses_a_race_updates_the_winners_row(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contacts, "_known", lambda *args: None)  # looked before anna was there
    follower, created = contacts.upsert_follower(
        values=Profile(email="anna@example.com", name="Anna 2"), proof=Proof(source="api", **BY)
    )
    assert (follower, created, follower.name) == (anna, False, "Anna 2")


@pytest.mark.reported
def test_the_whole_name_is_made_of_its_parts_unless_somebody_wrote_it() -> None:
    row = make_follower(first_name="Anna", last_name="Weber")
    assert row.name == "Anna Weber"
    for values, name in (
        (Profile(last_name="Schmidt"), "Anna Schmidt"),
        (Profile(name="Dr. A. Schmidt"), "Dr. A. Schmidt"),
        (Profile(first_name="Anni"), "Dr. A. Schmidt"),
    ):
        row = contacts.change_follower(follower=row, values=values, **BY)
        assert row.name == name
    assert (row.first_name, row.last_name) == ("Anni", "Schmidt")

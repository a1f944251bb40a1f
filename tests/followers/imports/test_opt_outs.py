"""Who opted out at another program stays out here, whatever that program calls it."""

import re
from typing import Any

import pytest
from django.utils import timezone, translation

from apps.followers.consent.suppression import suppress
from apps.followers.imports import run
from apps.followers.imports.columns import UNDECIDED, BadMapping, check_mapping, suggest
from apps.followers.imports.preview import preview_of
from apps.followers.imports.problems_file import problems_in_words
from apps.followers.models import (
    Address,
    ConsentRecord,
    Follower,
    ImportState,
    Suppression,
    SuppressionReason,
)
from tests.followers.imports.world import counts, run_import, upload
from tests.make import TESTER, make_follower

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


def subscribed() -> dict[str, bool]:
    rows = Address.objects.filter(channel="email").values_list("key", "follower__subscribed")
    return dict(rows)


BREVO = """EMAIL;LASTNAME;FIRSTNAME;EMAIL_BLACKLISTED
a@example.com;Durand;Bruno;No
b@example.com;Petit;Zoé;Yes
"""
MAILCHIMP = '''Email Address,First Name,Last Name,OPTIN_TIME,Status,TAGS
a@example.com,Ann,Lee,2023-05-01 10:00:00,subscribed,"""VIP"",""Beta"""
b@example.com,Bob,Ray,2023-05-01 10:00:00,unsubscribed,
c@example.com,Cy,Dow,2023-05-01 10:00:00,cleaned,
'''
MAILCHIMP_OUT = """Email,UNSUB_CAMPAIGN_ID,UNSUB_TIME,UNSUB_CAMPAIGN_ID,UNSUB_REASON
b@example.com,12,2024-02-03 04:05:06,12,Other
"""
LISTMONK = """uuid,email,name,attributes,status,created_at,updated_at
6f1,a@example.com,A,{},enabled,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z
6f2,b@example.com,B,{},blocklisted,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z
"""
CUSTOMER_IO = """id,email,unsubscribed,created_at
1,a@example.com,false,1700000000
2,b@example.com,true,1700000000
"""
MAUTIC = """id,email,firstname,lastname,dnc
1,a@example.com,A,A,0
2,b@example.com,B,B,3
"""


@pytest.mark.parametrize(
    ("content", "stays"),
    [
        (BREVO, {"a@example.com": True, "b@example.com": False}),
        (
            MAILCHIMP,
            {"a@example.com": True, "b@example.com": False, "c@example.com": False},
        ),
        (MAILCHIMP_OUT, {"b@example.com": False}),
        (LISTMONK, {"a@example.com": True, "b@example.com": False}),
        (CUSTOMER_IO, {"a@example.com": True, "b@example.com": False}),
        (MAUTIC, {"a@example.com": True, "b@example.com": False}),
    ],
)
def test_an_export_as_it_is_brings_nobody_back(content: str, stays: dict[str, bool]) -> None:
    job = run_import(content)
    assert job.state == ImportState.FINISHED
    assert subscribed() == stays
    out = Follower.objects.get(addresses__key="b@example.com")
    assert ConsentRecord.objects.get(follower=out).act == "unsubscribed"


@pytest.mark.parametrize(
    "word",
    [
        "unsubscribed",
        "Unsubscribed",
        "non-subscribed",
        "opted out",
        "Opt-Out",
        "blocklisted",
        "pending",
        "inactive",
        "abgemeldet",
        "Désabonné",
        "dado de baja",
        "wypisany",
        "odhlášen",
        "не подписан",
        "Отписан",
        "неактивен",
        "відписаний",
        "no",
        "0",
    ],
)
def test_a_status_that_is_no_yes_opts_out(word: str, anna: Follower) -> None:
    job = run_import(f"email,status\nnew@example.com,{word}\nanna@example.com,{word}\n")
    assert counts(job) == (1, 1, 0, 0)
    assert subscribed() == {"new@example.com": False, "anna@example.com": False}


@pytest.mark.parametrize("word", ["cleaned", "Bounced", "hard bounce", "недоставлено"])
def test_a_bounced_address_goes_to_the_suppression_list(word: str, anna: Follower) -> None:
    preview = preview_of(
        upload(f"email,status\nanna@example.com,{word}\n"),
        {"email": "email", "status": "subscribed"},
    )
    assert preview.rows[0].changes == {"suppressed": ("", ["anna@example.com"])}
    run_import(f"email,status\nnew@example.com,{word}\nanna@example.com,{word}\n")
    assert dict(Suppression.objects.values_list("key", "reason")) == {
        "new@example.com": "hard_bounce",
        "anna@example.com": "hard_bounce",
    }
    assert set(Address.objects.values_list("state", flat=True)) == {"bounced"}
    assert not Follower.objects.get(addresses__key="new@example.com").subscribed


def test_a_complaint_opts_out_and_suppresses(anna: Follower) -> None:
    run_import("email,status\nanna@example.com,spam complaint\n")
    anna.refresh_from_db()
    assert not anna.subscribed
    assert Suppression.objects.get().reason == SuppressionReason.COMPLAINT


@pytest.mark.parametrize(
    ("content", "column"),
    [
        ("email,WhatsApp opt-out\na@example.com,Yes\n", "WhatsApp opt-out"),
        ("email,UNSUB_REASON\na@example.com,Too many\n", "UNSUB_REASON"),
        ("email,Unsubscribed\na@example.com,perhaps\n", "Unsubscribed"),
        ("email,Etat\na@example.com,unsubscribed\nb@example.com,gold\n", "Etat"),
        ("email,Отказ от рассылки\na@example.com,спросить\n", "Отказ от рассылки"),
        # yes and no under a heading that names no opt-out
        ("email,is_active\na@example.com,1\nb@example.com,0\n", "is_active"),
        ("email,Newsletter\na@example.com,ja\nb@example.com,nein\n", "Newsletter"),
        ("email,Consentement\na@example.com,oui\nb@example.com,non\n", "Consentement"),
        ("email,Iscritto\na@example.com,sì\nb@example.com,no\n", "Iscritto"),
        (
            "email,Согласие на рассылку\na@example.com,да\nb@example.com,нет\n",
            "Согласие на рассылку",
        ),
        ("email,Quarantined\na@example.com,true\nb@example.com,false\n", "Quarantined"),
        ("email,Cancelled At\na@example.com,2024-01-02\nb@example.com,\n", "Cancelled At"),
        ("email,Anti-spam consent\na@example.com,yes\nb@example.com,no\n", "Anti-spam consent"),
        # a status in codes, and one in words of its own
        ("email,status\na@example.com,1\nb@example.com,2\n", "status"),
        ("email,Sub status\na@example.com,A\nb@example.com,U\n", "Sub status"),
        (
            "email,Marketing contact status\na@example.com,Marketing contact\n"
            "b@example.com,Non-marketing contact\n",
            "Marketing contact status",
        ),
        # signs that are no words
        ("email,Unsubscribed\na@example.com,✗\nb@example.com,?\n", "Unsubscribed"),
        # how often is not whether
        ("email,Soft bounces\na@example.com,0\nb@example.com,1\n", "Soft bounces"),
        ("email,Number of bounces\na@example.com,0\nb@example.com,3\n", "Number of bounces"),
    ],
)
def test_a_column_that_may_say_who_opted_out_waits_for_a_persons_word(
    content: str, column: str
) -> None:
    job = upload(content)
    assert job.mapping[column] == ""
    for mapping in (job.mapping, {name: "email" for name in job.mapping if name != column}):
        with pytest.raises(BadMapping, match=f"'{column}' may say who opted out"):
            run.start(job=job, mapping=mapping, by=TESTER, now=timezone.now())
    run.start(job=job, mapping=job.mapping | {column: "ignore"}, by=TESTER, now=timezone.now())


@pytest.mark.parametrize(
    "cell",
    [
        "Unsubscribed: user request",
        "unsubscribed:2024-01-01",
        "bounced: mailbox full",
        "spam: complaint",
        "Unsubscribed: all",
        "Complained: push",
        "DNC Unsubscribed: SMS, DNC Unsubscribed: Fax",
        "❌",
    ],
)
def test_what_stands_behind_a_colon_is_no_channel_and_a_sign_no_silence(
    cell: str, anna: Follower
) -> None:
    content = f'email,status\nanna@example.com,subscribed\nnew@example.com,"{cell}"\n'
    job = upload(content)
    said = re.escape(f"'{cell.casefold()}' in the column 'status' may say that somebody opted out")
    with pytest.raises(BadMapping, match=said):
        run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    run_import(content, values={"status": {cell: "unsubscribed"}})
    assert subscribed() == {"anna@example.com": True, "new@example.com": False}


def test_a_channel_that_is_neither_mail_nor_text_messages_says_nothing_of_them() -> None:
    run_import("email,status\na@example.com,DNC Unsubscribed: Web Notification\n")
    assert subscribed() == {"a@example.com": True}


@pytest.mark.parametrize(
    "content", ["Email,Bounced\na@example.com,no\n", "Email,SMS opt-out\na@example.com,no\n"]
)
def test_the_name_of_the_file_counts_where_its_columns_only_say_less(content: str) -> None:
    job = upload(content, "Unsubscribed.csv")
    assert job.options["standing"] == "unsubscribed"


def test_a_column_that_is_understood_by_its_cells_needs_no_known_heading() -> None:
    said = suggest(["email", "State"], [None, {"unsubscribed", "active"}])
    assert said == {"email": "email", "State": "subscribed"}
    about_places = suggest(["email", "State"], [None, {"ca", "ny"}])
    assert about_places == {"email": "email", "State": "metadata.State"}


@pytest.mark.parametrize(
    ("heading", "cell", "target"),
    [
        ("email_disabled", "true", "unsubscribed"),
        ("IsExcludedFromCampaigns", "true", "unsubscribed"),
        ("Do Not Email", "1", "unsubscribed"),
        ("Kein Newsletter", "x", "unsubscribed"),
        ("Ne pas contacter", "oui", "unsubscribed"),
        ("Fecha de baja", "01/02/2023", "unsubscribed"),
        ("Lista negra", "sí", "unsubscribed"),
        ("В чёрном списке", "да", "unsubscribed"),
        ("Не беспокоить", "да", "unsubscribed"),
        ("Email Suppressions", "USER_SUPPRESSED", "unsubscribed"),
        ("NPAI", "oui", "bounced"),
        ("Статус email", "Отписался", "subscribed"),
        ("Consent to Send", "No", "subscribed"),
    ],
)
def test_a_heading_of_an_opt_out_counts_beside_another_column_that_says_active(
    heading: str, cell: str, target: str
) -> None:
    job = run_import(f"email,{heading},Accepts marketing\na@example.com,{cell},yes\n")
    assert job.mapping == {"email": "email", heading: target, "Accepts marketing": "subscribed"}
    reached = Follower.objects.filter(subscribed=True)
    assert not reached.exclude(addresses__state="suppressed").exists()


def test_a_count_of_bounces_beside_a_status_suppresses_nobody() -> None:
    run_import("email,Status,Soft bounces,Marketing emails bounced\na@example.com,active,1,2\n")
    assert subscribed() == {"a@example.com": True}
    assert not Suppression.objects.exists()


def test_several_columns_may_say_it_and_one_is_enough() -> None:
    check_mapping(["a", "b", "c"], {"a": "email", "b": "unsubscribed", "c": "unsubscribed"})
    run_import(
        "email,Opted out of email: News,Opted out of email: Offers\n"
        "a@example.com,false,true\nb@example.com,false,false\n"
    )
    assert subscribed() == {"a@example.com": False, "b@example.com": True}


def test_an_opt_out_is_obeyed_even_where_its_row_is_refused(anna: Follower) -> None:
    make_follower(name="Other", email="other@example.com", phone="+491511234567")
    job = run_import(
        "email,phone,status\n"
        "twice@example.com,,active\n"
        "twice@example.com,,unsubscribed\n"
        "anna@example.com,+491511234567,unsubscribed\n"
    )
    assert counts(job) == (1, 0, 0, 2)
    assert subscribed() == {
        "twice@example.com": False,
        "anna@example.com": False,
        "other@example.com": False,
    }
    messages = job.problems.values_list("message", flat=True)
    assert all("The opt-out in this row is obeyed." in message for message in messages)


def test_an_opt_out_is_obeyed_beside_an_unknown_word(anna: Follower) -> None:
    job = run_import(
        "email,Status,Bounced\n"
        "anna@example.com,unsubscribed,maybe\n"
        "new@example.com,spam,maybe\n"
        "other@example.com,subscribed,maybe\n",
        {"email": "email", "Status": "subscribed", "Bounced": "bounced"},
        values={"Bounced": {"maybe": "refuse"}},
    )
    assert counts(job) == (0, 0, 0, 3)
    assert subscribed()["anna@example.com"] is False
    assert dict(Suppression.objects.values_list("key", "reason")) == {
        "new@example.com": "complaint"
    }
    unknown = "'maybe' is neither yes nor no, nor a date. Write yes or no."
    obeyed = f"{unknown} The opt-out in this row is obeyed."
    assert [row.message for row in problems_in_words(job, 9)] == [obeyed, obeyed, unknown]
    with translation.override("ru"):
        assert "maybe" in problems_in_words(job, 1)[0].message
        assert "obeyed" not in problems_in_words(job, 1)[0].message


def test_a_do_not_contact_list_counts_whatever_else_its_rows_say() -> None:
    values = {"Bounced": {"maybe": "refuse"}}
    mapping = {"email": "email", "Bounced": "bounced"}
    content = "email,Bounced\nnew@example.com,maybe\n"
    run_import(content, mapping, do_not_contact=True, values=values)
    assert Suppression.objects.get().reason == SuppressionReason.MANUAL


def test_an_opt_out_is_obeyed_for_each_address_of_its_cell(anna: Follower) -> None:
    make_follower(name="Other", email="other@example.com")
    make_follower(name="Third", email="third@example.com")
    run_import(
        "email,status\n"
        "anna@example.com; other@example.com,unsubscribed\n"
        "new@example.com; anna@example.com,unsubscribed\n"
        "new@example.com; third@example.com,unsubscribed\n"
    )
    assert subscribed() == {
        "anna@example.com": False,
        "other@example.com": False,
        "new@example.com": False,
        "third@example.com": False,
    }


def test_a_bad_cell_in_the_row_does_not_hide_the_opt_out(anna: Follower) -> None:
    run_import("email,language,phone,status\nanna@example.com,Klingon!,123,unsubscribed\n")
    anna.refresh_from_db()
    assert not anna.subscribed


def test_a_do_not_contact_list_suppresses_and_adds_nobody(anna: Follower) -> None:
    suppress(
        channel="email", value="old@example.com", reason="manual", by=TESTER, now=timezone.now()
    )
    content = (
        "email,phone\nAnna@Example.com,\nnew@example.com,+49301234567\nold@example.com,\n"
        "anna@example.com,\nbroken,\n"
    )
    preview = preview_of(
        upload(content),
        {"email": "email", "phone": "phone"},
        options={"do_not_contact": True},
    )
    assert preview.counts == {
        "create": 0,
        "update": 0,
        "unchanged": 2,
        "suppress": 2,
        "refused": 1,
    }
    job = run_import(content, do_not_contact=True)
    assert (job.suppressed, counts(job)) == (2, (0, 0, 2, 1))
    assert sorted(Suppression.objects.values_list("channel", "key")) == [
        ("email", "anna@example.com"),
        ("email", "new@example.com"),
        ("email", "old@example.com"),
        ("sms", "+49301234567"),
    ]
    assert Follower.objects.count() == 1
    assert anna.addresses.get().state == "suppressed"
    record = anna.consent_records.earliest("-id")
    assert (record.act, record.reason) == ("address_suppressed", "Import of people.csv")
    again = run_import(content, do_not_contact=True)
    assert (again.suppressed, counts(again)) == (0, (0, 0, 4, 1))


def test_a_slice_of_opt_outs_costs_the_same_number_of_queries_whatever_its_size(
    django_assert_max_num_queries: Any,
) -> None:
    emails = [f"p{number}@example.com" for number in range(200)]
    run_import("email\n" + "\n".join(emails))
    rows = [f"{email},spam" for email in emails]
    job = upload("email,status\n" + "\n".join(rows))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    with django_assert_max_num_queries(60):
        run.run(job.pk)
    assert not Follower.objects.filter(subscribed=True).exists()
    assert Suppression.objects.count() == 200


def test_a_status_with_a_date_in_each_cell_waits_for_a_person() -> None:
    """So many different cells are no words to be mapped, and must not pass for metadata."""
    rows = [f"p{number}@example.com,unsubscribed on day {number}\n" for number in range(3000)]
    job = upload("email,Status\n" + "".join(rows))
    assert job.mapping["Status"] == UNDECIDED
    with pytest.raises(BadMapping, match="'Status' may say who opted out"):
        run.start(job=job, mapping=job.mapping, options={}, by=TESTER, now=timezone.now())

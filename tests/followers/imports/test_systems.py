"""The exports of six systems land with every status right, as they are."""

import io
import json
from typing import Any

import pytest
from django.utils import timezone

from apps.followers.imports import run
from apps.followers.imports.columns import BadMapping
from apps.followers.imports.preview import preview_of
from apps.followers.imports.upload import start_upload
from apps.followers.models import Follower, Import, ImportState, Suppression
from apps.notifications.models import Notification, TypeTemplate
from tests.followers.imports.world import counts, run_import, upload
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db

LISTMONK = """uuid,email,name,attributes,status,created_at,updated_at
6f1c2a30-1,in@x.example,Ida In,"{""city"": ""Bonn"", ""visits"": 3}",\
enabled,2024-01-02T03:04:05Z,2024-02-01T00:00:00Z
6f1c2a30-2,off@x.example,Otto Off,{},disabled,2024-01-02T03:04:05Z,2024-02-01T00:00:00Z
6f1c2a30-3,block@x.example,Bo Block,{},blocklisted,2024-01-02T03:04:05Z,\
2024-02-01T00:00:00Z
"""
MAILCHIMP_HEAD = (
    "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,"
    "GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,"
)
MAILCHIMP_ROW = (
    "Ann,Lee,2,2023-05-01 10:00:00,192.0.2.1,2023-05-01 10:05:00,192.0.2.1,1,2,Europe/Berlin,de,be,"
    "2024-01-01 00:00:00,"
)
MAILCHIMP = f'''{MAILCHIMP_HEAD}LEID,EUID,NOTES,TAGS
in@x.example,{MAILCHIMP_ROW}101,a1,,"""VIP"",""Beta"""
'''
MAILCHIMP_OUT = f"""{MAILCHIMP_HEAD}UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,\
UNSUB_REASON,UNSUB_REASON_OTHER,LEID,EUID,NOTES,TAGS
out@x.example,{MAILCHIMP_ROW}2024-02-03 10:00:00,May,c1,normal_unsubscribe,,102,a2,,
"""
MAILCHIMP_CLEANED = f"""{MAILCHIMP_HEAD}CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID,LEID,\
EUID,NOTES,TAGS
gone@x.example,{MAILCHIMP_ROW}2024-02-03 10:00:00,May,c1,103,a3,,
"""
MAILCHIMP_NEVER = f"""{MAILCHIMP_HEAD}LEID,EUID,NOTES,TAGS
never@x.example,{MAILCHIMP_ROW}104,a4,,
"""
BREVO = """CONTACT ID;EMAIL;LASTNAME;FIRSTNAME;WHATSAPP;SMS;DOUBLE_OPT-IN;OPT_IN;LANDLINE_NUMBER;\
EXT_ID;CONTACT_TIMEZONE;JOB_TITLE;EMAIL_BLACKLISTED;SMS_BLACKLISTED;ADDED_TIME;MODIFIED_TIME
1;in@x.example;Durand;Bruno;;33612345678;;;;crm-1;Europe/Paris;Chef;No;No;12-04-2022;13-04-2022
2;out@x.example;Petit;Zoé;;;;;;;;;Yes;No;12-04-2022;13-04-2022
3;quiet@x.example;Roy;Max;;33612345679;;;;;;;No;Yes;12-04-2022;13-04-2022
4;asked@x.example;Roy;Eva;;;;No;;;;;No;No;12-04-2022;13-04-2022
"""
BREVO_MARKETING = """EMAIL;FIRSTNAME;EMAIL_MARKETING;ADDED_TIME;MODIFIED_TIME
in@x.example;A;Subscribed;12-04-2022;13-04-2022
out@x.example;B;Unsubscribed;12-04-2022;13-04-2022
block@x.example;C;Blocklisted;12-04-2022;13-04-2022
"""
MAUTIC = """id,title,firstname,lastname,company,position,email,mobile,phone,points,fax,city,\
country,preferred_locale,timezone,last_active,dnc_preferences
1,,Ida,In,,,in@x.example,+4915112345678,030 1,5,,,,de_DE,Europe/Berlin,2024-01-01 00:00:00,
2,,Otto,Out,,,out@x.example,,,0,,,,,,,DNC Unsubscribed: Email
3,,Gesa,Gone,,,gone@x.example,,,0,,,,,,,"DNC Bounced: Email, DNC Unsubscribed: Text Message"
4,,Mo,Manual,,,manual@x.example,,,0,,,,,,,DNC Manually Unsubscribed: Email
5,,Sam,Sms,,,sms@x.example,+4915112345679,,0,,,,,,,DNC Unsubscribed: Text Message
"""
MAUTIC_REASONS = """id,email,firstname,lastname,dnc
1,in@x.example,A,A,0
2,out@x.example,B,B,1
3,gone@x.example,C,C,2
4,manual@x.example,D,D,3
"""
CUSTOMER_IO = """cio_id,id,email,created_at,first_name,plan,unsubscribed
a301,c-1,in@x.example,1700000000,Ida,pro,false
a302,c-2,out@x.example,1700000000,Otto,,true
"""
CUSTOMER_IO_SUPPRESSED = """email,reason,created_at
gone@x.example,bounces,1700000000
spam@x.example,spam_reports,1700000000
"""
NOVU = """_id,subscriberId,firstName,lastName,email,phone,locale,timezone,data,deleted,\
createdAt,updatedAt
1,u-1,Ida,In,in@x.example,+4915112345678,de-DE,Europe/Berlin,"{""plan"": ""pro""}",false,\
2024-01-02T03:04:05.000Z,2024-01-02T03:04:05.000Z
2,u-2,Otto,Off,off@x.example,,,,,true,2024-01-02T03:04:05.000Z,2024-01-02T03:04:05.000Z
"""

IN = "subscribed"
OUT = "not subscribed"
TABLE: list[tuple[str, str, str, dict[str, str]]] = [
    (
        "listmonk",
        "subscribers.csv",
        LISTMONK,
        {"in@x.example": IN, "off@x.example": OUT, "block@x.example": OUT},
    ),
    ("Mailchimp", "subscribed_email_audience_export_1a2b.csv", MAILCHIMP, {"in@x.example": IN}),
    (
        "Mailchimp",
        "unsubscribed_email_audience_export_1.csv",
        MAILCHIMP_OUT,
        {"out@x.example": OUT},
    ),
    (
        "Mailchimp",
        "cleaned_email_audience_export_1.csv",
        MAILCHIMP_CLEANED,
        {"gone@x.example": "hard_bounce"},
    ),
    (
        "Mailchimp",
        "nonsubscribed_email_audience_export_1.csv",
        MAILCHIMP_NEVER,
        {"never@x.example": OUT},
    ),
    (
        "Brevo",
        "contacts.csv",
        BREVO,
        {
            "in@x.example": IN,
            "out@x.example": OUT,
            "quiet@x.example": f"{IN}, no text messages",
            "asked@x.example": OUT,
        },
    ),
    (
        "Brevo",
        "export.csv",
        BREVO_MARKETING,
        {"in@x.example": IN, "out@x.example": OUT, "block@x.example": OUT},
    ),
    (
        "Mautic",
        "contacts_export_2024_01_01.csv",
        MAUTIC,
        {
            "in@x.example": IN,
            "out@x.example": OUT,
            "gone@x.example": "hard_bounce",
            "manual@x.example": OUT,
            "sms@x.example": f"{IN}, no text messages",
        },
    ),
    (
        "Mautic",
        "dnc.csv",
        MAUTIC_REASONS,
        {
            "in@x.example": IN,
            "out@x.example": OUT,
            "gone@x.example": "hard_bounce",
            "manual@x.example": OUT,
        },
    ),
    ("Customer.io", "people.csv", CUSTOMER_IO, {"in@x.example": IN, "out@x.example": OUT}),
    ("Novu", "subscribers.csv", NOVU, {"in@x.example": IN, "off@x.example": OUT}),
]


def bring_in(content: str, name: str) -> Import:
    file = io.BytesIO(content.encode())
    job = start_upload(file=file, file_name=name, by=TESTER, now=timezone.now())
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    run.run(job.pk)
    job.refresh_from_db()
    return job


def statuses() -> dict[str, str]:
    """Tell of each address what its owner is."""
    stopped = dict(Suppression.objects.filter(channel="email").values_list("key", "reason"))
    silent = set(Suppression.objects.filter(channel="sms").values_list("key", flat=True))
    found = {}
    for follower in Follower.objects.all():
        status = OUT
        if follower.subscribed:
            status = IN
        if follower.phone in silent:
            status = f"{status}, no text messages"
        found[follower.email] = stopped.get(follower.email, status)
    return found


@pytest.mark.parametrize(
    ("system", "name", "content", "lands"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE]
)
def test_an_export_lands_with_every_status_right(
    system: str, name: str, content: str, lands: dict[str, str]
) -> None:
    job = bring_in(content, name)
    assert job.dialect["system"] == system
    assert (job.state, counts(job)) == (ImportState.FINISHED, (len(lands), 0, 0, 0))
    assert list(job.problems.values_list("message", flat=True)) == []
    assert statuses() == lands


def test_a_list_of_suppressions_says_why() -> None:
    job = upload(CUSTOMER_IO_SUPPRESSED)
    mapping = {"email": "email", "reason": "subscribed"}
    run.start(
        job=job, mapping=mapping, options={"do_not_contact": True}, by=TESTER, now=timezone.now()
    )
    run.run(job.pk)
    assert dict(Suppression.objects.values_list("key", "reason")) == {
        "gone@x.example": "hard_bounce",
        "spam@x.example": "complaint",
    }


def test_what_else_an_export_says_comes_along() -> None:
    bring_in(LISTMONK, "subscribers.csv")
    ida = Follower.objects.get(addresses__key="in@x.example")
    assert ida.metadata["city"] == "Bonn"
    assert ida.metadata["visits"] == 3
    assert ida.subscribed_at is not None
    assert str(ida.subscribed_at.date()) == "2024-01-02"
    # an id that only listmonk knows is nobody's own
    assert (ida.external_id, ida.metadata["uuid"][-1]) == (None, "1")
    bring_in(BREVO, "contacts.csv")
    ida.refresh_from_db()
    assert (ida.external_id, ida.phone, ida.name) == ("crm-1", "+33612345678", "Bruno Durand")
    assert str(ida.subscribed_at.date()) == "2022-04-12"
    assert ida.metadata["JOB_TITLE"] == "Chef"


def test_mail_that_came_back_says_nothing_of_the_phone() -> None:
    run_import("email,phone,status\na@x.example,+4915112345678,cleaned\n")
    assert list(Suppression.objects.values_list("channel", flat=True)) == ["email"]


# ---------------------------------------------------------------- words
GOLD = (
    "email,status\na@x.example,subscribed\nb@x.example,gold\nc@x.example,gold\nd@x.example,left\n"
)


def test_a_word_that_nobody_knows_holds_the_start_until_it_has_a_meaning() -> None:
    job = upload(GOLD)
    assert job.mapping["status"] == "subscribed"
    with pytest.raises(BadMapping, match="'gold' in the column 'status' may say"):
        run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    words = preview_of(job, job.mapping).words[0].words
    assert [(word.text, word.count, word.meaning) for word in words] == [
        ("gold", 2, None),
        ("left", 1, None),
        ("subscribed", 1, "subscribed"),
    ]
    values = {"status": {"GOLD": "subscribed", "left": "unsubscribed"}}
    run_import(GOLD, values=values)
    assert statuses() == {
        "a@x.example": IN,
        "b@x.example": IN,
        "c@x.example": IN,
        "d@x.example": OUT,
    }


def test_rows_with_a_word_can_be_refused_or_the_word_say_nothing() -> None:
    job = run_import(GOLD, values={"status": {"gold": "refuse", "left": ""}})
    assert counts(job) == (2, 0, 0, 2)
    assert statuses() == {"a@x.example": IN, "d@x.example": IN}


def test_words_of_other_columns_can_be_read_as_something_else() -> None:
    content = "email,Language,OPTIN_TIME\na@x.example,Klingon!,03/04/2023\n"
    preview = preview_of(upload(content), upload(content).mapping)
    assert [(each.column, each.words[0].text) for each in preview.words] == [
        ("Language", "klingon!"),
        ("OPTIN_TIME", "03/04/2023"),
    ]
    job = run_import(content, values={"Language": {"klingon!": "de"}}, dates="day")
    assert job.incomplete == 0
    follower = Follower.objects.get()
    assert (follower.language, str(follower.subscribed_at)[:10]) == ("de", "2023-04-03")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"standing": "gold"}, "nothing that 'standing' can be"),
        ({"dates": "year"}, "nothing that 'dates' can be"),
        ({"values": ["x"]}, '"values" is'),
        ({"values": {"status": "x"}}, '"values" is'),
        ({"values": {"status": {"x": 1}}}, '"values" is'),
        ({"values": {"a": {str(number): "" for number in range(1001)}}}, "1,001 words"),
    ],
)
def test_a_choice_that_is_none_is_refused(options: dict[str, Any], says: str) -> None:
    job = upload("email\na@x.example\n")
    with pytest.raises(BadMapping, match=says):
        run.start(job=job, mapping=job.mapping, options=options, by=TESTER, now=timezone.now())


def test_a_cell_that_is_no_json_object_costs_the_cell() -> None:
    content = f"email,metadata\na@x.example,[1]\nb@x.example,{json.dumps('{')}\n"
    job = run_import(content, {"email": "email", "metadata": "metadata"})
    assert (counts(job), job.incomplete) == ((2, 0, 0, 0), 2)
    assert "JSON object" in job.problems.all()[0].message


# ---------------------------------------------------------------- proof and welcome
def test_the_proof_of_the_other_system_is_kept_with_the_consent() -> None:
    bring_in(MAILCHIMP, "subscribed.csv")
    bring_in(MAILCHIMP_OUT, "unsubscribed.csv")
    came = Follower.objects.get(addresses__key="in@x.example")
    record = came.consent_records.get()
    assert record.ip == "192.0.2.1"
    assert record.scope == {
        "all": True,
        "said_elsewhere": {
            "subscribed_at": "2023-05-01T10:00:00+00:00",
            "subscribed_ip": "192.0.2.1",
            "confirmed_at": "2023-05-01T10:05:00+00:00",
            "confirmed_ip": "192.0.2.1",
        },
    }
    assert str(came.addresses.get().confirmed_at) == "2023-05-01 10:05:00+00:00"
    left = Follower.objects.get(addresses__key="out@x.example")
    assert str(left.unsubscribed_at) == "2024-02-03 10:00:00+00:00"


def test_only_who_is_new_in_a_file_of_sign_ups_is_greeted(anna: Follower) -> None:
    TypeTemplate.objects.create(
        notification_type=make_type("welcome"), template=make_template("welcome")
    )
    content = (
        "email,status\nnew@x.example,active\nout@x.example,unsubscribed\nanna@example.com,active\n"
    )
    run_import(content.replace("x.example", "y.example"))
    assert not Notification.objects.exists()
    with pytest.raises(BadMapping, match="no message type 'cats'"):
        run_import(content, welcome="cats")
    run_import(content, welcome="welcome")
    greeted = Follower.objects.get(addresses__key="new@x.example")
    assert list(Notification.objects.values_list("dedup_key", flat=True)) == [
        f"welcome-{greeted.uid}"
    ]

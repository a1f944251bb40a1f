"""Whoever is erased leaves nothing but the counts, and comes back by their own word alone."""

import logging
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import CharField, JSONField, TextField
from django.test import Client
from django.utils import timezone

from apps.accounts.ledger import seal_new, verify
from apps.accounts.models import User
from apps.accounts.permissions import Scope
from apps.followers.consent import tombstones
from apps.followers.consent.suppression import release, suppress
from apps.followers.consent.tombstones import Erased
from apps.followers.devices.push_devices import AppDevice, register_app
from apps.followers.devices.webhooks import create_webhook
from apps.followers.models import Erasure, Follower, ImportProblem, Suppression, Tombstone
from apps.followers.people.further_addresses import create_address
from apps.followers.privacy import remove
from apps.followers.privacy.erase import erase
from apps.lib.erasing.person import DataSubject
from apps.notifications.models import Delivery, Notification
from apps.subscriptions.sign_up import mail
from tests.api.world import make_client
from tests.followers.imports.world import counts, run_import
from tests.followers.privacy.world import (
    EMAIL,
    PHONE,
    TRACES,
    canaries,
    erased,
    handed_over,
    make_known,
    traces,
)
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands, tell
from tests.receiver import Receiver
from tests.subscriptions.sign_up.world import asked, link_of, make_form

REFUSED = "This person was erased and is not added again. They come back by signing up themselves."


def test_nothing_of_an_erased_person_is_left_anywhere_and_the_counts_are(
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        person = make_known(receiver)
    # the check can fail: each of these has something of the person before
    before = traces()
    assert {
        "accounts_auditentry",
        "campaigns_event",
        "campaigns_segment",
        "followers_address",
        "followers_consentrecord",
        "followers_follower",
        "followers_importproblem",
        "followers_suppression",
        "followers.ExportChunk",
        "inbox_inboxitem",
        "notifications_delivery",
        "notifications_notification",
    } <= before
    assert any(place.endswith(".csv") for place in before)
    held = canaries()
    assert len(held) >= 18
    with django_capture_on_commit_callbacks(execute=True):
        copy = handed_over(person)
    assert {each for each in held if each not in copy["everything.json"]} == set()
    sent = Delivery.objects.filter(status="sent").count()
    seal_new(now=timezone.now())
    with caplog.at_level(logging.DEBUG):
        erased(person)
    assert [verify(each).broken for each in ("audit", "consent")] == ["", ""]
    assert verify("audit").erased >= 10
    assert traces() == set()
    assert not [each for each in TRACES if each in caplog.text]
    assert Delivery.objects.filter(status="sent").count() == sent
    for notification in Notification.objects.all():
        stands(notification)
    assert stands(Notification.objects.latest("pk")) == {"cancelled": 1}
    assert Follower.objects.get().email == "other@example.com"


def test_what_others_said_stays_but_for_the_erased_address() -> None:
    person = DataSubject(pk=1, uid="u-1", addresses=("anna@example.com",), external_id="7")
    kept = "hanna@example.com, anna@example.com.au, 7"
    assert person.masked(f"to Anna@Example.com: {kept}") == f"to [erased]: {kept}"
    assert person.masked({"anna%40example.com": ["anna@example.com"]}) == {"[erased]": ["[erased]"]}
    told = [{"id": "u-1", "name": "Anna"}, {"id": "u-2", "name": "Anna"}, {"external_id": "7"}]
    assert person.emptied(told) == [
        {"id": None, "name": None},
        {"id": "u-2", "name": "Anna"},
        {"external_id": None},
    ]
    assert DataSubject(pk=1, uid="u-1", addresses=()).masked("anybody") == "anybody"


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("welcome-anna@example.com", "welcome-[erased]"),
        ("order_7_anna@example.com", "order_7_[erased]"),
        ("anna@example.com-2026", "[erased]-2026"),
        ("u%3Aanna%40example.com", "u%3A[erased]"),
        ("code-4915112345678-1", "code-[erased]-1"),
        ("code+4915112345678", "code+[erased]"),
        ("hanna@example.com", "hanna@example.com"),
        ("anna@example.com.au", "anna@example.com.au"),
        ("149151123456789", "149151123456789"),
    ],
)
def test_a_key_loses_the_address_that_is_glued_into_it(key: str, left: str) -> None:
    person = DataSubject(pk=1, uid="u-1", addresses=("anna@example.com", "+4915112345678"))
    assert person.masked_in_key(key) == left


def test_a_text_loses_an_address_however_it_is_written() -> None:
    person = DataSubject(pk=1, uid="u-1", addresses=("anna@example.com", "+4915112345678"))
    text = "?u=x%3Aanna%40example.com&n=4915112345678, x%2Banna%40example.com"
    assert person.masked(text) == "?u=x%3A[erased]&n=[erased], x%2Banna%40example.com"


@pytest.mark.django_db
def test_a_file_that_is_out_of_reach_holds_up_nobodys_rows(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(person: DataSubject) -> None:
        raise OSError("no such disk")

    erasure = erase(follower=anna, by=TESTER, now=timezone.now())
    with monkeypatch.context() as patch:
        patch.setattr(remove.files, "clear", unreachable)
        with pytest.raises(OSError, match="no such disk"):
            remove.run(erasure.pk)
    assert not Follower.objects.exists()
    remove.run(erasure.pk)
    erasure.refresh_from_db()
    assert erasure.state == "done"


@pytest.mark.django_db
def test_nobody_but_they_themselves_bring_an_erased_person_back(client: Client) -> None:
    api = make_client(*Scope)
    gone = make_follower(email=EMAIL, phone=PHONE, external_id="crm-1", name="Ida")
    other = make_follower(email="other@example.com")
    erased(gone)

    def refused(answer: Any) -> None:
        assert answer.status_code == 409, answer.json()
        assert REFUSED in answer.content.decode()

    refused(api.post("/api/v1/followers", {"email": EMAIL.upper()}))
    refused(api.put("/api/v1/followers/by-external-id/crm-1", {"email": "new@example.com"}))
    refused(api.patch(f"/api/v1/followers/{other.uid}", {"phone": PHONE}))
    with pytest.raises(Erased):
        create_address(follower=other, channel="email", value=EMAIL, by=TESTER, now=timezone.now())
    job = run_import(f"email,name\n{EMAIL},Ida\nnew@example.com,New\n")
    assert counts(job) == (1, 0, 0, 1)
    problem = ImportProblem.objects.get()
    assert (problem.message, problem.row) == (REFUSED, [])

    make_form()
    row = asked(client, email=EMAIL, first_name="Ida")
    # somebody typed it, and who reads the mailbox has not said anything yet
    refused(api.post("/api/v1/followers", {"email": EMAIL}))
    assert counts(run_import(f"email,name\n{EMAIL},Ida\n")) == (0, 0, 0, 1)
    assert Follower.objects.get(addresses__key=EMAIL).name == ""
    client.post(link_of(row))
    assert Follower.objects.get(addresses__key=EMAIL).subscribed
    assert counts(run_import(f"email,id\n{EMAIL},crm-1\n")) == (0, 1, 0, 0)
    assert not Tombstone.objects.exists()


@pytest.mark.django_db
def test_who_is_being_erased_is_given_nothing_that_could_be_written_to(client: Client) -> None:
    api = make_client(*Scope)
    gone = make_follower(email=EMAIL, external_id="crm-1")
    suppress(channel="email", value=EMAIL, reason="hard_bounce", by=TESTER, now=timezone.now())
    form = make_form()
    stale = asked(client, email="second@example.com")
    by: dict[str, Any] = {"by": TESTER, "now": timezone.now()}
    erasure = erase(follower=gone, **by)
    new = {"email": "new@example.com"}
    for answer in (
        api.put("/api/v1/followers/by-external-id/crm-1", new),
        api.patch(f"/api/v1/followers/{gone.uid}", new),
    ):
        assert answer.status_code == 409, answer.json()
        assert REFUSED in answer.content.decode()
    with pytest.raises(Erased):
        create_address(follower=gone, channel="email", value="new@example.com", **by)
    with pytest.raises(Erased):
        register_app(follower=gone, app=AppDevice("fcm", "token"), **by)
    with pytest.raises(Erased):
        create_webhook(follower=gone, url="https://93.184.216.34/", **by)
    release(suppression=Suppression.objects.get(), **by)
    assert [row.state for row in gone.addresses.all()] == ["suppressed"]

    row = asked(client, email=EMAIL)
    assert (row.state, row.follower) == ("asked", None)
    erase(follower=stale.follower, **by)
    assert client.post(link_of(stale)).status_code == 404
    remove.run(erasure.pk)
    mail.send(sign_up_id=row.pk)
    row.refresh_from_db()
    assert (row.state, row.form) == ("mailed", form)
    assert client.post(link_of(row)).status_code == 200
    assert Follower.objects.get(addresses__key=EMAIL).subscribed


@pytest.mark.django_db
def test_a_row_of_an_erased_person_still_says_what_others_in_it_do_not_want(
    anna: Follower, boris: Follower
) -> None:
    erased(make_follower(email=EMAIL, phone=PHONE, external_id="crm-1"))
    values = {"status": {"perhaps": "refuse"}}
    job = run_import(
        "email,phone,id,status\n"
        "anna@example.com,,crm-1,unsubscribed\n"
        f"{EMAIL},+4915100000000,,spam\n"
        f"{EMAIL},,,perhaps\n"
        f"Ida <{EMAIL}>,too few\n"
        f"broken,{EMAIL},,\n",
        {"email": "email", "phone": "phone", "id": "external_id", "status": "subscribed"},
        values=values,
    )
    assert counts(job) == (0, 0, 0, 5)
    assert not Follower.objects.get(pk=anna.pk).subscribed
    assert not Suppression.objects.exists()  # a complaint was about the mail, not about the phone
    problems = list(ImportProblem.objects.all())
    assert problems[0].message == f"{REFUSED} The opt-out in this row is obeyed."
    assert not [problem for problem in problems if problem.row]
    listed = run_import(f"email\n{EMAIL}; boris@example.com\n{EMAIL}\n", do_not_contact=True)
    assert counts(listed) == (0, 0, 0, 2)
    assert list(Suppression.objects.values_list("key", flat=True)) == ["boris@example.com"]


@pytest.mark.django_db
def test_a_word_against_an_address_outlives_who_said_it(client: Client) -> None:
    gone = make_follower(email=EMAIL)
    suppress(channel="email", value=EMAIL, reason="complaint", by=TESTER, now=timezone.now())
    erased(gone)
    make_form()
    row = asked(client, email=EMAIL)
    assert (row.state, row.held_because) == ("held", "suppressed")


@pytest.mark.django_db
def test_who_comes_back_by_email_has_not_taken_back_a_stop(client: Client) -> None:
    gone = make_follower(email=EMAIL, phone=PHONE, external_id="crm-1")
    other = "+491511234600"
    create_address(follower=gone, channel="sms", value=other, by=TESTER, now=timezone.now())
    for value in (PHONE, other):
        suppress(channel="sms", value=value, reason="stop", by=TESTER, now=timezone.now())
    erased(gone)
    make_form()
    client.post(link_of(asked(client, email=EMAIL)))
    assert counts(run_import(f"email,phone\n{EMAIL},{PHONE}\n")) == (0, 1, 0, 0)
    back = Follower.objects.get(addresses__key=EMAIL)
    assert back.addresses.get(channel="email").state == "active"
    assert back.addresses.get(channel="sms").state == "suppressed"
    said = Suppression.objects.get()
    assert (said.key, said.reason) == (PHONE, "stop")
    release(suppression=said, by=TESTER, now=timezone.now())
    assert back.addresses.get(channel="sms").state == "active"
    # and by a call, which writes one at a time
    make_client(*Scope).post("/api/v1/followers", {"phone": other})
    assert Follower.objects.get(addresses__key=other).addresses.get().state == "suppressed"
    tombstones.take_back("sms", other, "stop")  # its mark is on the list by now
    assert not Tombstone.objects.exists()


@pytest.mark.django_db
def test_erasing_over_the_api_takes_its_own_scope_and_can_be_repeated(anna: Follower) -> None:
    path = f"/api/v1/followers/{anna.uid}"
    assert make_client("followers:write").delete(path).status_code == 403
    api = make_client("followers:erase")
    first = api.delete(path)
    assert (first.status_code, first.json()["state"]) == (202, "stopped")
    remove.run(Erasure.objects.get().pk)
    again = api.delete(path)
    assert (again.status_code, again.json()["state"]) == (202, "done")
    assert api.get(f"/api/v1/erasures/{again.json()['id']}").json()["state"] == "done"
    assert not Follower.objects.exists()


def test_an_administrator_erases_with_the_password_and_nobody_without(
    client: Client, admin: User, sender: User, anna: Follower
) -> None:
    path = f"/followers/{anna.uid}/erase/"
    client.force_login(sender)
    assert client.post(path, {"password": "correct-horse-battery"}).status_code == 403
    client.force_login(admin)
    assert (
        "Type the password that you have now."
        in client.post(path, {"password": "wrong"}).content.decode()
    )
    assert not Erasure.objects.exists()
    assert client.post(path, {"password": "correct-horse-battery"}).status_code == 302
    assert Erasure.objects.get().by_label == "Ada"


@pytest.mark.django_db
def test_a_message_in_hand_is_waited_for(anna: Follower, receiver: Receiver) -> None:
    tell(make_type(), [anna], version=make_version())
    Delivery.objects.update(status="queued", lease_until=timezone.now())
    erasure = erase(follower=anna, by=TESTER, now=timezone.now())
    remove.run(erasure.pk)
    assert Follower.objects.exists()
    Delivery.objects.update(status="sent")
    remove.run(erasure.pk)
    assert not Follower.objects.exists()


# Tables with words in which nobody is searched for.
_GOES_WITH_THEM = "rows of the person's own go with them; those of others are theirs"
_STAFF = "words of staff for everybody; a name in it is meant to be read"
_CODES = "codes, hashes and names of ours"
_NOT_SEARCHED = {
    "analytics.Breakdown": "goes with each who is erased of those it counts",
    "analytics.DayOfRetention": _CODES,
    "analytics.Retention": _CODES,
    "accounts.ApiKey": _CODES,
    "accounts.LedgerSeal": _CODES,
    "accounts.User": "staff have an account because they work here",
    "api.Allowance": _CODES,
    "campaigns.AudienceCount": _CODES,
    "campaigns.EventRule": _STAFF,
    "campaigns.RecurringZone": _CODES,
    "content.Layout": _STAFF,
    "content.Link": _STAFF,
    "content.Template": _STAFF,
    "content.Translation": _STAFF,
    "content.Version": _STAFF,
    "followers.AddressClaim": _GOES_WITH_THEM,
    "followers.Address": _GOES_WITH_THEM,
    "followers.ConsentRecord": _GOES_WITH_THEM,
    "followers.ConsentWording": _STAFF,
    "followers.CustomField": _STAFF,
    "followers.Erasure": "empties itself when it is done",
    "followers.Follower": _GOES_WITH_THEM,
    "followers.MergedFollower": _GOES_WITH_THEM,
    "followers.NotificationType": _STAFF,
    "followers.PhoneCode": _GOES_WITH_THEM,
    "followers.PrivacyCode": _GOES_WITH_THEM,
    "followers.Rhythm": _CODES,
    "followers.SignUp": _GOES_WITH_THEM,
    "followers.SignUpForm": _STAFF,
    "followers.Tag": _STAFF,
    "followers.Tombstone": _CODES,
    "followers.TombstoneKey": _CODES,
    "followers.Webhook": _GOES_WITH_THEM,
    "inbox.InboxItem": _GOES_WITH_THEM,
    "notifications.Cap": _STAFF,
    "notifications.Delivery": _GOES_WITH_THEM,
    "notifications.DeliveryEvent": _GOES_WITH_THEM,
    "notifications.DomainLimit": _CODES,
    "notifications.DomainReport": "of our own domains, and of servers",
    "notifications.Engagement": _GOES_WITH_THEM,
    "notifications.Examination": "of our own domains and servers",
    "notifications.Notification": "those that the person got are looked at by themselves",
    "notifications.Pace": _CODES,
    "notifications.Recipient": _GOES_WITH_THEM,
    "notifications.Replay": _CODES,
    "notifications.Slice": _CODES,
    "notifications.Tally": _CODES,
    "notifications.Use": _GOES_WITH_THEM,
    "notifications.WaitingKey": _CODES,
    "ops.LaneHeartbeat": _CODES,
    "ops.SignedMark": _CODES,
}


def test_every_table_with_words_is_searched_or_has_a_reason_not_to_be() -> None:
    with_words = {
        model._meta.label
        for model in apps.get_models()
        if model.__module__.startswith("apps.")
        for field in model._meta.get_fields()
        if isinstance(field, CharField | TextField | JSONField) and not field.choices
    }
    assert with_words == settings.SEARCHED.keys() | _NOT_SEARCHED.keys()
    assert not settings.SEARCHED.keys() & _NOT_SEARCHED.keys()

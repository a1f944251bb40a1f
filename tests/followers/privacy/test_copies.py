"""All that is held about somebody is handed over to them, and to nobody else."""

import json
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db.models import CASCADE, Model
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry, User
from apps.accounts.permissions import Scope
from apps.analytics.everything import told
from apps.analytics.everything.source import PARTS
from apps.campaigns.events.run_rules import work_off
from apps.campaigns.models import Event
from apps.followers.consent.tombstones import Erased
from apps.followers.exports import write
from apps.followers.models import Address, Export, Follower
from apps.followers.privacy.copies import ask_for_copy
from apps.followers.privacy.erase import erase, who_is
from apps.inbox.models import InboxItem
from apps.lib.erasing.person import DataSubject
from apps.notifications.models import Delivery
from tests.api.world import make_client
from tests.campaigns.events.world import happen, make_rule
from tests.followers.imports.world import run_import
from tests.followers.privacy.world import erased, handed_over
from tests.make import TESTER, make_follower, make_staff, make_type
from tests.notifications.world import drain, make_version, tell
from tests.receiver import Receiver

# Tables that point at a follower and have no part, and why.
_UNTOLD = {
    "notifications.Use": "counts messages that are told, to keep a cap; goes with the follower",
    "campaigns.EventOutcome": "told with its event",
}
# Rows that stay when their follower goes: who takes the words out of them.
_EMPTIED = {"notifications.Delivery": "apps.notifications.books.erased.forget"}


def _point_at(targets: set[type[Model]]) -> dict[type[Model], Any]:
    """Each table with a key to one of these, or to one that has such a key; and that key."""
    found: dict[type[Model], Any] = {}
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if field.related_model in targets and model not in targets:
                found[model] = field
    if not found:
        return {}
    return found | _point_at(targets | set(found))


def test_every_table_that_points_at_a_follower_is_handed_over_and_erased() -> None:
    pointing = _point_at({Follower})
    assert {Address, Delivery} <= set(pointing)
    told = {table for part in PARTS for table in part.tables}
    labels = {model._meta.label for model in pointing} | {"followers.Follower"}
    assert labels == told | _UNTOLD.keys()
    stay = {
        model._meta.label
        for model, field in pointing.items()
        if field.remote_field.on_delete is not CASCADE or not field.db_constraint
    }
    assert stay == _EMPTIED.keys()
    assert set(_EMPTIED.values()) <= set(settings.ERASES)


@pytest.mark.django_db
def test_a_copy_has_the_mails_as_pages_and_nothing_of_others(anna: Follower) -> None:
    other = make_follower(email="other@example.com")
    version = make_version(body="<p>{{ what }}</p>", variables=[{"name": "what", "type": "string"}])
    kind = make_type("order", category="informational", commercial=False)
    both = {"what": "Shared", "friends": ["other@example.com", "anna@example.com"]}
    tell(kind, [anna, other], version=version, data=both)
    secret = make_type("codes", category="critical", commercial=False)
    tell(secret, [anna], version=version, data={"what": "123456"})
    files = handed_over(anna)
    parts = json.loads(files["everything.json"])["parts"]
    first, code = parts["messages"]
    assert first["words"]["text"] == "Shared"
    assert first["data"] == {"friends": ["anna@example.com"]}
    assert "<p>Shared</p>" in files[f"messages/{first['id']}.html"]
    assert "script-src" not in files[f"messages/{first['id']}.html"]
    # whoever reads the mailbox must not read a code that a phone waits for
    assert (code["words"], code["words_left_out"]) == ({}, True)
    assert "123456" not in "".join(files.values())
    assert "other@example.com" not in "".join(files.values())
    Delivery.objects.update(created_at=timezone.now() - timezone.timedelta(days=2))
    assert "123456" in handed_over(anna)["everything.json"]


@pytest.mark.django_db
def test_a_copy_speaks_the_language_of_whom_it_is_about() -> None:
    files = handed_over(make_follower(email="ida@example.com", language="ru"))
    assert '<html lang="ru">' in files["index.html"]
    assert "ida@example.com" in files["index.html"]


def test_an_administrator_fetches_a_copy_with_the_password_and_nobody_without(
    client: Client, admin: User, anna: Follower
) -> None:
    path = f"/followers/{anna.uid}/copy/"
    client.force_login(make_staff("selma", role="sender"))
    assert client.get(path).status_code == 403
    assert client.post(f"{path}start/").status_code == 403
    client.force_login(admin)
    assert client.post(f"{path}start/").status_code == 302
    copy = Export.objects.get()
    assert "every 2s" in client.get(path).content.decode()
    # one is enough while it is written, and it is in no list
    client.post(f"{path}start/")
    assert Export.objects.get() == copy
    assert str(copy.uid) not in client.get("/exports/").content.decode()
    write.run(copy.pk)
    assert "Download the archive" in client.get(path).content.decode()
    file = f"{path}{copy.uid}/file/"
    wrong = client.post(file, {"password": "wrong"})
    assert "Type the password that you have now." in wrong.content.decode()
    right: Any = client.post(file, {"password": "correct-horse-battery"})
    assert right["Content-Type"] == "application/zip"
    assert b"".join(right.streaming_content).startswith(b"PK")
    told = AuditEntry.objects.filter(subject_id=str(anna.uid), kind__startswith="data_copy.")
    assert [entry.kind for entry in told] == ["data_copy.fetched", "data_copy.asked"]
    # the file of one is nobody else's
    other = make_follower(email="other@example.com")
    assert client.post(f"/followers/{other.uid}/copy/{copy.uid}/file/").status_code == 404
    assert client.post(f"/exports/{copy.uid}/file/").status_code == 404


@pytest.mark.django_db
def test_a_program_fetches_a_copy_with_a_scope_of_its_own(anna: Follower) -> None:
    path = f"/api/v1/followers/{anna.uid}/copy"
    others = [scope for scope in Scope if scope != Scope.FOLLOWERS_EXPORT]
    assert make_client(*others).post(path).status_code == 403
    api = make_client("followers:export")
    answer = api.post(path)
    assert (answer.status_code, answer.json()["follower"]) == (202, str(anna.uid))
    copy = f"/api/v1/copies/{answer.json()['id']}"
    assert api.get(f"{copy}/archive").status_code == 409
    write.run(Export.objects.get().pk)
    assert api.get(copy).json()["state"] == "ready"
    archive: Any = api.get(f"{copy}/archive")
    assert b"".join(archive.streaming_content).startswith(b"PK")
    every = make_client(*Scope)
    assert every.get(copy.replace("copies", "exports")).status_code == 404
    assert every.get("/api/v1/exports").json()["results"] == []


@pytest.mark.django_db
def test_who_is_erased_takes_their_copies_along_and_gets_no_more(anna: Follower) -> None:
    ask_for_copy(follower=anna, by=TESTER, now=timezone.now())
    leaving = make_follower(email="leaving@example.com")
    erase(follower=leaving, by=TESTER, now=timezone.now())
    with pytest.raises(Erased):
        ask_for_copy(follower=leaving, by=TESTER, now=timezone.now())
    erased(anna)
    assert not Export.objects.exists()


@pytest.mark.django_db
def test_a_copy_has_nothing_of_somebody_whose_address_only_contains_theirs() -> None:
    ann = make_follower(email="ann@example.com")
    for name in ("joann", "jo.ann"):
        email = f"{name}@example.com"
        make_follower(email=email)
        happen("invited", data={"who": email}, dedup_key=email)
        run_import(f"email,first_name\n{email},Secret\n{email},Secret-again\n")
    run_import("email,first_name\nann@example.com,Ann\nann@example.com,Ann-again\n")
    said = handed_over(ann)["everything.json"]
    assert "joann" not in said
    assert "jo.ann" not in said
    assert "Secret" not in said
    mentions = json.loads(said)["parts"]["mentions"]
    assert all(each["said"] for each in mentions)
    # refused rows of a file are told whole
    assert "Ann-again" in said
    # however many rows of others lie between
    person = who_is(ann)
    found, after = [], 0
    read = next(part.read for part in told.PARTS if part.name == "mentions")
    while some := read(person, after, 1):
        found += [row for _, row in some]
        after = some[-1][0]
    assert found == mentions


def test_what_is_said_about_somebody_is_said_about_nobody_with_a_longer_address() -> None:
    ann = DataSubject(pk=1, uid="u-1", addresses=("ann@example.com",))
    assert ann.said_in(["joann@example.com", "jo.ann@example.com", "jo-ann@example.com"]) is None
    assert ann.said_in({"a": "to ann@example.com"}) == {"a": "to ann@example.com"}


def test_words_of_critical_messages_are_told_nowhere_within_a_day(receiver: Receiver) -> None:
    anna = make_follower(email="anna@example.com")
    kind = make_type("login", category="critical", commercial=False)
    version = make_version(body="<p>{{ what }}</p>", variables=[{"name": "what", "type": "string"}])
    words: dict[str, Any] = {"data": {"what": "code-777123"}, "version": version}
    tell(kind, [anna], channels=["email", "in_app"], **words)
    drain()
    later = timezone.now() + timezone.timedelta(days=3)
    planned = tell(kind, [anna], send_at=later, **words)
    planned.recipients.create(follower=anna, data={"what": "code-777123"})
    make_rule(notification_type=kind, event="login.*")
    happen("login.asked", anna, data={"what": "code-777123"})
    happen("order.paid", anna, data={"what": "harmless"})
    assert InboxItem.objects.update(body="code-777123") == 1
    said = handed_over(anna)["everything.json"]
    assert "code-777123" not in said
    assert "harmless" in said
    parts = json.loads(said)["parts"]
    for part in ("messages", "planned", "events", "inbox"):
        assert parts[part][0]["words_left_out"], part
    work_off()
    assert "code-777123" not in handed_over(anna)["everything.json"]
    old = timezone.now() - timezone.timedelta(days=2)
    InboxItem.objects.update(created_at=old)
    Event.objects.update(received_at=old)
    parts = json.loads(handed_over(anna)["everything.json"])["parts"]
    assert "code-777123" in str(parts["inbox"])
    assert "code-777123" in str(parts["events"])

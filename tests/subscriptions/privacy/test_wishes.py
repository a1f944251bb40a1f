"""People fetch all that is held about them and erase themselves, by a code that goes to their
mailbox, and by nothing else.
"""

import datetime as dt
import io
import re
import zipfile
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.followers.consent.suppression import suppress
from apps.followers.exports import write
from apps.followers.models import AddressClaim, Erasure, Export, Follower, PrivacyCode
from apps.followers.privacy import codes, remove
from apps.followers.privacy.copies import ask_for_copy
from apps.lib import tokens
from apps.subscriptions.claims.mail import link
from apps.subscriptions.privacy import mail
from apps.subscriptions.privacy.copy import PURPOSE
from tests.make import TESTER, make_follower, make_type
from tests.receiver import Receiver
from tests.subscriptions.pages import Page, fresh_path, preferences_path, visit
from tests.subscriptions.world import make_warning

ASK = "Mail me a code"
ASK_TO_GO = "Mail me a code to be erased"
WRONG = "This is not the code we sent. Look again."
OVER = "This code is not good any more. Let us send you another one."


@pytest.fixture(autouse=True)
def clock() -> Any:
    # today: tasks look at a clock that believes no jump
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def asked(client: Client, follower: Follower, button: str) -> Page:
    return visit(client, f"{preferences_path(follower)}privacy/").press(button)


def mailed(receiver: Receiver) -> str:
    """The code of the mail that the page announced."""
    for row in OrmQ.objects.all():
        if row.task["func"] == codes.MAIL_TASK:
            mail.send(**row.task["kwargs"])
        row.delete()
    found = re.search(r"^\d{6}\r?$", receiver.arrived[-1].mail.get_content(), re.MULTILINE)
    assert found
    return found[0].strip()


def test_somebody_fetches_all_that_is_held_about_them(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    page = asked(client, anna, ASK)
    assert "The code that we mailed to a•••@example.com" in page.text
    code = mailed(receiver)
    assert code not in str(list(PrivacyCode.objects.values()))
    assert code not in str(list(AuditEntry.objects.values()))
    waits = page.press("Make the archive", code=f" {code} ")
    assert "Your archive is being made." in waits.notice
    assert client.post(f"{waits.url}file/").status_code == 200  # too early: the page once more
    write.run(Export.objects.get().pk)
    ready = visit(client, waits.url)
    assert "Your archive is ready." in ready.notice
    file: Any = client.post(f"{waits.url}file/")
    assert file["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(b"".join(file.streaming_content))) as pack:
        assert "anna@example.com" in pack.read("everything.json").decode()
    kinds = list(AuditEntry.objects.order_by("pk").values_list("kind", flat=True))
    assert kinds[-4:] == [
        "privacy_code.sent", "data_copy.asked", "export.finished", "data_copy.fetched",
    ]  # fmt: skip
    # the code was good once
    assert page.press("Make the archive", code=code).text.count(OVER) == 1
    write.forget_old(now=timezone.now() + dt.timedelta(days=1, minutes=1))
    assert client.get(waits.url).status_code == 404


def test_somebody_erases_themselves(client: Client, anna: Follower, receiver: Receiver) -> None:
    page = asked(client, anna, ASK_TO_GO)
    code = mailed(receiver)
    gone = page.press("Erase me for good", code=code)
    assert "Nothing is sent to you any more" in gone.notice
    erasure = Erasure.objects.get()
    assert (erasure.by_kind, erasure.by_label) == ("follower", "")
    remove.run(erasure.pk)
    assert not Follower.objects.exists()
    assert client.get(page.url).status_code == 404
    assert client.post(f"{page.url}erase/", {"code": code}).status_code == 404


def test_a_code_is_for_one_wish_and_wrong_five_times_none_is_good(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    page = asked(client, anna, ASK)
    code = mailed(receiver)
    other = client.post(f"{page.url}erase/", {"code": code})
    assert (other.status_code, OVER in other.content.decode()) == (400, True)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for said in [WRONG] * 4 + [OVER]:
        tried = page.press("Make the archive", code=wrong)
        assert (tried.response.status_code, said in tried.text) == (400, True)
    assert OVER in page.press("Make the archive", code=code).text
    assert not Erasure.objects.exists()
    assert not Export.objects.exists()


def test_a_code_is_over_after_half_an_hour_and_few_are_mailed(
    client: Client, anna: Follower, receiver: Receiver, clock: Any
) -> None:
    page = asked(client, anna, ASK)
    code = mailed(receiver)
    again = page.press("Mail me another code")
    assert again.response.status_code == 429
    assert "Too many codes were asked for." in again.text
    clock.shift(dt.timedelta(minutes=31))
    assert OVER in page.press("Make the archive", code=code).text
    for _ in range(4):
        assert asked(client, anna, ASK).response.status_code == 200
        clock.shift(dt.timedelta(minutes=31))
    assert asked(client, anna, ASK).response.status_code == 429
    assert codes.forget_old(now=timezone.now() + dt.timedelta(days=3)) == 5


def test_who_can_not_be_mailed_is_told_what_to_do(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    suppress(
        channel="email", value="anna@example.com", reason="complaint", by=TESTER, now=timezone.now()
    )
    page = asked(client, anna, ASK)
    for row in OrmQ.objects.all():
        assert not mail.send(**row.task["kwargs"])
    assert receiver.arrived == []
    told = "We could not mail a code to a•••@example.com. Please write to us."
    assert told in visit(client, page.url).text
    nobody = make_follower(name="Nobody")
    path = f"{preferences_path(nobody)}privacy/"
    assert "we know no email address of yours" in visit(client, path).text
    assert client.post(f"{path}code/").status_code == 409


def test_the_mail_speaks_the_language_of_whom_it_goes_to(
    client: Client, boris: Follower, receiver: Receiver
) -> None:
    client.post(f"{preferences_path(boris)}privacy/code/", {"wish": "erase"})
    mailed(receiver)
    assert "стереть" in receiver.arrived[-1].mail.get_content()


def test_a_copy_that_staff_asked_for_has_no_page_of_its_own(client: Client, anna: Follower) -> None:
    copy = ask_for_copy(follower=anna, by=TESTER, now=timezone.now())
    assert client.get(f"/p/copy/{tokens.make(PURPOSE, str(copy.uid))}/").status_code == 404


def test_a_code_goes_to_the_address_before_while_that_can_be_taken_back(
    client: Client, anna: Follower, receiver: Receiver, clock: Any
) -> None:
    make_type("news")
    make_warning()
    for thief in ("thief@example.org", "another@example.org"):
        client.post(f"{fresh_path(anna)}email/", {"email": thief, "use": "instead"})
        confirms = link(AddressClaim.objects.latest("pk")).partition("/p/")[2]
        visit(client, f"/p/{confirms}").press("Yes, this is my address")
    assert Follower.objects.get().email == "another@example.org"
    page = asked(client, anna, ASK)
    assert "The code that we mailed to a•••@example.com" in page.text
    mailed(receiver)
    assert receiver.recipients == ["anna@example.com"]
    # who says so for a week reads the mailbox that is theirs now
    clock.shift(dt.timedelta(days=7, minutes=1))
    assert "a•••@example.org" in asked(client, anna, ASK).text
    mailed(receiver)
    assert receiver.recipients == ["anna@example.com", "another@example.org"]


def test_a_copy_that_staff_had_begun_does_not_stand_in_the_way(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    staffs = ask_for_copy(follower=anna, by=TESTER, now=timezone.now())
    assert ask_for_copy(follower=anna, by=TESTER, now=timezone.now()) == staffs
    waits = asked(client, anna, ASK).press("Make the archive", code=mailed(receiver))
    assert "Your archive is being made." in waits.notice
    assert Export.objects.count() == 2

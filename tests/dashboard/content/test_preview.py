"""Previews and test mails: what the chosen person sees, in a frame nothing can leave,
and one real hand-over.
"""

from email import message_from_bytes, policy
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEntry, User
from apps.content import drafts
from apps.content.models import Version
from apps.notifications import preview
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.models import ProviderAccount
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_template
from tests.notifications.world import make_accounts
from tests.receiver import Receiver, unused_port

RUSSIAN = {
    "email": {"subject": "Здравствуйте, {{ follower.first_name }}", "html": "<p>Привет</p>"},
    "in_app": {"title": "Привет", "body": "Тело", "link": "https://example.com/"},
}


@pytest.fixture
def version(db: None) -> Version:
    template = make_template("letter")
    drafts.edit_draft(
        template=template,
        values=drafts.DraftValues(translations={"ru": RUSSIAN}),
        by=TESTER,
        now=timezone.now(),
    )
    return drafts.publish(template=template, by=TESTER, now=timezone.now())


def panel(client: Client, version: Version, **asked: str) -> Any:
    return client.get(reverse("dashboard:preview", args=[version.uid]), asked)


def test_the_preview_speaks_to_the_chosen_follower_in_their_language(
    client: Client, viewer: Any, version: Version, anna: Any, boris: Any
) -> None:
    as_role(client, viewer)
    assert "Hello Anna Weber" in page_of(panel(client, version, follower="anna@example.com")).text
    assert "Здравствуйте, Борис" in page_of(panel(client, version, follower=str(boris.uid))).text


def test_a_chosen_language_wins_over_the_followers_own(
    client: Client, viewer: Any, version: Version, boris: Any
) -> None:
    page = page_of(
        panel(as_role(client, viewer), version, follower="boris@example.com", language="en")
    )
    assert "Hello Борис Иванов" in page.text


def test_nobody_found_is_said_and_a_made_up_person_is_shown(
    client: Client, viewer: Any, version: Version
) -> None:
    page = page_of(panel(as_role(client, viewer), version, follower="zebra"))
    assert "No follower matches “zebra”" in page.text
    assert "Hello Alex Example" in page.text


def test_the_in_app_card_shows_title_body_and_link(
    client: Client, viewer: Any, version: Version
) -> None:
    page = page_of(panel(as_role(client, viewer), version, channel="in_app", language="ru"))
    assert "Привет Тело" in page.text
    assert "https://example.com/" in page.text


def test_the_frame_has_a_policy_of_its_own_that_lets_nothing_run(
    client: Client, viewer: Any, version: Version
) -> None:
    answer = as_role(client, viewer).get(reverse("dashboard:preview-frame", args=[version.uid]))
    assert answer.content.decode().endswith("<p>Hello Alex Example</p>")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    directives = {
        part.split()[0]: part.split()[1:] for part in answer["Content-Security-Policy"].split(";")
    }
    assert directives["default-src"] == ["'none'"]
    assert directives["style-src"] == ["'unsafe-inline'"]
    assert directives["img-src"] == ["data:", "https:", "http:"]
    assert directives["frame-ancestors"] == ["'self'"]
    assert directives["form-action"] == ["'none'"]
    assert "allow-scripts" not in directives["sandbox"]
    assert "script-src" not in directives


def test_a_stranger_gets_no_frame(client: Client, version: Version) -> None:
    answer = client.get(reverse("dashboard:preview-frame", args=[version.uid]))
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("dashboard:login"))


def test_a_broken_template_is_explained_instead_of_shown(client: Client, viewer: Any) -> None:
    template = make_template("broken", html="<p>{% if %}</p>", publish=False)
    page = page_of(panel(as_role(client, viewer), drafts.draft_version(template)))
    assert "en.email.html" in page.text


def test_the_exact_bytes_can_be_seen_and_downloaded_as_a_mail(
    client: Client, viewer: Any, version: Version, anna: Any
) -> None:
    as_role(client, viewer)
    assert (
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
        in page_of(panel(client, version, view="source")).text
    )
    url = reverse("dashboard:preview-download", args=[version.uid])
    answer = client.get(url, {"follower": str(anna.uid)})
    assert answer["Content-Type"] == "message/rfc822"
    mail = message_from_bytes(answer.content, policy=policy.default)
    assert mail["To"] == "Anna Weber <anna@example.com>"
    assert mail["Subject"] == "Hello Anna Weber"
    assert {part.get_content_type() for part in mail.walk()} >= {"text/plain", "text/html"}


def test_looking_changes_nothing(client: Client, viewer: Any, version: Version, anna: Any) -> None:
    as_role(client, viewer)
    before = AuditEntry.objects.count()
    panel(client, version, follower="anna@example.com", language="ru")
    anna.refresh_from_db()
    assert anna.language == "en"
    assert AuditEntry.objects.count() == before


# ---------------------------------------------------------------- a real test
@pytest.fixture(autouse=True)
def testers(settings: Any) -> None:
    settings.TESTERS = ["me@staff.example", "nobody@staff.example"]


def send_test(client: Client, version: Version, to: str, **asked: str) -> str:
    answer = client.post(
        reverse("dashboard:preview-test", args=[version.uid]),
        {"to": to, **asked},
        headers={"HX-Request": "true"},
    )
    return page_of(answer).text


def test_a_test_goes_out_for_real_and_the_servers_answer_is_shown(
    client: Client, editor: Any, version: Version, anna: Any, receiver: Receiver
) -> None:
    said = send_test(as_role(client, editor), version, "me@staff.example", follower=str(anna.uid))
    assert "The server took the test for me@staff.example" in said
    assert "queued as" in said
    assert receiver.recipients == ["me@staff.example"]
    assert receiver.arrived[0].mail["Subject"] == "[Test] Hello Anna Weber"
    entry = AuditEntry.objects.filter(kind="template.test_sent").get()
    assert entry.actor_id == str(editor.uid)


def test_a_viewer_can_not_send_a_test(
    client: Client, viewer: Any, version: Version, receiver: Receiver
) -> None:
    as_role(client, viewer)
    answer = client.post(
        reverse("dashboard:preview-test", args=[version.uid]), {"to": "me@staff.example"}
    )
    assert answer.status_code == 403
    assert receiver.arrived == []
    assert "Send a real test" not in page_of(panel(client, version)).text


def test_without_htmx_the_answer_comes_as_a_message_on_the_page(
    client: Client, editor: Any, version: Version, receiver: Receiver
) -> None:
    url = reverse("dashboard:preview-test", args=[version.uid])
    answer = as_role(client, editor).post(url, {"to": "me@staff.example"}, follow=True)
    assert "The server took the test" in page_of(answer).text


@pytest.mark.parametrize("to", ["", "not an address", "me@"])
def test_a_wrong_address_is_refused_before_anything_is_sent(
    client: Client, editor: Any, version: Version, receiver: Receiver, to: str
) -> None:
    send_test(as_role(client, editor), version, to)
    assert receiver.connections == 0
    assert not AuditEntry.objects.filter(kind="template.test_sent").exists()


def test_an_address_the_server_refuses_is_told_in_its_own_words(
    client: Client, editor: Any, version: Version, receiver: Receiver
) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 No such user here"
    said = send_test(as_role(client, editor), version, "nobody@staff.example")
    assert "will not take mail for nobody@staff.example" in said
    assert "No such user here" in said


def test_a_wrong_password_is_told_as_such(
    client: Client, editor: Any, version: Version, receiver: Receiver
) -> None:
    receiver.extensions.append("AUTH PLAIN")
    receiver.answers["AUTH"] = "535 5.7.8 Bad credentials"
    change_account(
        account=ProviderAccount.objects.get(channel="email"),
        values=AccountValues(settings={"username": "carillon", "password": "wrong"}),
        by=TESTER,
        now=timezone.now(),
    )
    said = send_test(as_role(client, editor), version, "me@staff.example")
    assert "Nothing can leave through this account" in said
    assert "refused user name and password" in said
    assert "Bad credentials" in said


def test_a_server_that_is_down_is_told_as_such(
    client: Client, editor: Any, version: Version
) -> None:
    make_accounts(Receiver(), port=unused_port())
    said = send_test(as_role(client, editor), version, "me@staff.example")
    assert "Nothing can leave through this account" in said
    assert "can't be reached" in said


def test_without_an_account_the_page_says_where_to_make_one(
    client: Client, editor: Any, version: Version
) -> None:
    assert "Add or enable one under Channels" in send_test(
        as_role(client, editor), version, "me@staff.example"
    )


def test_a_draft_that_can_not_be_written_sends_nothing(
    client: Client, editor: Any, receiver: Receiver
) -> None:
    template = make_template("broken", html="<p>{% if %}</p>", publish=False)
    draft = drafts.draft_version(template)
    assert draft
    assert "It can't be written yet" in send_test(
        as_role(client, editor), draft, "me@staff.example"
    )
    assert receiver.connections == 0


@pytest.mark.reported
def test_whose_role_may_not_send_tests_on_staff_and_named_testers_only(
    client: Client, version: Version, editor: User, viewer: User, sender: User, receiver: Receiver
) -> None:
    for stranger in ("somebody@example.com", "Vera@staff.example.org"):
        said = send_test(as_role(client, editor), version, stranger)
        assert "Your role sends tests to the addresses of staff" in said
    assert receiver.recipients == []
    for known in ("VERA@staff.example", "Me@staff.example"):
        assert "The server took the test" in send_test(client, version, known)
    assert "took the test" in send_test(as_role(client, sender), version, "somebody@example.com")


@pytest.mark.reported
def test_nobody_sends_tests_without_an_end(
    client: Client, version: Version, sender: User, receiver: Receiver, monkeypatch: Any
) -> None:
    monkeypatch.setattr(preview, "MOST_TESTS", 2)
    answers = [
        send_test(as_role(client, sender), version, f"p{number}@example.com") for number in range(3)
    ]
    assert ["took the test" in said for said in answers] == [True, True, False]
    assert "You sent 2 tests within an hour." in answers[2]
    assert len(receiver.recipients) == 2

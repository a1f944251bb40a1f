"""The commands for messages: what they make, what they print, and what they refuse."""

import io
import re
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.campaigns import launch
from apps.campaigns.models import Campaign, Run
from apps.campaigns.simple_message import is_html, words_of
from apps.followers.people import tagging
from apps.notifications.accounts import edit
from apps.notifications.sending.sender import send_lane
from apps.ops.site_setup import set_up_site
from tests.make import TESTER, make_follower, make_type

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(*words: str, **options: Any) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, **options)
    return out.getvalue()


def write(**fields: str) -> Campaign:
    values = {"--subject": "Hello", "--content": "<p>Hi</p>"} | {
        f"--{name}": text for name, text in fields.items()
    }
    run("create_message", *(word for pair in values.items() for word in pair))
    return Campaign.objects.latest("pk")


# ---------------------------------------------------------------- create_message
def test_a_message_is_written_and_the_next_step_named() -> None:
    make_type("news")
    said = run("create_message", "--subject", "May [news]", "--content", "Hi {{ follower.name }}")
    message = Campaign.objects.get()
    assert f"Created May [news], id {message.uid}." in said
    assert f"send-message {message.uid}" in said
    assert words_of(message) == {
        "subject": "May [news]",
        "html": "",
        "text": "Hi {{ follower.name }}",
    }
    assert message.audience["everyone"] is True
    assert AuditEntry.objects.get(kind="campaign.created").actor_label == "manage.py create_message"


def test_the_content_may_be_in_a_file_and_the_audience_by_tags(anna, tmp_path: Path) -> None:
    make_type("news")
    make_type("offers")
    tagging.tag(followers=[anna], tags=["Early Birds"], by=TESTER, now=timezone.now())
    path = tmp_path / "may.html"
    path.write_text("<h1>Май</h1>", "utf-8")
    run(
        "create_message",
        "--subject",
        "Май",
        "--file",
        str(path),
        "--tag",
        "early birds",
        "--type",
        "offers",
    )
    message = Campaign.objects.get()
    assert words_of(message)["html"] == "<h1>Май</h1>"
    assert message.audience["tags"] == ["early-birds"]
    assert message.notification_type.key == "offers"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--subject", " ", "--content", "x"], "subject"),
        (["--subject", "x", "--content", " "], "empty"),
        (["--subject", "x", "--content", "x", "--tag", "nobody"], "no tag 'nobody'"),
        (["--subject", "x", "--content", "x", "--type", "none"], "Known: news"),
        (["--subject", "x", "--file", "/no/such/file"], "can't be read"),
        (["--subject", "x"], "one of the arguments --content --file is required"),
    ],
)
def test_what_cannot_be_a_message_is_refused(words: list[str], said: str) -> None:
    make_type("news")
    with pytest.raises(CommandError, match=said):
        run("create_message", *words)
    assert not Campaign.objects.exists()


def test_without_a_commercial_type_the_command_says_what_is_missing() -> None:
    with pytest.raises(CommandError, match="no commercial message type"):
        run("create_message", "--subject", "x", "--content", "x")


@pytest.mark.parametrize(
    ("content", "html"),
    [
        ("<p>Hi</p>", True),
        ("Line<br>break", True),
        ('<a href="https://example.com">x</a>', True),
        ("a < b and b > c", False),
        ("Write to <ann@example.com>", False),
        ("See <https://example.com/a>", False),
        ("{% if a < b %}x{% endif %}", False),
    ],
)
def test_html_is_told_from_text(content: str, html: bool) -> None:
    assert is_html(content) is html


# ---------------------------------------------------------------- create_cloudmind_message
@pytest.mark.parametrize(
    ("language", "words"), [("en", "Meet CloudMind AI"), ("ru", "Знакомьтесь")]
)
def test_the_introduction_speaks_the_language_asked_for(language: str, words: str, anna) -> None:
    set_up_site(by=TESTER, now=timezone.now())
    run("create_cloudmind_message", "--language", language)
    message = Campaign.objects.get()
    assert words_of(message)["subject"].startswith(words)
    assert message.notification_type.commercial
    run("send_message", str(message.uid))
    assert Run.objects.count() == 1


def test_the_introduction_needs_the_stock_templates() -> None:
    with pytest.raises(CommandError, match="setup_site"):
        run("create_cloudmind_message", "--language", "en")
    with pytest.raises(CommandError, match="invalid choice"):
        run("create_cloudmind_message", "--language", "de")


# ---------------------------------------------------------------- send_message
def test_a_message_is_sent_by_its_id_or_the_end_of_it_and_once(anna) -> None:
    make_type("news")
    message = write()
    assert "Sending Hello." in run("send_message", str(message.uid))
    run("send_message", "…" + message.uid.hex[-8:])
    assert Run.objects.count() == 1


@pytest.mark.parametrize("name", ["none", "", "00", "0190a000-0000-7000-8000-000000000000"])
def test_a_message_that_is_not_there_is_not_sent(name: str) -> None:
    make_type("news")
    write()
    with pytest.raises(CommandError, match="list-messages"):
        run("send_message", name)


def test_a_message_that_nobody_would_get_is_refused_with_the_reason() -> None:
    make_type("news")
    with pytest.raises(CommandError, match="Nobody matches"):
        run("send_message", str(write().uid))


@pytest.mark.django_db(transaction=True)
def test_waiting_shows_the_progress_and_then_the_balance(boris) -> None:
    make_type("news", channels=["email", "in_app"])
    edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
    make_follower(name="Eve")
    message = write()
    Campaign.objects.update(channels=["in_app"])
    words = message.template.versions.get().translations.get()
    words.parts["in_app"] = {"title": "Hello"}
    words.save()

    def work() -> None:
        try:
            while not (found := Run.objects.first()):
                time.sleep(0.02)
            launch.launch(run_id=found.pk)
            send_lane(name="bulk")
        finally:
            connections.close_all()

    worker = threading.Thread(target=work)
    worker.start()
    said = run("send_message", str(message.uid), "--wait")
    worker.join()
    assert "Done" in said
    assert "2/2" in said
    rows = dict(re.findall(r"^ +(\S.*?) +(\d+) *$", said, re.MULTILINE))
    assert rows["sent"] == "1"
    assert rows["skipped: unsubscribed from everything"] == "1"
    assert rows["all"] == "2"


@pytest.mark.reported
def test_tags_may_be_chosen_when_sending(anna, chen) -> None:
    make_type("news")
    tagging.tag(followers=[anna], tags=["Early Birds"], by=TESTER, now=timezone.now())
    tagging.tag(followers=[chen], tags=["beta"], by=TESTER, now=timezone.now())
    message = write()
    run("send_message", "--message-id", str(message.uid), "--tags", "early birds, beta")
    message.refresh_from_db()
    assert sorted(message.audience["tags"]) == ["beta", "early-birds"]
    assert not message.audience["everyone"]
    with pytest.raises(CommandError, match="not for these tags"):
        run("send_message", str(message.uid), "--tag", "beta")
    with pytest.raises(CommandError, match="no tag 'nobody'"):
        run("send_message", str(message.uid), "--tags", "nobody")


@pytest.mark.reported
def test_a_message_may_have_a_title_instead_of_a_subject_and_tags_between_commas(anna) -> None:
    make_type("news")
    tagging.tag(followers=[anna], tags=["vip", "beta"], by=TESTER, now=timezone.now())
    run("create_message", "--title", "May", "--content", "Hi", "--tags", "vip,beta")
    message = Campaign.objects.get()
    assert words_of(message)["subject"] == "May"
    assert sorted(message.audience["tags"]) == ["beta", "vip"]


def test_a_message_is_named_once(anna) -> None:
    make_type("news")
    message = write()
    with pytest.raises(CommandError, match="not allowed with"):
        run("send_message", str(message.uid), "--message-id", str(message.uid))
    with pytest.raises(CommandError, match="one of the arguments message --message-id"):
        run("send_message")


# ---------------------------------------------------------------- list_messages
def test_messages_are_listed_with_their_state_and_numbers(anna) -> None:
    make_type("news")
    first = write(subject="First")
    run("send_message", str(first.uid))
    launch.launch(run_id=Run.objects.get().pk)
    write(subject="Second [b]")
    said = run("list_messages")
    assert said.index("Second [b]") < said.index("First")
    assert "0 of 1" in said
    assert "everyone" in said
    assert "2 of 2" in said
    assert "Second" not in run("list_messages", "--status", "sending")
    assert "No messages match" in run("list_messages", "--status", "paused")


def test_an_empty_list_says_how_to_begin() -> None:
    assert "create-message makes one" in run("list_messages")
    with pytest.raises(CommandError, match="1 or more"):
        run("list_messages", "--limit", "0")

"""In-app messages arrive once, and can't carry a trap."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from apps.channels.contract import Result
from apps.channels.messages import InAppMessage
from apps.followers.models import Follower
from apps.inbox.deliver import InApp
from apps.inbox.models import InboxItem


@pytest.fixture
def message(anna: Follower) -> InAppMessage:
    return InAppMessage(
        uuid4(), anna.uid, "informational", "Hello", "Body", "https://example.com/a?b=c#d"
    )


def test_a_message_is_stored_for_its_follower(anna: Follower, message: InAppMessage) -> None:
    with InApp.open({}) as session:
        outcome = session.send(message)
    item = InboxItem.objects.get()
    assert (outcome.result, outcome.provider_id) == (Result.ACCEPTED, str(item.uid))
    assert (item.follower, item.title, item.body, item.link) == (
        anna,
        "Hello",
        "Body",
        message.link,
    )
    assert item.read_at is None


def test_the_same_delivery_arrives_once_and_is_accepted_again(message: InAppMessage) -> None:
    with InApp.open({}) as session:
        first = session.send(message)
        second = session.send(replace(message, title="Again"))
    assert first == second
    assert InboxItem.objects.get().title == "Hello"


@pytest.mark.parametrize(
    "link", ["", "/orders/7?x=1", "http://example.com", "HTTPS://example.com/ü"]
)
def test_a_link_to_the_web_or_to_this_site_is_taken(message: InAppMessage, link: str) -> None:
    assert InApp.open({}).send(replace(message, link=link)).result == Result.ACCEPTED


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)",
        "java\tscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,x",
        "//evil.example/",
        "/\\evil.example/",
        "https:///nowhere",
        "https:evil.example",
        "orders/7",
        "http://[",
        "https://example.com/" + "a" * 500,
    ],
)
def test_any_other_link_is_refused_and_nothing_is_stored(message: InAppMessage, link: str) -> None:
    outcome = InApp.open({}).send(replace(message, link=link))
    assert outcome.result == Result.PERMANENT_CONTENT
    assert "link must start with" in outcome.detail
    assert not InboxItem.objects.exists()


def test_a_message_without_a_title_is_refused(message: InAppMessage) -> None:
    outcome = InApp.open({}).send(replace(message, title=" "))
    assert (outcome.result, outcome.detail) == (
        Result.PERMANENT_CONTENT,
        "An in-app message needs a title.",
    )


def test_a_follower_who_is_gone_is_a_permanent_refusal(message: InAppMessage, anna: Any) -> None:
    anna.delete()
    assert InApp.open({}).send(message).result == Result.PERMANENT_RECIPIENT


def test_a_title_that_is_too_long_is_shortened(message: InAppMessage) -> None:
    assert InApp.open({}).send(replace(message, title="x" * 300)).result == Result.ACCEPTED
    title = InboxItem.objects.get().title
    assert (len(title), title[-1]) == (200, "…")

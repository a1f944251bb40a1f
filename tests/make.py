"""Plain `make_*` functions that reach a state by calling the domain."""

import datetime as dt
from typing import Any

from django.utils import timezone

from apps.accounts.models import User
from apps.content import drafts
from apps.content.models import Template
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType
from apps.followers.people.contacts import add_follower
from apps.followers.people.profile import Profile
from apps.lib.actor import Actor, ActorKind

TESTER = Actor(ActorKind.SYSTEM, label="tests")


def make_follower(
    *, now: dt.datetime | None = None, subscribed: bool = True, **fields: Any
) -> Follower:
    proof = Proof(source="test", by=TESTER, now=now or timezone.now())
    return add_follower(values=Profile(**fields), subscribed=subscribed, proof=proof)


def make_staff(username: str, *, role: str) -> User:
    return User.objects.create_user(
        username,
        f"{username}@staff.example",
        "correct-horse-battery",
        role=role,
        first_name=username.title(),
    )


def make_type(key: str = "news", **fields: Any) -> NotificationType:
    """A marketing type offered on email and in-app, on by default on both,
    unless told otherwise.
    """
    values: dict[str, Any] = {
        "name": key.replace("_", " ").title(),
        "category": "marketing",
        "commercial": fields.get("category", "marketing") == "marketing",
        "channels": ["email", "in_app"],
        "default_channels": ["email", "in_app"],
    }
    return NotificationType.objects.create(key=key, **(values | fields))


def make_template(
    key: str = "letter",
    *,
    subject: str = "Hello {{ follower.name }}",
    html: str = "<p>Hello {{ follower.name }}</p>",
    title: str = "Hello",
    publish: bool = True,
    now: dt.datetime | None = None,
    **fields: Any,
) -> Template:
    """A template with English email and in-app words, published unless told otherwise."""
    now = now or timezone.now()
    parts = {
        "email": {"subject": subject, "html": html},
        "in_app": {"title": title, "body": "Hello", "link": "https://example.com/"},
    }
    values: dict[str, Any] = {
        "name": key.title(),
        "translations": {"en": parts},
        "by": TESTER,
        "now": now,
    }
    template = drafts.create_template(key=key, **(values | fields))
    if publish:
        drafts.publish(template=template, by=TESTER, now=now)
    return template


def nested(levels: int) -> dict[str, Any]:
    """Objects in each other."""
    if levels > 1:
        return {"in": nested(levels - 1)}
    return {"in": "here"}

"""What a site answers with, as values. Fields that a newer site adds are left out."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Follower:
    """Somebody who may be written to; `subscribed` False means that nothing commercial is sent."""

    id: str
    email: str
    name: str
    tags: tuple[str, ...]
    subscribed: bool
    subscribed_at: dt.datetime | None
    unsubscribed_at: dt.datetime | None
    created_at: dt.datetime

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            id=data["id"],
            email=data["email"],
            name=data["name"],
            tags=tuple(data["tags"]),
            subscribed=data["subscribed"],
            subscribed_at=_moment(data["subscribed_at"]),
            unsubscribed_at=_moment(data["unsubscribed_at"]),
            created_at=dt.datetime.fromisoformat(data["created_at"]),
        )


@dataclass(frozen=True, slots=True)
class Message:
    """A message: a draft until it is sent.

    `recipient_count` is how many people it goes to; those who are skipped are not among them.
    """

    id: str
    title: str
    content: str
    type: str
    status: str
    tags: tuple[str, ...]
    recipient_count: int
    created_at: dt.datetime
    sent_at: dt.datetime | None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            id=data["id"],
            title=data["title"],
            content=data["content"],
            type=data["type"],
            status=data["status"],
            tags=tuple(data["tags"]),
            recipient_count=data["recipient_count"],
            created_at=dt.datetime.fromisoformat(data["created_at"]),
            sent_at=_moment(data["sent_at"]),
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message for one follower; `error_message` says why it didn't arrive."""

    id: str
    message_id: str
    follower_id: str | None
    status: str
    sent_at: dt.datetime | None
    error_message: str | None
    created_at: dt.datetime

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            id=data["id"],
            message_id=data["message_id"],
            follower_id=data["follower_id"],
            status=data["status"],
            sent_at=_moment(data["sent_at"]),
            error_message=data["error_message"],
            created_at=dt.datetime.fromisoformat(data["created_at"]),
        )


def _moment(text: str | None) -> dt.datetime | None:
    if text is None:
        return None
    return dt.datetime.fromisoformat(text)

"""What a provider is: it declares its settings, opens a session, and turns one message into one outcome."""

import datetime as dt
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, TypeVar
from uuid import UUID

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Result(StrEnum):
    """How a hand-over ended. Every provider's own words are translated into these at its edge."""

    ACCEPTED = "accepted"  # the provider took responsibility
    TRANSIENT = "transient"  # not taken; may work later
    THROTTLED = "throttled"  # not taken; `retry_after` says when (lane or account, not the recipient)
    PERMANENT_RECIPIENT = "permanent_recipient"  # this address will never take it
    PERMANENT_CONTENT = "permanent_content"  # this message will never be taken, other ones may
    ACCOUNT = "account"  # our credentials or connection are wrong: nothing can go out here
    IN_DOUBT = "in_doubt"  # the message left and no answer came (RFC 1047)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`detail` is what the provider said, at most 500 characters; `retry_after` in seconds."""

    result: Result
    detail: str = ""
    provider_id: str = ""
    retry_after: float | None = None
    # False where the fault was met before this recipient was named: it costs the recipient no attempt (RFC 5321 421)
    charged: bool = True

    def __post_init__(self) -> None:
        # PostgreSQL stores no NUL and no half characters; one odd answer must not keep its whole slice out of the books
        for name, longest in (("detail", 500), ("provider_id", 255)):
            said = getattr(self, name).encode("utf-8", "replace").decode()
            object.__setattr__(self, name, _CONTROL.sub(" ", said)[:longest])


@dataclass(frozen=True, slots=True)
class Mail:
    """One e-mail to one person. Header values are plain text; providers encode. `to` is a bare address."""

    delivery: UUID
    message_id: str  # with angle brackets; the same on every try
    sender: str  # "Name <address>"
    to: str
    to_name: str
    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class InAppMessage:
    delivery: UUID
    follower: UUID
    category: str
    title: str
    body: str
    link: str


M = TypeVar("M", contravariant=True)


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a provider's settings; the dashboard makes its form from these."""

    name: str
    label: str
    kind: str = "text"  # text, integer, flag, choice, secret
    default: Any = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    help: str = ""


class BadSettings(ValueError):
    """The account's settings can't work; the text says which and what to write."""


class Session(ABC, Generic[M]):
    """An open way out, used for one message after another by one thread, and closed at the end."""

    @abstractmethod
    def send(self, message: M) -> Outcome:
        """Hand over one message. Never raises for what the other side does; a bug in our code may raise."""

    def close(self) -> None:
        """Say good-bye; must not raise."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Provider(ABC):
    """One file, one line in settings.PROVIDERS. Holds no connection: `open` does."""

    key: ClassVar[str]
    channel: ClassVar[str]
    label: ClassVar[str]
    settings: ClassVar[tuple[Setting, ...]] = ()
    # True where a hand-over and its record are one database transaction, so that doubt can't arise
    local: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def open(cls, settings: Mapping[str, Any]) -> Session[Any]:
        """A session for these settings. Connects at the first send, not here. Raises BadSettings."""

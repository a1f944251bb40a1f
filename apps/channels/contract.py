"""What every provider keeps to: declared settings, sessions that hand over,
outcomes that say what may follow.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from django.utils.translation import gettext

from apps.lib.refusals import Refused

LONGEST_WAIT = 86_400.0  # seconds; some say "in the year 9999", and no date can be that far off
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class Result(StrEnum):
    """How a hand-over ended. Every provider's own words are translated into these at its edge."""

    ACCEPTED = "accepted"  # the provider took responsibility
    TRANSIENT = "transient"  # not taken; may work later
    THROTTLED = (
        "throttled"  # not taken; `retry_after` says when (lane or account, not the recipient)
    )
    PERMANENT_RECIPIENT = "permanent_recipient"  # this address will never take it
    PERMANENT_CONTENT = "permanent_content"  # this message will never be taken, other ones may
    ACCOUNT = "account"  # our credentials, quota or connection: nothing can go out here
    # the receiving domain takes nothing from us now (block list, reputation, policy): neither the
    # address nor the message is at fault, and another account may fare better
    BLOCKED = "blocked"
    IN_DOUBT = "in_doubt"  # the message left and no answer came (RFC 1047)


class Remedy(StrEnum):
    """What a refusal of the recipient means for the address."""

    NONE = ""  # nothing: the provider refused for a reason that may pass
    BOUNCED = "bounced"  # the address does not exist: on the suppression list with it
    STOPPED = "stopped"  # the person opted out with the provider: likewise
    # the token of a device or browser is dead: away with it, and with nothing else;
    # a webhook goes off
    GONE = "gone"
    FAILING = (
        "failing"  # a webhook's own server failed: where that goes on for days, it is switched off
    )


@dataclass(slots=True)  # not frozen: that takes longer than to read the answer
class Outcome:
    """End of one hand-over: `detail` is what the provider said, at most 500 characters;
    `retry_after` in seconds, at most a day.

    `remedy` goes with PERMANENT_RECIPIENT, FAILING with TRANSIENT too. `gone_since` (Unix seconds)
    is when the service noticed that a token is dead: one that was registered again since is not.
    """

    result: Result
    detail: str = ""
    provider_id: str = ""
    retry_after: float | None = None
    # False where the fault was met before this recipient was named:
    # it costs the recipient no attempt (RFC 5321 421)
    charged: bool = True
    remedy: Remedy = Remedy.NONE
    gone_since: float | None = None
    # the service did not take our key, for this recipient at least:
    # TRANSIENT until somebody knows whose fault it is
    key_refused: bool = False

    def __post_init__(self) -> None:
        # PostgreSQL stores no NUL and no half characters;
        # one odd answer must not keep its whole slice out of the books
        if not self.detail.isprintable() or len(self.detail) > 500:
            self.detail = storable(self.detail)[:500]
        if not self.provider_id.isprintable() or len(self.provider_id) > 255:
            self.provider_id = storable(self.provider_id)[:255]
        if self.retry_after is not None:
            self.retry_after = min(max(0.0, self.retry_after), LONGEST_WAIT)


def storable(said: str) -> str:
    """Leave out what PostgreSQL does not store, and signs that nobody could read: NUL, half
    characters, controls.
    """
    return _CONTROL.sub(" ", said.encode("utf-8", "replace").decode())


M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of a provider's settings; the dashboard makes its form from these.

    Label, help and the options' words are declared in English, marked by gettext_noop; `title`,
    `hint` and `choices` say them to whoever reads the page.
    """

    name: str
    label: str
    kind: str = "text"  # text, integer, flag, choice, secret
    default: Any = ""
    required: bool = False
    options: tuple[tuple[str, str], ...] = ()
    help: str = ""
    most: int | None = None  # the largest value; `help` may name it as {most}
    lines: bool = False  # a secret of many lines: a PEM, a JSON file

    @property
    def title(self) -> str:
        """The label in the reader's language."""
        return gettext(self.label)

    @property
    def hint(self) -> str:
        """The help in the reader's language."""
        return gettext(self.help).replace("{most}", str(self.most))

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The options with their words in the reader's language."""
        return [(value, gettext(words)) for value, words in self.options]


class BadSettings(Refused):
    """The account's settings can't work; the text says which and what to write."""


class Flow(Protocol[M]):
    """Source of a session's messages, and whom it tells what became of them.

    Every message that was taken is given to `ended` or to `give_back`, once.
    """

    def take(self, *, wait: bool) -> M | None:
        """The next message; None when the session should stop,
        or (without `wait`) when none is ready just now.

        A session that still owes an answer asks without waiting, reads the answer,
        and then asks again.
        """

    def leaving(self, message: M) -> None:
        """Say this right before the first byte leaves that may make the other side accept it:
        from here on a crash leaves doubt (RFC 1047).
        """

    def ended(self, message: M, outcome: Outcome) -> None:
        """How it ended. After ACCOUNT or THROTTLED the flow gives no more."""

    def give_back(self, message: M) -> None:
        """Nothing of it was accepted and nothing was learned about it:
        it waits for another session, uncharged.
        """


class Session(ABC, Generic[M]):
    """An open way out, used by one thread, and closed at the end."""

    @abstractmethod
    def send(self, message: M) -> Outcome:
        """Hand over one message.

        Never raises for what the other side does; a bug in our code may raise.
        """

    def work(self, flow: Flow[M]) -> None:
        """Hand over what the flow gives until it gives no more.

        Pipelining and batches override this.
        """
        while (message := flow.take(wait=True)) is not None:
            flow.leaving(message)
            flow.ended(message, self.send(message))

    def close(self) -> None:
        """Say good-bye; must not raise."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
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
    # which addresses of the channel it can reach: those whose `via` says the same
    via: ClassVar[str] = ""
    # of email: True where a mail goes out as the bytes that we write, which is quicker
    takes_lines: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def open(cls, settings: Mapping[str, Any]) -> Session[Any]:
        """A session for these settings.

        Connects at the first send, not here. Raises BadSettings.
        """

    @classmethod
    def completed(cls, settings: Mapping[str, Any], *, before: Mapping[str, Any]) -> dict[str, Any]:
        """The settings to keep, with what the provider makes itself; `before`:
        those that were kept until now.
        """
        return dict(settings)

    @classmethod
    def shown(cls, settings: Mapping[str, Any]) -> dict[str, str]:
        """What the account's page tells people to use elsewhere, by its label: a public key.
        No secrets.
        """
        return {}

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        """How many sessions one sender process may have open at once."""
        return int(settings.get("connections") or 1)

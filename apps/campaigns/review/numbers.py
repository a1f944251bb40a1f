"""What a count of an audience has found, as a value that is stored as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from apps.campaigns.audience.audience import Audience
from apps.followers.models import NotificationType


@dataclass(frozen=True, slots=True)
class Question:
    """What is counted: an audience, and the channels and message type that it would be told by."""

    audience: Audience
    channels: tuple[str, ...]
    kind: NotificationType


@dataclass(frozen=True, slots=True)
class ReasonNumber:
    """How many messages of a channel one rule decides about.

    `samples`: primary keys of the first few followers, in order.
    """

    reason: str
    count: int
    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Sums of a count: of `total` followers `reached` get it on any channel.

    `readers`: how many of them read which language. `channels`: the reasons by channel.
    """

    total: int
    reached: int
    readers: Mapping[str, int]
    channels: Mapping[str, tuple[ReasonNumber, ...]]

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def stored(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_data` wrote."""
        channels = {}
        for channel, rows in data["channels"].items():
            channels[channel] = tuple(_reason(row) for row in rows)
        return cls(data["total"], data["reached"], data["readers"], channels)


def _reason(row: Mapping[str, Any]) -> ReasonNumber:
    return ReasonNumber(row["reason"], row["count"], tuple(row["samples"]))

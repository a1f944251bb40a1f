"""A flow that lets a session hold many messages at once,
and watches that each is ended or given back once.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from apps.channels.contract import Flow, Outcome, Result


class Handed(Flow[Any]):
    def __init__(self, messages: Sequence[Any]) -> None:
        self.waiting = deque(messages)
        self.ends: dict[Any, Outcome] = {}  # by delivery, in the order they ended
        self.left: list[Any] = []
        self.back: list[Any] = []
        self._in_hand: set[Any] = set()
        self._open = True

    @property
    def outcomes(self) -> list[Outcome]:
        return list(self.ends.values())

    def take(self, *, wait: bool) -> Any:
        if not self._open or not self.waiting:
            return None
        message = self.waiting.popleft()
        self._in_hand.add(message.delivery)
        return message

    def leaving(self, message: Any) -> None:
        assert message.delivery in self._in_hand
        self.left.append(message.delivery)

    def ended(self, message: Any, outcome: Outcome) -> None:
        self._in_hand.remove(message.delivery)
        self.ends[message.delivery] = outcome
        self._open = self._open and outcome.result not in (Result.ACCOUNT, Result.THROTTLED)

    def give_back(self, message: Any) -> None:
        self._in_hand.remove(message.delivery)
        self.back.append(message.delivery)

    def kept_the_rules(self) -> bool:
        return not self._in_hand and not (self._open and self.waiting)

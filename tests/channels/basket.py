"""A flow of mails held in the hand, which watches that the session keeps the flow's promises."""

import datetime as dt
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from apps.channels.contract import Flow, Outcome, Result
from apps.channels.messages import Mail, Sender
from apps.lib.ids import uuid7


def a_mail(to: str = "anna@example.com", **fields: Any) -> Mail:
    values: dict[str, Any] = {
        "delivery": uuid7(),
        "message_id": "<one@carillon.example>",
        "sender": Sender("Carillon", "hello@carillon.example"),
        "to": to,
        "to_name": "Anna",
        "subject": "Hello",
        "text": "Hello Anna\n.\n..a line with dots\n",
        "html": "<p>Hello Anna</p>",
        "sent_at": dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC),
    }
    return Mail(**(values | fields))


class Basket(Flow[Mail]):
    """`outcomes` by address. Gives no more after ACCOUNT, as the sender's flow does."""

    def __init__(self, mails: Iterable[Mail]) -> None:
        self.waiting = list(mails)
        self.outcomes: dict[str, Outcome] = {}
        self._taken: dict[UUID, Mail] = {}
        self._unanswered: list[Mail] = []
        self._stopped = False

    def take(self, *, wait: bool) -> Mail | None:
        assert not (wait and self._unanswered), "it waits for more while an answer is owed"
        if self._stopped or not self.waiting:
            return None
        mail = self.waiting.pop(0)
        self._taken[mail.delivery] = mail
        assert len(self._taken) <= 3, "it hoards messages"
        return mail

    def leaving(self, message: Mail) -> None:
        assert not self._unanswered, "two messages of a connection are without an answer"
        self._unanswered.append(message)

    def ended(self, message: Mail, outcome: Outcome) -> None:
        if message in self._unanswered:
            self._unanswered.remove(message)
        elif outcome.result in (Result.ACCEPTED, Result.IN_DOUBT):
            raise AssertionError("it did not say that the message leaves")
        del self._taken[message.delivery]
        self.outcomes[message.to] = outcome
        self._stopped = self._stopped or outcome.result is Result.ACCOUNT

    def give_back(self, message: Mail) -> None:
        del self._taken[message.delivery]
        self.waiting.insert(0, message)

    @property
    def empty_handed(self) -> bool:
        """Every message that was taken has ended or was given back."""
        return not self._taken

    @property
    def results(self) -> list[tuple[Result, bool]]:
        return [(outcome.result, outcome.charged) for outcome in self.outcomes.values()]

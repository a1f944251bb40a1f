"""One message handed over now, past the books: to a place that is nobody's address yet, where a
person waits for it.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from apps.channels.contract import BadSettings, Outcome, Result
from apps.channels.messages import Mail, SmsMessage
from apps.channels.registry import UnknownProvider, provider
from apps.lib.crypto import Undecryptable
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.health import note
from apps.notifications.accounts.routing import services, settings_of

PATIENCE = 15  # seconds for one provider: a person waits
# another account may do better, and nothing has left
_ELSEWHERE = (Result.ACCOUNT, Result.THROTTLED, Result.TRANSIENT, Result.BLOCKED)
_NO_ACCOUNT = Outcome(Result.ACCOUNT, "No provider account can be used now.")


def hand_over(
    channel: str,
    made: Callable[[Mapping[str, Any]], Mail | SmsMessage],
    *,
    secret: str = "",
    lane: Lane,
    now: dt.datetime,
) -> tuple[str, Outcome]:
    """Try one account after the other; gives the name of the last one, "" without any, and what it
    said. `made` writes the message by an account's settings; `secret` is struck out of the answer.
    """
    name = ""
    outcome = _NO_ACCOUNT
    accounts = services(now=now, lane=lane, channel=channel)
    for account in accounts.get((channel, ""), []):
        name = account.name
        try:
            values = settings_of(account) | {"timeout": PATIENCE}
            with provider(account.provider).open(values) as session:
                outcome = session.send(made(values))
        except (BadSettings, UnknownProvider, Undecryptable) as error:
            outcome = Outcome(Result.ACCOUNT, str(error))
        if secret:
            # a provider may quote the text, and what it said is for staff to read
            hidden = outcome.detail.replace(secret, "•" * len(secret))
            outcome = replace(outcome, detail=hidden)
        note(account, [outcome], now=now)
        if outcome.result not in _ELSEWHERE:
            break
    return name, outcome

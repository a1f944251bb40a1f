"""What all providers share that are called over HTTPS:
what each way a call can end means for the messages in it.
"""

import datetime as dt
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar

from django.utils.translation import gettext

from apps.channels.blame import accuses_account
from apps.channels.contract import LONGEST_WAIT, BadSettings, Outcome, Provider, Result
from apps.channels.https.wire import Body, root_of
from apps.lib.network.host_name import split_address

CONNECT_SECONDS = 10
PATIENCE = 60

# What became of the request, whoever says so: RFC 9110,
# and 52x of the proxy that many providers sit behind
GATEWAY_LOST_THE_ANSWER = frozenset({502, 504, 520, 524})
NOT_TAKEN_NOBODYS_FAULT = frozenset({408, 425, 503, 521, 522, 523})
OUR_ACCOUNT = frozenset({401, 402, 403, 404, 405, 407})


class Caller(ABC):
    """Reads answers, and the lack of one, in the words of the contract."""

    doubtful: ClassVar[frozenset[int]] = (
        GATEWAY_LOST_THE_ANSWER  # statuses that don't tell whether it was taken
    )

    def __init__(self, kind: type[Provider], settings: Mapping[str, Any]) -> None:
        self.name = kind.label
        self.settings = settings
        secrets = [
            str(settings.get(each.name) or "") for each in kind.settings if each.kind == "secret"
        ]
        self._secrets = [secret for secret in secrets if secret]
        seconds = float(settings.get("timeout") or PATIENCE)
        self.patience = (min(CONNECT_SECONDS, seconds), seconds)

    @abstractmethod
    def judge(self, words: str) -> Result:
        """What a refusal is about."""

    @abstractmethod
    def body(self) -> Body:
        """The body of the last request."""

    def refused(self, status: int, headers: Mapping[str, str], text: str) -> Outcome:
        """What an HTTP error means for all in the call."""
        detail = self.clean(f"{status} {words_of(text)}")
        after = seconds_of(headers.get("Retry-After"))
        if status == 429 or (status == 503 and after is not None):
            return Outcome(Result.THROTTLED, detail, retry_after=after, charged=False)
        if status in self.doubtful:
            return Outcome(Result.IN_DOUBT, detail)
        if status >= 500 or status in NOT_TAKEN_NOBODYS_FAULT:
            return Outcome(Result.TRANSIENT, detail, charged=status not in NOT_TAKEN_NOBODYS_FAULT)
        if status < 400 or status in OUR_ACCOUNT:
            result = Result.ACCOUNT
        else:
            result = self.judge(text)
        if result is Result.PERMANENT_CONTENT and accuses_account(words_of(text)):
            return Outcome(Result.ACCOUNT, detail)
        return Outcome(result, detail, charged=result not in (Result.ACCOUNT, Result.THROTTLED))

    def broken(self, error: Exception) -> Outcome:
        """No answer. What the connection had taken of the request tells whether anybody can have
        accepted it.
        """
        why = root_of(error)
        body = self.body()
        if body.left:
            return Outcome(
                Result.IN_DOUBT,
                self.clean(f"{self.name} got the whole call and did not answer: {why}"),
            )
        if body.begun:
            return Outcome(
                Result.TRANSIENT,
                self.clean(f"{self.name} broke off in mid-call: {why}"),
                charged=False,
            )
        return Outcome(
            Result.ACCOUNT, self.clean(f"{self.name} can't be reached: {why}"), charged=False
        )

    def clean(self, said: str) -> str:
        """Words without our keys: a provider may quote them in its answer."""
        for secret in self._secrets:
            said = said.replace(secret, "•••")
        return " ".join(said.split())


def check(kind: type[Provider], settings: Mapping[str, Any]) -> None:
    """Nothing required is missing, keys are fit for a header, and the API is called over TLS.

    Raises BadSettings.
    """
    for setting in kind.settings:
        value = str(settings.get(setting.name) or "")
        if setting.required and not value:
            said = gettext("The {provider} account has no {setting}.")
            raise BadSettings(said.format(provider=kind.label, setting=setting.title))
        if (
            setting.kind == "secret"
            and not setting.lines
            and (not value.isascii() or re.search(r"[\s\x00-\x1f\x7f]", value))
        ):
            said = gettext("The {setting} holds a blank, a line break or other than plain letters.")
            raise BadSettings(said.format(setting=setting.title))
    url = str(settings.get("api_url") or "")
    parts = split_address(url)
    if url and parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
        said = gettext(
            "The address of the API must begin with https://, got “{url}”: it carries your key."
        )
        raise BadSettings(said.format(url=url))


def json_object(text: str) -> dict[str, Any]:
    """The JSON object of an answer; nothing where it is something else."""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if isinstance(answer, dict):
        return answer
    return {}


def words_of(text: str) -> str:
    """What a provider says in its JSON, without the brackets."""
    try:
        return _words(json.loads(text))
    except (ValueError, RecursionError):
        return text


_SAYING = (
    "errors",
    "message",
    "Message",
    "detail",
    "text",
    "error",
)  # where providers put their words


def _words(answer: Any) -> str:
    if isinstance(answer, dict):
        said = next((answer[key] for key in _SAYING if answer.get(key)), None)
        if said is not None:
            return _words(said)
        return json.dumps(answer)
    if isinstance(answer, list):
        return "; ".join(map(_words, answer))
    return str(answer)


def seconds_of(retry_after: str | None) -> float | None:
    """RFC 9110 10.2.3: seconds or a date. None for whatever else a stranger's server says."""
    if not retry_after:
        return None
    try:
        if retry_after.strip().isdecimal():
            return min(float(retry_after), LONGEST_WAIT)
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return None
    if not until.tzinfo:
        until = until.replace(tzinfo=dt.UTC)
    return max(0.0, (until - dt.datetime.now(dt.UTC)).total_seconds())

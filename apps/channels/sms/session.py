"""What all SMS providers share: one call a message,
and a refusal's code that tells whom it is about.
"""

import datetime as dt
import json
import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlencode

import requests
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.https.caller import GATEWAY_LOST_THE_ANSWER, Caller, check, json_object
from apps.channels.https.posted import Posted
from apps.channels.https.wire import Body, Wire
from apps.channels.messages import SmsMessage, VoiceMessage
from apps.channels.sms.answers import Report, SmsReply

CONNECTIONS = 2
E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_ONE_NAME = re.compile(r"[\w-]*", re.ASCII)


class Sms(Provider):
    """A provider that takes one text message a call."""

    channel = "sms"
    session: ClassVar["type[PhoneSession[Any]]"]
    in_path: ClassVar[str]  # the setting that stands in the address of the API
    answers_in_place: ClassVar[bool] = False  # its request for us can be answered with a text

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "PhoneSession[Any]":
        check(cls, settings)
        if not _ONE_NAME.fullmatch(str(settings.get(cls.in_path) or "")):
            setting = next(each.title for each in cls.settings if each.name == cls.in_path)
            said = gettext(
                "The {setting} has other than letters and digits. Copy it from {provider}'s"
                " console."
            )
            raise BadSettings(said.format(setting=setting, provider=cls.label))
        return cls.session(cls, settings)

    @classmethod
    @abstractmethod
    def heard(
        cls, settings: Mapping[str, Any], posted: Posted, *, now: dt.datetime
    ) -> SmsReply | Report | None:
        """What the provider's request tells: an answer, or a message's end;
        None for the rest. Raises Forged.
        """

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)


SENDER = Setting(
    "sender",
    _("Sender"),
    required=True,
    help=_(
        "A number with its country code (+49…), a short code, or a name of up to 11 letters where"
        " that is allowed."
    ),
)


HELP_TEXT = "Reply STOP to get no more messages from us, START to get them again."


def settings_of_sms(*own: Setting, url: str, help_text: str = HELP_TEXT) -> tuple[Setting, ...]:
    """The provider's own settings and those that all have.

    `help_text`: none for whoever answers HELP itself.
    """
    return (
        *own,
        Setting("help_text", _("Answer to HELP"), default=help_text, help=_("Empty = none.")),
        Setting(
            "status_url",
            _("Address for delivery reports"),
            help=_(
                "Where the provider posts them. Empty = here, on a site that is reached by https."
            ),
        ),
        Setting(
            "api_url", _("API base URL"), default=url, help=_("Another one for another region.")
        ),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=30),
        Setting("connections", _("Parallel requests"), kind="integer", default=CONNECTIONS),
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `form` or `json` is its body."""

    path: str
    form: list[tuple[str, str]] = field(default_factory=list)
    json: dict[str, Any] | None = None


class Unsendable(ValueError):
    """The provider has no way to say this; the text says what."""


P = TypeVar("P", SmsMessage, VoiceMessage)


class PhoneSession(Caller, Session[P]):
    """A connection that is kept between messages, each of which goes to one number."""

    # a second text costs money and cannot be told from the first,
    # so an inner error counts as perhaps taken
    doubtful = GATEWAY_LOST_THE_ANSWER | {500}
    codes: ClassVar[
        Mapping[str, Result]
    ] = {}  # what a refusal is about by its code; the others: what we wrote
    remedies: ClassVar[
        Mapping[str, Remedy]
    ] = {}  # the codes that say for good what is with the number

    def __init__(self, kind: type[Provider], settings: Mapping[str, Any]) -> None:
        super().__init__(kind, settings)
        usual = next(each.default for each in kind.settings if each.name == "api_url")
        self.url = str(settings.get("api_url") or usual).rstrip("/")
        self.wire = Wire()

    # ---- what a provider fills in
    @abstractmethod
    def headers(self) -> dict[str, str]:
        """Who we are."""

    @abstractmethod
    def call(self, message: P) -> Call:
        """How it wants to be asked. Raises Unsendable."""

    @abstractmethod
    def taken(self, answer: dict[str, Any]) -> str:
        """Provider's id of the message, from an answer of success; empty where there is none."""

    @abstractmethod
    def code(self, answer: dict[str, Any]) -> str:
        """The code of a refusal."""

    def says_something(self, message: P) -> bool:
        return bool(message.body.strip())

    # ---- one message
    def send(self, message: P) -> Outcome:
        if not E164.fullmatch(message.to):
            return Outcome(
                Result.PERMANENT_RECIPIENT,
                f"{message.to} is not a phone number with its country code.",
            )
        self.wire.body = Body()
        try:
            if not self.says_something(message):
                raise Unsendable("The text is empty.")
            message.body.encode()  # half a surrogate pair is no text
            call = self.call(message)
        except (Unsendable, UnicodeError) as error:
            return Outcome(Result.PERMANENT_CONTENT, f"The message can't be sent: {error}")
        if call.json is None:
            content = urlencode(call.form)
        else:
            content = json.dumps(call.json)
        kind = "application/json"
        if call.json is None:
            kind = "application/x-www-form-urlencoded"
        headers = {**self.headers(), "Content-Type": kind, "Accept": "application/json"}
        try:
            response = self.wire.post(
                self.url + call.path, data=content.encode(), headers=headers, timeout=self.patience
            )
        except requests.RequestException as error:
            return self.broken(error)
        return self.read(response)

    def read(self, response: requests.Response) -> Outcome:
        if not 200 <= response.status_code < 300:
            return self.refused(response.status_code, response.headers, response.text)
        if name := self.taken(json_object(response.text)):
            return Outcome(Result.ACCEPTED, str(response.status_code), provider_id=name)
        said = f"{self.name} gave an answer we can't read: {response.status_code} {response.text}"
        return Outcome(Result.IN_DOUBT, self.clean(said))

    def refused(self, status: int, headers: Mapping[str, str], text: str) -> Outcome:
        outcome = super().refused(status, headers, text)
        if outcome.result is not Result.PERMANENT_RECIPIENT:
            return outcome
        return replace(outcome, remedy=self.remedies.get(self.code(json_object(text)), Remedy.NONE))

    def judge(self, words: str) -> Result:
        return self.codes.get(self.code(json_object(words)), Result.PERMANENT_CONTENT)

    def report_to(self, message: P) -> str:
        """Address for its delivery reports: they may be there before we have noted the provider's
        id.
        """
        url = str(self.settings.get("status_url") or "")
        if url:
            joint = "?"
            if "?" in url:
                joint = "&"
            return f"{url}{joint}delivery={message.delivery}"
        return ""

    # ---- the wire
    def body(self) -> Body:
        return self.wire.body

    def close(self) -> None:
        self.wire.close()


class SmsSession(PhoneSession[SmsMessage]):
    """Session for texts, and pictures without one."""

    def says_something(self, message: SmsMessage) -> bool:
        return bool(message.media) or super().says_something(message)

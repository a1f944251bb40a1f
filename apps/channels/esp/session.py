"""What all ESPs share: calls that carry many messages,
and what each way a call can end means for each of them.

django-anymail knows how each ESP wants to be asked; this knows what may be tried again. An ESP's
file declares its settings, the words its refusals use, and how it takes many messages in one call.
"""

import re
from abc import abstractmethod
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailInvalidAddress
from anymail.message import AnymailMessage
from anymail.utils import EmailAddress
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Flow, Outcome, Provider, Result, Session, Setting
from apps.channels.esp import merge
from apps.channels.esp.hearing import Hearing
from apps.channels.https.caller import Caller, check, words_of
from apps.channels.https.wire import Body, Wire
from apps.channels.mail.mime import BadHeader, as_bytes, envelope, needs_smtputf8
from apps.channels.mail.sender import FROM, sender_of
from apps.channels.messages import Mail

# messages in one call, unless the account says otherwise:
# that many are in doubt if its answer is lost
CALL = 100
CONNECTIONS = 2


class Esp(Provider):
    """A provider that is called over HTTPS."""

    channel = "email"
    most: ClassVar[int]  # messages that one call may carry
    session: ClassVar["type[EspSession]"]
    hearing: ClassVar[Hearing]  # how it tells what became of mails

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "EspSession":
        check(cls, settings)
        sender_of(settings)
        return cls.session(cls, settings)

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)


def settings_of_esp(*own: Setting, hearing: Hearing, most: int, url: str) -> tuple[Setting, ...]:
    """The ESP's own settings and those that all have."""
    return (
        *own,
        *FROM,
        *hearing.settings,
        Setting(
            "api_url", _("API base URL"), default=url, help=_("Another one for another region.")
        ),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=60),
        Setting(
            "batch",
            _("Messages per call"),
            kind="integer",
            default=min(CALL, most),
            most=most,
            help=_(
                "At most {most}. If the answer to a call is lost, the delivery of all its messages"
                " is unknown; 1 keeps them apart."
            ),
        ),
        Setting("connections", _("Parallel requests"), kind="integer", default=CONNECTIONS),
    )


class EspSession(Caller, Session[Mail]):
    """A connection that is kept between calls."""

    syntax: ClassVar[merge.Syntax | None] = (
        None  # None: in a call of many, each message is written out whole
    )
    largest: ClassVar[int] = 8_000_000  # bytes of one call
    longest_own: ClassVar[int] = (
        1_000_000  # bytes that one recipient's merge fields may have together
    )
    any_local_part: ClassVar[bool] = (
        True  # False: can't write to letters outside ASCII before the @
    )
    message_class: ClassVar[type[AnymailMessage]] = AnymailMessage
    tracks: ClassVar[bool] = (
        True  # can be told not to count opens and clicks: who may be counted, we know, not they
    )
    theirs: ClassVar[re.Pattern[str]]  # a refusal that says this is about the recipient …
    ours: ClassVar[re.Pattern[str]]  # … and this about our account; else it is about what we wrote

    def __init__(self, kind: type[Esp], settings: Mapping[str, Any]) -> None:
        super().__init__(kind, settings)
        self.batch = min(int(settings.get("batch") or CALL), kind.most)
        self._backend = self.connect()

    # ---- what an ESP fills in
    @abstractmethod
    def backend(self, **common: Any) -> Any:
        """Backend of anymail for these settings."""

    def headers(self, mail: Mail) -> dict[str, str]:
        return {**mail.headers, "Message-ID": mail.message_id}

    def judge(self, words: str) -> Result:
        if self.ours.search(words):
            return Result.ACCOUNT
        if self.theirs.search(words):
            return Result.PERMANENT_RECIPIENT
        return Result.PERMANENT_CONTENT

    # ---- many messages
    def work(self, flow: Flow[Mail]) -> None:
        mail: Mail | None
        while (mail := flow.take(wait=True)) is not None:
            calls: dict[Hashable, list[Mail]] = {}
            count = 0
            while mail is not None:
                if fault := self._unsendable(mail):
                    flow.ended(mail, fault)
                else:
                    key = self._key(mail)
                    if key is None:  # goes alone, so others need not wait for it here
                        calls[mail.delivery] = [mail]
                        break
                    calls.setdefault(key, []).append(mail)
                count += 1
                mail = None
                if count < self.batch:
                    mail = flow.take(wait=False)
            groups = [group for alike in calls.values() for group in self._fitting(alike)]
            while groups and self._hand_over(flow, groups.pop(0)):
                pass
            for untouched in (mail for group in groups for mail in group):
                flow.give_back(untouched)

    def _unsendable(self, mail: Mail) -> Outcome | None:
        """The strictness of mime.py for all: an ESP may let pass what smuggles in a header."""
        try:
            as_bytes(replace(mail, text="", html=""))
        except (BadHeader, ValueError) as error:
            return Outcome(Result.PERMANENT_CONTENT, f"The mail can't be written: {error}")
        if needs_smtputf8(mail.to) and not self.any_local_part:
            why = (
                f"The address {mail.to} has letters outside ASCII before the @, which {self.name}"
                " can't write to."
            )
            return Outcome(Result.PERMANENT_RECIPIENT, why)
        return None

    def _key(self, mail: Mail) -> Hashable:
        """Mails of one key go out in one call. None: alone."""
        if self.batch == 1 or needs_smtputf8(mail.to):
            return None
        if self.syntax is None:
            return mail.sender
        fits = merge.weight(mail) <= self.longest_own and merge.mergeable(mail, self.syntax)
        if fits:
            return merge.shape(mail)
        return None

    def _fitting(self, mails: list[Mail]) -> Iterator[list[Mail]]:
        """Divide mails into calls that are not too large and name no address twice, for answers
        and fields are told apart by it.
        """
        call: dict[str, Mail] = {}
        size = 0
        for mail in mails:
            whole = self.syntax is None or not call
            address = envelope(mail.to).lower()
            if whole:
                own = 2000 + merge.as_json(str(mail.html) + mail.text)
            else:
                own = merge.weight(mail)
            if call and (size + own > self.largest or address in call):
                yield list(call.values())
                call = {}
                size = 0
            call[address] = mail
            size += own
        if call:
            yield list(call.values())

    def _hand_over(self, flow: Flow[Mail], mails: list[Mail], *, left: bool = False) -> bool:
        """False when the account can't go on.

        `left`: these were in a call already, which was refused as a whole.
        """
        if not left:
            for mail in mails:
                flow.leaving(mail)
        answer = self._call(mails)
        if isinstance(answer, Outcome):
            if len(mails) > 1 and answer.result in (
                Result.PERMANENT_RECIPIENT,
                Result.PERMANENT_CONTENT,
            ):
                return self._divide(flow, mails)
            answer = [answer] * len(mails)
        fault = False
        for mail, outcome in zip(mails, answer, strict=True):
            closing = outcome.result in (Result.ACCOUNT, Result.THROTTLED)
            if closing and fault:
                flow.give_back(mail)
            else:
                flow.ended(mail, outcome)
            fault = fault or closing
        return not fault

    def _divide(self, flow: Flow[Mail], mails: list[Mail]) -> bool:
        """Nothing of the call was accepted, perhaps for one message's sake:
        the halves find it in few calls.
        """
        if self.batch == 1:
            size = 1
        else:
            size = (len(mails) + 1) // 2
        for at in range(0, len(mails), size):
            if not self._hand_over(flow, mails[at : at + size], left=True):
                for mail in mails[at + size :]:
                    flow.give_back(mail)
                return False
        return True

    # ---- one call
    def send(self, message: Mail) -> Outcome:
        if fault := self._unsendable(message):
            return fault
        answer = self._call([message])
        if isinstance(answer, Outcome):
            return answer
        return answer[0]

    def _call(self, mails: Sequence[Mail]) -> Outcome | list[Outcome]:
        """How it ended for each; one outcome for all where the call ended as one."""
        self.fresh()
        try:
            message = self._message(mails)
            self._backend.send_messages([message])
            response = message.anymail_status.esp_response
        except AnymailAPIError as error:
            if error.response is None:
                return self.broken(error)
            response = error.response
        except AnymailInvalidAddress as error:
            return Outcome(Result.PERMANENT_RECIPIENT, self.clean(str(error)))
        except AnymailError as error:
            return Outcome(Result.PERMANENT_CONTENT, self.clean(str(error)))
        return self.read(response, message, mails)

    def _message(self, mails: Sequence[Mail]) -> AnymailMessage:
        """Message as anymail wants it."""
        first = mails[0]
        message = self.message_class(
            subject=first.subject,
            body=first.text,
            from_email=str(EmailAddress(first.sender.name, envelope(first.sender.address))),
            to=[str(EmailAddress(mail.to_name.strip(), envelope(mail.to))) for mail in mails],
        )
        if self.tracks:
            message.track_opens = message.track_clicks = False
        if len(mails) == 1:
            self.alone(message, first)
            return message
        # every header for each, as ESPs differ in what one recipient's headers do to the common
        # ones
        message.merge_headers = {envelope(mail.to): self.headers(mail) for mail in mails}
        message.merge_metadata = {
            envelope(mail.to): {"delivery": str(mail.delivery)} for mail in mails
        }
        self.together(message, mails)
        return message

    def html(self, mail: Mail) -> str:
        return str(mail.html)

    def alone(self, message: AnymailMessage, mail: Mail) -> None:
        message.extra_headers = self.headers(mail)
        message.metadata = {"delivery": str(mail.delivery)}
        if html := self.html(mail):
            message.attach_alternative(html, "text/html")

    def together(self, message: AnymailMessage, mails: Sequence[Mail]) -> None:
        """Put the bodies of many in: merged, or (no syntax) beside the message for the ESP's
        payload to take.
        """
        if self.syntax is None:
            # what stands in the common place is nobody's:
            # whoever got it by mistake would get nothing of another's
            message.subject = message.body = "-"
            message.attach_alternative("<p>-</p>", "text/html")
            message.whole = {
                envelope(mail.to): (mail.subject, mail.text, self.html(mail)) for mail in mails
            }
            return
        merged = merge.merge(mails, self.syntax)
        message.subject = merged.subject
        message.body = merged.text
        if merged.html:
            message.attach_alternative(merged.html, "text/html")
        message.merge_data = {
            envelope(mail.to): data for mail, data in zip(mails, merged.data, strict=True)
        }

    # ---- what came back
    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        """Outcomes from anymail's reading of the answer; an ESP that says more of each recipient
        reads it itself.
        """
        if not 200 <= response.status_code < 300:
            return self.refused(response.status_code, response.headers, response.text)
        known = message.anymail_status.recipients
        return [self._told(known.get(envelope(mail.to)), response) for mail in mails]

    def _told(self, status: Any, response: Any) -> Outcome:
        detail = self.clean(f"{response.status_code} {words_of(response.text)}")
        match status and status.status:
            case "sent" | "queued":
                return Outcome(Result.ACCEPTED, detail, provider_id=str(status.message_id or ""))
            case "invalid" | "rejected":
                return Outcome(Result.PERMANENT_RECIPIENT, detail)
        return Outcome(
            Result.IN_DOUBT, f"{self.name} gave an answer that tells nothing of this one: {detail}"
        )

    # ---- the wire
    def connect(self) -> Any:
        common = {"timeout": self.patience, "ignore_recipient_status": True}
        if url := self.settings.get("api_url"):
            common["api_url"] = url
        backend = self.backend(**common)
        self._wire = backend.session = Wire()
        return backend

    def fresh(self) -> None:
        self._wire.body = Body()

    def body(self) -> Body:
        return self._wire.body

    def close(self) -> None:
        self._backend.close()

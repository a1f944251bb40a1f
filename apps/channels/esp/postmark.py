"""Postmark: up to 500 messages a call, each written out whole and answered by itself."""

import re
from collections.abc import Sequence
from typing import Any

from anymail.backends.postmark import EmailBackend, PostmarkPayload
from anymail.message import AnymailMessage
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Outcome, Remedy, Result, Setting
from apps.channels.esp.listeners import PostmarkHearing
from apps.channels.esp.session import Esp, EspSession, settings_of_esp
from apps.channels.messages import Mail

# https://postmarkapp.com/developer/api/overview#error-codes
OURS = {
    10,
    400,
    401,
    405,
    412,
    413,
    1235,
}  # token, sender signature, credits, approval, message stream
LATER = {100}  # maintenance
INACTIVE = 406


class _Payload(PostmarkPayload):  # type: ignore[misc]  # anymail has no types
    def data_for_recipient(self, to: Any) -> dict[str, Any]:
        subject, text, html = self.message.whole[to.addr_spec]
        own = {"Subject": subject, "TextBody": text}
        if html:
            own["HtmlBody"] = html
        common = {
            name: value
            for name, value in super().data_for_recipient(to).items()
            if name != "HtmlBody"
        }
        return common | own


class _Backend(EmailBackend):  # type: ignore[misc]  # anymail has no types
    def build_message_payload(self, message: AnymailMessage, defaults: dict[str, Any]) -> _Payload:
        return _Payload(message, defaults, self)

    def parse_recipient_status(
        self, response: Any, payload: _Payload, message: AnymailMessage
    ) -> dict[str, Any]:
        # anymail's own raises for the whole call when one message of it is refused,
        # though the others were taken
        return {}


class PostmarkSession(EspSession):
    any_local_part = False
    largest = 20_000_000  # of 50 MB
    theirs = re.compile(r"(Invalid|Error\s+parsing)\s+'To'", re.I)
    ours = re.compile(r"(Invalid|Error\s+parsing)\s+'From'", re.I)

    def backend(self, **common: Any) -> _Backend:
        stream = self.settings.get("message_stream") or None
        return _Backend(server_token=self.settings["server_token"], message_stream=stream, **common)

    def headers(self, mail: Mail) -> dict[str, str]:
        return {
            **super().headers(mail),
            "X-PM-KeepID": "true",
        }  # or Postmark writes a Message-ID of its own

    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        if not 200 <= response.status_code < 300 and response.status_code != 422:
            return self.refused(response.status_code, response.headers, response.text)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if isinstance(answer, dict) and len(mails) > 1:  # the call itself was refused
            return self._answered(answer)
        if isinstance(answer, list):
            answers = answer
        else:
            answers = [answer]
        if len(answers) != len(mails) or not all(isinstance(each, dict) for each in answers):
            return Outcome(
                Result.IN_DOUBT,
                self.clean(f"Postmark gave an answer we can't read: {response.text}"),
            )
        return [self._answered(each) for each in answers]  # in the order of the messages

    def _answered(self, answer: dict[str, Any]) -> Outcome:
        code = answer.get(
            "ErrorCode", 0
        )  # missing where Postmark says that delivery may be delayed
        words = str(answer.get("Message", ""))
        detail = self.clean(f"{code} {words}")
        if code == 0:
            taken = bool(answer.get("MessageID"))
            result = Result.IN_DOUBT
            if taken:
                result = Result.ACCEPTED
            return Outcome(result, detail, provider_id=str(answer.get("MessageID") or ""))
        if code in OURS:
            return Outcome(Result.ACCOUNT, detail, charged=False)
        if code in LATER:
            return Outcome(Result.TRANSIENT, detail, charged=False)
        if (
            code == INACTIVE
        ):  # bounced, complained or taken off by a person there: Postmark writes to it no more
            return Outcome(Result.PERMANENT_RECIPIENT, detail, remedy=Remedy.BOUNCED)
        result = self.judge(words)
        return Outcome(result, detail, charged=result != Result.ACCOUNT)


class Postmark(Esp):
    key = "postmark"
    label = "Postmark"
    most = 500
    session = PostmarkSession
    hearing = PostmarkHearing()
    settings = settings_of_esp(
        Setting("server_token", _("Server token"), kind="secret", required=True),
        Setting(
            "message_stream",
            _("Message stream"),
            default="outbound",
            help=_("Newsletters must go through a stream for broadcasts, for example “broadcast”."),
        ),
        hearing=hearing,
        most=most,
        url="https://api.postmarkapp.com/",
    )

"""Brevo: up to 1,000 messages a call, each written out whole (`messageVersions`)."""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from anymail.backends.brevo import BrevoPayload, EmailBackend
from anymail.message import AnymailMessage
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Outcome, Result, Setting
from apps.channels.esp.listeners import BrevoHearing
from apps.channels.esp.session import Esp, EspSession, settings_of_esp
from apps.channels.messages import Mail


class _Payload(BrevoPayload):  # type: ignore[misc]  # anymail has no types
    def serialize_json(self, data: Any) -> Any:
        for version in data.get("messageVersions", ()):
            subject, text, html = self.message.whole[version["to"][0]["email"]]
            version |= {"subject": subject, "textContent": text, "htmlContent": html}
        return super().serialize_json(data)


class _Backend(EmailBackend):  # type: ignore[misc]  # anymail has no types
    def build_message_payload(self, message: AnymailMessage, defaults: dict[str, Any]) -> _Payload:
        return _Payload(message, defaults, self)


class BrevoSession(EspSession):
    tracks = False  # an account's switch there
    theirs = re.compile(r"\bto\b|recipient|blacklisted", re.I)
    ours = re.compile(r"sender|credits|account", re.I)

    def backend(self, **common: Any) -> _Backend:
        return _Backend(api_key=self.settings["api_key"], **common)

    def headers(self, mail: Mail) -> dict[str, str]:
        return dict(
            mail.headers
        )  # it writes its own Message-ID; ours is found by the delivery in X-Mailin-custom

    def html(self, mail: Mail) -> str:
        # Brevo takes no mail without HTML
        return str(mail.html) or f'<pre style="white-space: pre-wrap">{escape(mail.text)}</pre>'

    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        if 200 <= response.status_code < 300 and len(mails) > 1:
            known = message.anymail_status.recipients.values()
            if len({status.message_id for status in known if status.message_id}) != len(mails):
                why = (
                    f"Brevo took a call of {len(mails)} and did not tell which of them:"
                    f" {response.text}"
                )
                return Outcome(Result.IN_DOUBT, self.clean(why))
        return super().read(response, message, mails)


class Brevo(Esp):
    key = "brevo"
    label = "Brevo"
    most = 1000
    session = BrevoSession
    hearing = BrevoHearing()
    settings = settings_of_esp(
        Setting(
            "api_key",
            _("API key"),
            kind="secret",
            required=True,
            help=_("One for the API, not for SMTP."),
        ),
        hearing=hearing,
        most=most,
        url="https://api.brevo.com/v3/",
    )

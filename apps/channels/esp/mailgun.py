"""Mailgun: up to 1,000 recipients a call, merged by its recipient variables."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from anymail.backends.mailgun import EmailBackend
from anymail.message import AnymailMessage
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Result, Setting
from apps.channels.esp.listeners import MailgunHearing
from apps.channels.esp.merge import Syntax
from apps.channels.esp.session import Esp, EspSession, settings_of_esp
from apps.channels.messages import Mail


class MailgunSession(EspSession):
    syntax = Syntax(before="%recipient.", after="%", opening="%recipient", shy="%")
    theirs = re.compile(r"\bto\b\W* parameter|not a valid (recipient|address)", re.I)
    ours = re.compile(r"\bfrom\b\W* parameter|not allowed to send|domain not found", re.I)

    def backend(self, **common: Any) -> EmailBackend:
        return EmailBackend(
            api_key=self.settings["api_key"],
            sender_domain=self.settings.get("domain") or None,
            **common,
        )

    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        if (
            response.status_code == 200 and "Mailgun Magnificent API" in response.text
        ):  # what wrong addresses say
            why = (
                "Mailgun has nothing at this address. Check the address of the API and the domain."
            )
            return Outcome(Result.ACCOUNT, why, charged=False)
        return super().read(response, message, mails)


class Mailgun(Esp):
    key = "mailgun"
    label = "Mailgun"
    most = 1000
    session = MailgunSession
    hearing = MailgunHearing()
    settings = settings_of_esp(
        Setting("api_key", _("API key"), kind="secret", required=True),
        Setting("domain", _("Sending domain"), help=_("Empty = the domain of the From address")),
        hearing=hearing,
        most=most,
        url="https://api.mailgun.net/v3/",
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> EspSession:
        if not re.fullmatch(r"[\w.-]*", str(settings.get("domain") or "")):
            raise BadSettings(
                gettext(
                    "“{domain}” is no domain. Write only its name, for example mg.example.com."
                ).format(domain=settings["domain"])
            )
        return super().open(settings)

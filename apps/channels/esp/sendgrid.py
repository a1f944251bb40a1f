"""SendGrid: up to 1,000 recipients a call, merged by its substitutions.

django-anymail no longer tests against SendGrid itself (its issue 432) and warns whenever it is
used.
"""

import re
import warnings
from collections.abc import Sequence
from typing import Any

from anymail.backends.sendgrid import EmailBackend
from anymail.exceptions import AnymailNotSupportedWarning
from anymail.message import AnymailMessage
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Outcome, Result, Setting
from apps.channels.esp.listeners import SendGridHearing
from apps.channels.esp.merge import Syntax
from apps.channels.esp.session import Esp, EspSession, settings_of_esp
from apps.channels.messages import Mail

warnings.filterwarnings(
    "ignore", category=AnymailNotSupportedWarning
)  # said in docs/operate.md, not in every log


# It replaces plain text, so any will do that is unlikely in a mail and means nothing in HTML.
FIELD = Syntax(before="-c.", after="-", opening="-c.f")


class SendGridSession(EspSession):
    syntax = FIELD
    longest_own = 9_000  # of 10,000 bytes a recipient
    theirs = re.compile(r'"field":\s*"personalizations\.\d+\.to')
    ours = re.compile(r'"field":\s*"from|verified sender', re.I)

    def backend(self, **common: Any) -> EmailBackend:
        as_field = f"{FIELD.before}{{}}{FIELD.after}"
        return EmailBackend(api_key=self.settings["api_key"], merge_field_format=as_field, **common)

    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        if (
            200 <= response.status_code < 300 and response.text
        ):  # it accepts without a word: this is somebody else
            return Outcome(
                Result.IN_DOUBT,
                self.clean(f"SendGrid gave an answer we can't read: {response.text}"),
            )
        return super().read(response, message, mails)


class SendGrid(Esp):
    key = "sendgrid"
    label = "SendGrid"
    most = 1000
    session = SendGridSession
    hearing = SendGridHearing()
    settings = settings_of_esp(
        Setting(
            "api_key",
            _("API key"),
            kind="secret",
            required=True,
            help=_("It needs the permission Mail Send."),
        ),
        hearing=hearing,
        most=most,
        url="https://api.sendgrid.com/v3/",
    )

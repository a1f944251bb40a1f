"""Amazon SES (API v2): up to 50 recipients a call, merged as an inline template.

Needs boto3, which is 33 MB.
"""

import re
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from functools import cache
from typing import Any

from anymail.exceptions import AnymailImproperlyInstalled
from anymail.message import AnymailMessage
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Result, Setting
from apps.channels.esp.merge import Syntax
from apps.channels.esp.session import Esp, EspSession, settings_of_esp
from apps.channels.esp.sns import SesHearing
from apps.channels.https.wire import Body
from apps.channels.mail.mime import as_bytes, envelope
from apps.channels.messages import Mail

THROTTLED = {
    "TooManyRequestsException",
    "ThrottlingException",
    "Throttling",
    "LimitExceededException",
}
OURS = {
    "AccountSuspendedException",
    "SendingPausedException",
    "MailFromDomainNotVerifiedException",
    "NotFoundException",
}
# What SendBulkEmail says of one recipient;
# the rest is about what we wrote (BulkEmailEntryResult in Amazon's reference)
STATUSES = {
    "TRANSIENT_FAILURE": Result.TRANSIENT, "FAILED": Result.TRANSIENT,
    "ACCOUNT_THROTTLED": Result.THROTTLED, "ACCOUNT_DAILY_QUOTA_EXCEEDED": Result.THROTTLED,
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": Result.ACCOUNT, "CONFIGURATION_SET_NOT_FOUND": Result.ACCOUNT,
    "ACCOUNT_SUSPENDED": Result.ACCOUNT, "INVALID_SENDING_POOL_NAME": Result.ACCOUNT,
    "ACCOUNT_SENDING_PAUSED": Result.ACCOUNT, "CONFIGURATION_SET_SENDING_PAUSED": Result.ACCOUNT,
}  # fmt: skip


@cache
def _descriptions() -> Any:
    """Amazon's services as JSON: read once a process,
    as they cost each new session 0.1 s of CPU (measured).
    """
    from botocore.loaders import Loader

    return Loader()


def _session() -> Any:
    """One that shares the descriptions. Only for `backend`, which has seen that boto3 is there."""
    from botocore.session import Session

    session = Session()
    session.register_component("data_loader", _descriptions())
    return session


class _Written(AnymailMessage):  # type: ignore[misc]  # anymail has no types
    """Written out by mime.py: Django would fold long headers,
    and an unsubscribe address should stay in one piece.
    """

    mail: Mail

    def message(self, **_: Any) -> Message:
        return message_from_bytes(as_bytes(self.mail), policy=compat32.clone(max_line_length=None))


class SesSession(EspSession):
    message_class = _Written
    syntax = Syntax(
        before="{{", after="}}", opening="{{", shy="{}\\"
    )  # SES does not escape what it fills in
    largest = 700_000  # of 1 MB, in which the merge fields are JSON within JSON
    any_local_part = False
    tracks = False  # a configuration set's switch there
    theirs = re.compile(
        r"illegal address|local address|domain contains|recipient|missing final", re.I
    )
    ours = re.compile(r"not verified|source|from address", re.I)

    def backend(self, **common: Any) -> Any:
        try:
            from anymail.backends.amazon_ses import EmailBackend
        except AnymailImproperlyInstalled as error:
            raise BadSettings(
                gettext(
                    "Amazon SES needs the package boto3, which is not installed. Run: pip install"
                    " -r requirements-ses.txt"
                )
            ) from error
        connect, read = self.patience
        session = {"botocore_session": _session()}
        if self.settings.get("access_key"):
            session |= {
                "aws_access_key_id": self.settings["access_key"],
                "aws_secret_access_key": self.settings["secret_key"],
            }
        return EmailBackend(
            session_params=session,
            client_params={
                "region_name": self.settings["region"],
                "endpoint_url": self.settings.get("api_url") or None,
                # one try: boto's own ones would double what is in doubt,
                # and hide what is to be counted
                "config": {
                    "connect_timeout": connect,
                    "read_timeout": read,
                    "retries": {"total_max_attempts": 1, "mode": "standard"},
                },
            },
            configuration_set_name=self.settings.get("configuration_set") or None,
            ignore_recipient_status=True,
        )

    def alone(self, message: AnymailMessage, mail: Mail) -> None:
        super().alone(message, mail)
        message.mail = mail

    def together(self, message: AnymailMessage, mails: Sequence[Mail]) -> None:
        super().together(message, mails)
        parts = {"Subject": message.subject, "Text": message.body}
        if message.alternatives:
            parts["Html"] = message.alternatives[0][0]
        # it puts its own in the place of our Message-ID,
        # and in calls of many it does not even take one
        message.merge_headers = {envelope(mail.to): dict(mail.headers) for mail in mails}
        message.subject = message.body = None
        message.alternatives = []
        # makes anymail call SendBulkEmail; the template itself is in the call
        message.template_id = "inline"
        template = {
            "TemplateContent": {name: part for name, part in parts.items() if part},
            "TemplateData": "{}",
        }
        message.esp_extra = {"DefaultContent": {"Template": template}}

    # ---- what came back
    def read(
        self, response: Any, message: AnymailMessage, mails: Sequence[Mail]
    ) -> Outcome | list[Outcome]:
        if "Error" in response:
            return self._error(response, len(mails))
        if "BulkEmailEntryResults" not in response:
            if taken := response.get("MessageId"):
                return [Outcome(Result.ACCEPTED, "200", provider_id=taken)]
        elif len(entries := response["BulkEmailEntryResults"]) == len(mails):
            return [self._entry(entry) for entry in entries]  # in the order of the messages
        return Outcome(
            Result.IN_DOUBT, self.clean(f"Amazon SES gave an answer we can't read: {response}")
        )

    def _entry(self, entry: dict[str, Any]) -> Outcome:
        status = str(entry.get("Status"))
        words = str(entry.get("Error") or "")
        detail = self.clean(f"{status} {words}")
        if status == "SUCCESS":
            return Outcome(Result.ACCEPTED, detail, provider_id=str(entry.get("MessageId") or ""))
        result = STATUSES.get(status) or self.judge(words)
        return Outcome(result, detail, charged=result not in (Result.ACCOUNT, Result.THROTTLED))

    def _error(self, response: dict[str, Any], messages: int) -> Outcome:
        meta = response["ResponseMetadata"]
        error = response["Error"]
        code = error.get("Code", "")
        words = error.get("Message", "")
        if code == "AccessDeniedException" and messages > 1:
            # the keys may send, but not many at once: each by itself then,
            # for as long as this session lasts
            self.batch = 1
            return Outcome(Result.PERMANENT_CONTENT, words)
        if code in THROTTLED:
            status = 429
        elif code in OURS:
            status = 403
        else:
            status = meta.get("HTTPStatusCode", 500)
        headers = {"Retry-After": meta.get("HTTPHeaders", {}).get("retry-after", "")}
        return self.refused(status, headers, f"{code}: {words}")

    # ---- the wire
    def connect(self) -> Any:
        self._body = Body()
        return self.backend()

    def fresh(self) -> None:
        self._body = Body()
        if (
            not self._backend.client
        ):  # boto3 may ask the machine for its role, so not before the first message
            self._backend.open()
            self._backend.client.meta.events.register("before-send.sesv2", self._watch)

    def _watch(self, request: Any, **_: Any) -> None:
        request.body = self._body = Body(request.body or b"")

    def body(self) -> Body:
        return self._body


class AmazonSes(Esp):
    key = "amazon_ses"
    label = "Amazon SES"
    most = 50
    session = SesSession
    hearing = SesHearing()
    settings = settings_of_esp(
        Setting("region", _("Region"), default="eu-west-1", required=True),
        Setting("access_key", _("Access key id"), help=_("Empty = the role of this machine")),
        Setting(
            "secret_key",
            _("Secret access key"),
            kind="secret",
            help=_(
                "It needs ses:SendEmail and ses:SendRawEmail; for calls of many also"
                " ses:SendBulkEmail and ses:SendBulkTemplatedEmail."
            ),
        ),
        Setting("configuration_set", _("Configuration set")),
        hearing=hearing,
        most=most,
        url="",
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> EspSession:
        if bool(settings.get("access_key")) != bool(settings.get("secret_key")):
            raise BadSettings(
                gettext(
                    "Amazon SES needs the access key and its secret. Fill in the other one, or"
                    " empty both."
                )
            )
        return super().open(settings)

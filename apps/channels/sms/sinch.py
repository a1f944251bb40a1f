"""Sinch (SMS REST API): SMS, and MMS of one picture where Sinch has it (the USA)."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop as _

from apps.channels.contract import Result, Setting
from apps.channels.https.caller import json_object
from apps.channels.https.posted import Posted
from apps.channels.messages import SmsMessage
from apps.channels.sms.answers import (
    Report,
    SmsReply,
    check_age,
    check_hmac,
    number,
    report,
)
from apps.channels.sms.session import (
    SENDER,
    Call,
    Sms,
    SmsSession,
    Unsendable,
    settings_of_sms,
)

# Sinch has one code for whatever is badly formed; only its text says which field.
BADLY_FORMED = ("syntax_invalid_parameter_format", "syntax_constraint_violation")
SENDERS = re.compile(r"originator|sender|[`'\"\[]from\b", re.I)
RECIPIENTS = re.compile(r"msisdn|recipient|phone number|[`'\"\[]to\b", re.I)
# "Unknown" is none: the network took the message and says no more. "Deleted" may be a number that
# nobody has, or a person who opted out there; which of them Sinch doesn't say, so the number stays.
ENDS = {
    "Delivered": True,
    **dict.fromkeys(("Failed", "Aborted", "Cancelled", "Rejected", "Deleted", "Expired"), False),
}


class SinchSession(SmsSession):
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.settings['api_token']}"}

    def call(self, message: SmsMessage) -> Call:
        asked: dict[str, Any] = {
            "to": [message.to],
            "from": str(self.settings["sender"]),
            "client_reference": str(message.delivery),
        }
        if len(message.media) > 1:
            raise Unsendable("Sinch sends one picture in a message.")
        if message.media:
            asked |= {
                "type": "mt_media",
                "body": {"url": message.media[0], "message": message.body},
            }
        else:
            asked |= {"type": "mt_text", "body": message.body}
        if url := self.report_to(message):
            asked |= {"delivery_report": "per_recipient", "callback_url": url}
        return Call(f"/xms/v1/{self.settings['service_plan_id']}/batches", json=asked)

    def taken(self, answer: dict[str, Any]) -> str:
        return str(answer.get("id") or "")

    def code(self, answer: dict[str, Any]) -> str:
        return str(answer.get("code"))

    def judge(self, words: str) -> Result:
        answer = json_object(words)
        if self.code(answer) in BADLY_FORMED:
            if SENDERS.search(str(answer.get("text"))):
                return Result.ACCOUNT
            if RECIPIENTS.search(str(answer.get("text"))):
                return Result.PERMANENT_RECIPIENT
        return Result.PERMANENT_CONTENT


class Sinch(Sms):
    key = "sinch"
    label = "Sinch"
    session = SinchSession
    in_path = "service_plan_id"
    settings = settings_of_sms(
        Setting("service_plan_id", _("Service plan id"), required=True),
        Setting("api_token", _("API token"), kind="secret", required=True),
        SENDER,
        Setting(
            "callback_secret",
            _("Callback secret"),
            kind="secret",
            help=_("Proves that an answer comes from Sinch."),
        ),
        url="https://eu.sms.api.sinch.com",
    )

    @classmethod
    def heard(
        cls, settings: Mapping[str, Any], posted: Posted, *, now: dt.datetime
    ) -> SmsReply | Report | None:
        name = "x-sinch-webhook-signature"
        nonce, stamp = (posted.headers.get(f"{name}-{part}", "") for part in ("nonce", "timestamp"))
        signed = posted.body + f".{nonce}.{stamp}".encode()
        check_hmac(
            str(settings.get("callback_secret") or ""),
            signed,
            posted.headers.get(name, ""),
            how="sha256",
        )
        check_age(stamp, now)
        told = json_object(posted.body.decode("utf-8", "replace"))
        if str(told.get("type")).startswith("recipient_delivery_report"):
            status = str(told.get("status"))
            return report(
                told.get("client_reference"),
                told.get("batch_id"),
                ENDS.get(status),
                f"{status} {told.get('code')}",
            )
        sender = number(told.get("from"))
        if not sender or told.get("type") != "mo_text":
            return None
        return SmsReply(sender, str(told.get("body")), str(told.get("id") or ""))

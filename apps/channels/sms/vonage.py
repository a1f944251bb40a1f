"""Vonage (Messages API): SMS, and MMS of one picture."""

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop as _

from apps.channels.contract import Remedy, Result, Setting
from apps.channels.https.caller import json_object
from apps.channels.https.posted import Forged, Posted
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

# Vonage's list for the Messages API. 1120 and 1160 forbid this pair of numbers only,
# so they are not here.
CODES = {
    # barred, missing, illegal, invalid
    **dict.fromkeys(("1050", "1170", "1250", "1430"), Result.PERMANENT_RECIPIENT),
    # barred, no credit, not for REST, not enabled, invalid sender
    **dict.fromkeys(("1060", "1070", "1080", "1140", "1420"), Result.ACCOUNT),
    "1000": Result.THROTTLED,
}
# On Vonage's list of those who get nothing; missing, illegal, invalid numbers
REMEDIES = {"1050": Remedy.STOPPED, **dict.fromkeys(("1170", "1250", "1430"), Remedy.BOUNCED)}
FIELDS = {"to": Result.PERMANENT_RECIPIENT, "from": Result.ACCOUNT}

# What became of a message by its report's status; others say that it is on its way.
ARRIVED = {"delivered": True, "read": True, "rejected": False, "undeliverable": False}


class VonageSession(SmsSession):
    codes = CODES
    remedies = REMEDIES

    def headers(self) -> dict[str, str]:
        pair = f"{self.settings['api_key']}:{self.settings['api_secret']}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def call(self, message: SmsMessage) -> Call:
        asked: dict[str, Any] = {
            "to": message.to.removeprefix("+"),
            "from": str(self.settings["sender"]).removeprefix("+"),
            "client_ref": str(message.delivery),
        }
        if len(message.media) > 1:
            raise Unsendable("Vonage sends one picture in a message.")
        if message.media:
            picture = {"url": message.media[0]}
            if message.body.strip():
                picture["caption"] = message.body
            asked |= {"channel": "mms", "message_type": "image", "image": picture}
        else:
            asked |= {"channel": "sms", "message_type": "text", "text": message.body}
        if url := self.report_to(message):
            asked["webhook_url"] = url
        return Call("/v1/messages", json=asked)

    def taken(self, answer: dict[str, Any]) -> str:
        return str(answer.get("message_uuid") or "")

    def code(self, answer: dict[str, Any]) -> str:
        return code_of(answer)

    def judge(self, words: str) -> Result:
        wrong = json_object(words).get("invalid_parameters")
        names = set()
        if isinstance(wrong, list):
            names = {each.get("name") for each in wrong if isinstance(each, dict)}
        if len(names) == 1 and (result := FIELDS.get(names.pop() or "")):
            return result
        return super().judge(words)


class Vonage(Sms):
    key = "vonage"
    label = "Vonage"
    session = VonageSession
    in_path = "api_key"
    settings = settings_of_sms(
        Setting("api_key", _("API key"), required=True),
        Setting("api_secret", _("API secret"), kind="secret", required=True),
        SENDER,
        Setting(
            "signature_secret",
            _("Signature secret"),
            kind="secret",
            help=_("Proves that an answer comes from Vonage."),
        ),
        url="https://api.nexmo.com",
    )

    @classmethod
    def heard(
        cls, settings: Mapping[str, Any], posted: Posted, *, now: dt.datetime
    ) -> SmsReply | Report | None:
        """Signed by a token (RFC 7519, HS256) that holds the hash of the body;
        its signature alone proves no body.
        """
        signed, _, signature = (
            posted.headers.get("Authorization", "").removeprefix("Bearer ").rpartition(".")
        )
        head, _, claims = signed.partition(".")
        if _token_part(head).get("alg") != "HS256":
            raise Forged("It has no token of HS256.")
        given = signature.replace("-", "+").replace("_", "/") + "=" * (-len(signature) % 4)
        check_hmac(
            str(settings.get("signature_secret") or ""), signed.encode(), given, how="sha256"
        )
        said = _token_part(claims)
        check_age(said.get("iat"), now)
        if str(said.get("payload_hash")).lower() != hashlib.sha256(posted.body).hexdigest():
            raise Forged("Its body is not the one that was signed.")
        told = json_object(posted.body.decode("utf-8", "replace"))
        if status := told.get("status"):
            problem = told.get("error")
            wrong: dict[str, Any] = {}
            if isinstance(problem, dict):
                wrong = problem
            code = code_of(wrong)
            detail = wrong.get("detail") or ""
            return report(
                told.get("client_ref"),
                told.get("message_uuid"),
                ARRIVED.get(str(status)),
                f"{status} {code} {detail}".strip(),
                REMEDIES.get(code, Remedy.NONE),
            )
        sender = number(told.get("from"))
        if not sender or "text" not in told:
            return None
        return SmsReply(sender, str(told["text"]), str(told.get("message_uuid") or ""))


def code_of(problem: Mapping[str, Any]) -> str:
    """The list's number stands behind the # of the problem's type, in some answers as its title."""
    behind = str(problem.get("type") or "").rpartition("#")[2]
    if behind.isdigit():
        return behind
    return str(problem.get("title") or "")


def _token_part(part: str) -> dict[str, Any]:
    missing = -len(part) % 4
    try:
        data = base64.urlsafe_b64decode(part + "=" * missing)
    except ValueError:
        return {}
    return json_object(data.decode("utf-8", "replace"))

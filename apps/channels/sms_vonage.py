"""Vonage (Messages API): SMS, and MMS of one picture."""

import base64
from typing import Any

from apps.channels.contract import Result, Setting, SmsMessage
from apps.channels.sms import SENDER, Call, Sms, SmsSession, Unsendable, as_dict, settings_of_sms

# Vonage's list for the Messages API. 1120 and 1160 forbid this pair of numbers only, so they are not here.
CODES = {
    # barred, missing, illegal, invalid
    **dict.fromkeys(("1050", "1170", "1250", "1430"), Result.PERMANENT_RECIPIENT),
    # barred, no credit, not for REST, not enabled, invalid sender
    **dict.fromkeys(("1060", "1070", "1080", "1140", "1420"), Result.ACCOUNT),
    "1000": Result.THROTTLED,
}
FIELDS = {"to": Result.PERMANENT_RECIPIENT, "from": Result.ACCOUNT}


class VonageSession(SmsSession):
    codes = CODES

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
            picture = {"url": message.media[0]} | ({"caption": message.body} if message.body.strip() else {})
            asked |= {"channel": "mms", "message_type": "image", "image": picture}
        else:
            asked |= {"channel": "sms", "message_type": "text", "text": message.body}
        if url := self.report_to(message):
            asked["webhook_url"] = url
        return Call("/v1/messages", json=asked)

    def taken(self, answer: dict[str, Any]) -> str:
        return str(answer.get("message_uuid") or "")

    def code(self, answer: dict[str, Any]) -> str:
        """The list's number stands behind the # of the problem's type, in some answers as its title."""
        behind = str(answer.get("type")).rpartition("#")[2]
        return behind if behind.isdigit() else str(answer.get("title"))

    def judge(self, words: str) -> Result:
        wrong = as_dict(words).get("invalid_parameters")
        names = {each.get("name") for each in wrong if isinstance(each, dict)} if isinstance(wrong, list) else set()
        if len(names) == 1 and (result := FIELDS.get(names.pop() or "")):
            return result
        return super().judge(words)


class Vonage(Sms):
    key = "vonage"
    label = "Vonage"
    session = VonageSession
    in_path = "api_key"
    settings = settings_of_sms(
        Setting("api_key", "API key", required=True),
        Setting("api_secret", "API secret", kind="secret", required=True),
        SENDER,
        url="https://api.nexmo.com",
    )

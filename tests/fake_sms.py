"""A local server that speaks like three SMS providers and keeps each message as its phone would get
it.

`with FakeSms() as fake: Twilio.open(fake.settings("twilio"))`. It refuses what the provider
refuses, and breaks where a test says so, as its elder for ESPs does: `fake.faults` are used up one
a call, `fake.bad` are numbers it won't take.
"""

import base64
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID
from xml.etree import ElementTree

from tests.fake_esp import KEY, Answer, Call, FakeEsp, Refused
from tests.patience import PATIENCE

NAME = "AC0123456789abcdef"
SENDER = "+4915112345678"


@dataclass
class Text:
    """What lies on the phone."""

    to: str
    sender: str
    body: str
    media: list[str]
    delivery: str
    report_to: str
    call: int = 0


def _basic(call: Call, provider: str) -> None:
    if (
        call.headers["authorization"]
        != "Basic " + base64.b64encode(f"{NAME}:{KEY}".encode()).decode()
    ):
        raise Refused(SAYS[provider]["account"])


def _known(fake: FakeEsp, provider: str, text: Text) -> Text:
    assert text.to.removeprefix("+").isdigit()
    assert text.body or text.media
    if text.to in fake.bad:
        raise Refused(SAYS[provider][fake.bad[text.to]])
    return text


def _twilio(fake: FakeEsp, call: Call) -> tuple[list[Text], Any]:
    assert call.path == f"/twilio/2010-04-01/Accounts/{NAME}/Messages.json"
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    _basic(call, "twilio")
    form = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=True)
    one = {name: values[0] for name, values in form.items()}
    assert set(one) <= {"To", "From", "MessagingServiceSid", "Body", "MediaUrl", "StatusCallback"}
    report = one.get("StatusCallback", "")
    delivery = report.rpartition("delivery=")[2]
    sender = one.get("MessagingServiceSid") or one["From"]
    text = Text(one["To"], sender, one["Body"], form.get("MediaUrl", []), delivery, report)
    return [_known(fake, "twilio", text)], Answer(
        201, {"sid": f"SM{len(fake.calls)}", "status": "queued"}
    )


def _twilio_voice(fake: FakeEsp, call: Call) -> tuple[list[Text], Any]:
    assert call.path == f"/twilio_voice/2010-04-01/Accounts/{NAME}/Calls.json"
    _basic(call, "twilio")
    one = {
        name: values[0]
        for name, values in parse_qs(call.body.decode(), strict_parsing=True).items()
    }
    assert set(one) <= {"To", "From", "Twiml", "Timeout", "StatusCallback", "StatusCallbackEvent"}
    [say] = ElementTree.fromstring(one["Twiml"])  # noqa: S314  (our own)
    assert say.tag == "Say"
    report = one.get("StatusCallback", "")
    spoken = Text(
        one["To"],
        one["From"],
        say.text or "",
        [say.attrib["language"]],
        report.rpartition("=")[2],
        report,
    )
    return [_known(fake, "twilio", spoken)], Answer(
        201, {"sid": f"CA{len(fake.calls)}", "status": "queued"}
    )


def _vonage(fake: FakeEsp, call: Call) -> tuple[list[Text], Any]:
    assert call.path == "/vonage/v1/messages"
    _basic(call, "vonage")
    asked = call.json
    assert (asked["channel"], asked["message_type"]) in {("sms", "text"), ("mms", "image")}
    assert UUID(asked["client_ref"])
    assert not asked["to"].startswith("+")
    picture = asked.get("image", {})
    text = Text(
        f"+{asked['to']}",
        f"+{asked['from']}",
        asked.get("text", "") or picture.get("caption", ""),
        [picture["url"]] if picture else [],
        asked["client_ref"],
        asked.get("webhook_url", ""),
    )
    return [_known(fake, "vonage", text)], Answer(
        202, {"message_uuid": f"aaaaaaaa-{len(fake.calls)}"}
    )


def _sinch(fake: FakeEsp, call: Call) -> tuple[list[Text], Any]:
    assert call.path == f"/sinch/xms/v1/{NAME}/batches"
    if call.headers["authorization"] != f"Bearer {KEY}":
        raise Refused(SAYS["sinch"]["account"])
    asked = call.json
    [to] = asked["to"]
    body = asked["body"]
    media = []
    if asked["type"] == "mt_media":
        body, media = body["message"], [body["url"]]
    report = asked.get("callback_url", "")
    assert asked.get("delivery_report", "none") == ("per_recipient" if report else "none")
    text = Text(to, asked["from"], body, media, asked["client_reference"], report)
    return [_known(fake, "sinch", text)], Answer(
        201, {"id": f"01FC{len(fake.calls)}", "canceled": False}
    )


def _twilio_code(code: int, words: str, status: int = 400) -> Answer:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return Answer(status, {"code": code, "message": words, "more_info": more, "status": status})


def _vonage_code(code: str, title: str, detail: str, status: int = 422) -> Answer:
    kind = f"https://developer.vonage.com/api-errors/messages#{code}"
    return Answer(
        status, {"type": kind, "title": title, "detail": detail, "instance": "bf0ca0bf927b3b52"}
    )


def _sinch_code(
    text: str, code: str = "syntax_invalid_parameter_format", status: int = 400
) -> Answer:
    return Answer(status, {"code": code, "text": text})


# What each says of a recipient it won't write to, of content it won't take, of our sender,
# and of our account
SAYS = {
    "twilio": {
        "recipient": _twilio_code(21211, "The 'To' number +49999 is not a valid phone number."),
        "opted_out": _twilio_code(21610, "Attempt to send to unsubscribed recipient"),
        "content": _twilio_code(
            21617, "The concatenated message body exceeds the 1600 character limit"
        ),
        "pair": _twilio_code(
            21408, "Permission to send an SMS has not been enabled for the region"
        ),
        "sender": _twilio_code(
            21606, "The From phone number is not a valid, SMS-capable inbound phone number"
        ),
        "account": _twilio_code(20003, f"Authenticate: {KEY}", 401),
        "throttled": _twilio_code(
            21611, "This From number has exceeded the maximum number of queued messages"
        ),
    },
    "vonage": {
        "recipient": _vonage_code(
            "1430", "Invalid recipient", "The `to` parameter is invalid for the given channel."
        ),
        "opted_out": _vonage_code("1050", "1050", "Number barred"),
        "content": _vonage_code(
            "1020", "Invalid params", "The value of one or more parameters is invalid."
        ),
        "pair": _vonage_code(
            "1120", "Illegal Sender Address - rejected", "Due to local regulations"
        ),
        "sender": _vonage_code(
            "1420", "Invalid sender", "The `from` parameter is invalid for the given channel."
        ),
        "account": Answer(401, {"title": "Unauthorized", "detail": f"{KEY} is wrong"}),
        "throttled": _vonage_code(
            "1000", "1000", "Throttled - You have exceeded the submission capacity"
        ),
    },
    "sinch": {
        "recipient": _sinch_code("Invalid MSISDN: +49999"),
        "opted_out": _sinch_code(
            '"to" holds a number that is not allowed', "syntax_constraint_violation"
        ),
        "content": _sinch_code(
            "`body` must not be longer than 2000 characters", "syntax_constraint_violation"
        ),
        "pair": _sinch_code("Destination is blocked", "forbidden_destination"),
        "sender": _sinch_code("Invalid originator"),
        "account": Answer(401, ""),
        "throttled": Answer(429, ""),
    },
}


class FakeSms(FakeEsp):
    dialects = {
        "twilio": _twilio,
        "twilio_voice": _twilio_voice,
        "vonage": _vonage,
        "sinch": _sinch,
    }

    def settings(self, esp: str, **more: Any) -> dict[str, Any]:
        own = {
            "twilio": {"account_sid": NAME, "auth_token": KEY},
            "twilio_voice": {"account_sid": NAME, "auth_token": KEY},
            "vonage": {"api_key": NAME, "api_secret": KEY},
            "sinch": {"service_plan_id": NAME, "api_token": KEY},
        }[esp]
        return {
            **own,
            "sender": SENDER,
            "api_url": f"{self.url}/{esp}",
            "timeout": PATIENCE,
            **more,
        }

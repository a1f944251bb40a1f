"""Voice calls by Twilio: the text is spoken to whoever answers.

Optional: without an account nothing here is used.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from django.utils.translation import gettext_noop as _

from apps.channels.contract import Remedy, Result, Setting
from apps.channels.https.posted import Posted
from apps.channels.messages import VoiceMessage
from apps.channels.sms.answers import Report, report
from apps.channels.sms.session import Call, PhoneSession, Sms, Unsendable, settings_of_sms
from apps.channels.sms.twilio import CODES, SHARED_KEY, as_twilio, delivery_in, signed_form

LONGEST = 4000  # characters that one request may hold of TwiML
RING_SECONDS = 30

# Twilio speaks in languages of a country; a bare language gets the one that most listeners expect.
_OWN_COUNTRY = "bg de es fi fr hu id it lt lv nl pl ro ru sk th tr"
COUNTRIES = {language: f"{language}-{language.upper()}" for language in _OWN_COUNTRY.split()}
COUNTRIES |= {
    "ar": "ar-AE",
    "ca": "ca-ES",
    "cs": "cs-CZ",
    "da": "da-DK",
    "el": "el-GR",
    "en": "en-US",
    "et": "et-EE",
    "he": "he-IL",
    "hi": "hi-IN",
    "ja": "ja-JP",
    "ko": "ko-KR",
    "nb": "nb-NO",
    "pt": "pt-BR",
    "sv": "sv-SE",
    "uk": "uk-UA",
    "vi": "vi-VN",
    "zh": "cmn-CN",
}

# Twilio's error dictionary, where calls differ from texts. 21215 and 21216 forbid where the call
# would go to: they say nothing bad of the number, and nothing about other calls.
VOICE_CODES = {
    **CODES,
    # not a number, or nobody may call it
    **dict.fromkeys(("13223", "13224", "13225"), Result.PERMANENT_RECIPIENT),
    # closed; our number is not ours; on trial
    **dict.fromkeys(("10001", "21210", "21213", "21219"), Result.ACCOUNT),
    **dict.fromkeys(("10004", "20429", "21220"), Result.THROTTLED),  # calls at once
}
# A number that no telephone has; a landline, which can't get texts, is a good one here.
VOICE_REMEDIES = dict.fromkeys(("21211", "21217", "13224"), Remedy.BOUNCED)
ENDS = {"completed": True, **dict.fromkeys(("busy", "no-answer", "failed", "canceled"), False)}


def twiml(body: str, language: str) -> str:
    """What Twilio does when somebody answers. https://www.twilio.com/docs/voice/twiml/say"""
    spoken = quoteattr(COUNTRIES.get(language.lower(), language))
    return f"<Response><Say language={spoken}>{escape(body)}</Say></Response>"


class VoiceSession(PhoneSession[VoiceMessage]):
    codes = VOICE_CODES
    remedies = VOICE_REMEDIES

    def headers(self) -> dict[str, str]:
        return as_twilio(self.settings)

    def call(self, message: VoiceMessage) -> Call:
        said = twiml(message.body, message.language)
        if len(said) > LONGEST:
            raise Unsendable(f"Twilio speaks at most {LONGEST} characters in one call.")
        form = [("To", message.to), ("From", str(self.settings["sender"])), ("Twiml", said)]
        form.append(("Timeout", str(RING_SECONDS)))
        if url := self.report_to(message):
            form += [("StatusCallback", url), ("StatusCallbackEvent", "completed")]
        return Call(f"/2010-04-01/Accounts/{self.settings['account_sid']}/Calls.json", form=form)

    def taken(self, answer: dict[str, Any]) -> str:
        return str(answer.get("sid") or "")

    def code(self, answer: dict[str, Any]) -> str:
        return str(answer.get("code"))


class TwilioVoice(Sms):
    key = "twilio_voice"
    channel = "voice"
    label = "Twilio voice calls"
    session = VoiceSession
    in_path = "account_sid"
    settings = tuple(
        setting
        for setting in settings_of_sms(
            Setting("account_sid", _("Account SID"), required=True, help=_("Begins with AC.")),
            Setting("auth_token", _("Auth token"), kind="secret", required=True),
            Setting(
                "sender",
                _("Caller's number"),
                required=True,
                help=_("A number of the account, with its country code."),
            ),
            SHARED_KEY,
            url="https://api.twilio.com",
        )
        if setting.name != "help_text"  # nobody can answer a call with a word
    )

    @classmethod
    def heard(
        cls, settings: Mapping[str, Any], posted: Posted, *, now: dt.datetime
    ) -> Report | None:
        form = signed_form(settings, posted)
        status = form.get("CallStatus", "")
        return report(delivery_in(posted.url), form.get("CallSid"), ENDS.get(status), status)

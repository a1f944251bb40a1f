"""Twilio Programmable Messaging: SMS and MMS of up to ten pictures."""

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Remedy, Result, Setting
from apps.channels.https.posted import Forged, Posted
from apps.channels.messages import SmsMessage
from apps.channels.sms.answers import Report, SmsReply, check_hmac, number, report
from apps.channels.sms.session import (
    SENDER,
    Call,
    PhoneSession,
    Sms,
    SmsSession,
    Unsendable,
    settings_of_sms,
)

MOST_MEDIA = 10

# Twilio's error dictionary. What forbids only this pair of numbers (21408, 21608, 21612) is not
# here: it says nothing bad of the recipient's number, and nothing about other messages.
CODES = {
    **dict.fromkeys(
        # not a number, can't be reached, a short code, our own number, opted out, not mobile,
        # a landline
        ("21211", "21214", "21217", "21265", "21266", "21610", "21614", "21635"),
        Result.PERMANENT_RECIPIENT,
    ),
    **dict.fromkeys(
        # who we are: credentials, a closed account; what we send from: not ours, not for SMS,
        # an empty service
        (
            "20003",
            "20005",
            "20403",
            "21212",
            "21603",
            "21606",
            "21659",
            "21660",
            "21661",
            "21701",
            "21703",
            "21705",
        ),
        Result.ACCOUNT,
    ),
    **dict.fromkeys(
        # too much at once: messages a second, a number's queue, a day's
        ("14107", "20429", "21611", "63038"),
        Result.THROTTLED,
    ),
}

# Not a number, not a mobile one, a landline; in a report: a number that nobody has. Not 30003
# (switched off) nor 30006, which may be the carrier's: those numbers live.
REMEDIES = {
    **dict.fromkeys(("21211", "21217", "21614", "21635", "30005"), Remedy.BOUNCED),
    "21610": Remedy.STOPPED,
}


def as_twilio(settings: Mapping[str, Any]) -> dict[str, str]:
    """Who we are."""
    pair = f"{settings['account_sid']}:{settings['auth_token']}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


SHARED_KEY = Setting(
    "shared_key",
    _("Shared key for webhooks"),
    kind="secret",
    help=_("Only where Twilio signs its requests with one."),
)


class TwilioSession(SmsSession):
    codes = CODES
    remedies = REMEDIES

    def headers(self) -> dict[str, str]:
        return as_twilio(self.settings)

    def call(self, message: SmsMessage) -> Call:
        if len(message.media) > MOST_MEDIA:
            raise Unsendable(f"Twilio sends at most {MOST_MEDIA} pictures in one message.")
        form = [("To", message.to), ("Body", message.body)]
        if service := self.settings.get("messaging_service"):
            form.append(("MessagingServiceSid", str(service)))
        if sender := self.settings.get("sender"):
            form.append(("From", str(sender)))
        form += [("MediaUrl", url) for url in message.media]
        if url := self.report_to(message):
            form.append(("StatusCallback", url))
        return Call(f"/2010-04-01/Accounts/{self.settings['account_sid']}/Messages.json", form=form)

    def taken(self, answer: dict[str, Any]) -> str:
        return str(answer.get("sid") or "")

    def code(self, answer: dict[str, Any]) -> str:
        return str(answer.get("code"))


class Twilio(Sms):
    key = "twilio"
    label = "Twilio"
    session = TwilioSession
    in_path = "account_sid"
    answers_in_place = True
    settings = settings_of_sms(
        Setting("account_sid", _("Account SID"), required=True, help=_("Begins with AC.")),
        Setting("auth_token", _("Auth token"), kind="secret", required=True),
        Setting("sender", SENDER.label, help=SENDER.help),
        SHARED_KEY,
        Setting(
            "messaging_service",
            _("Messaging service SID"),
            help=_("Begins with MG; it chooses among its senders."),
        ),
        url="https://api.twilio.com",
        help_text="",  # Twilio has its own, unless that is switched off there
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> PhoneSession[Any]:
        if not (settings.get("sender") or settings.get("messaging_service")):
            raise BadSettings(
                gettext("Twilio needs a sender or a messaging service. Fill in one of them.")
            )
        return super().open(settings)

    @classmethod
    def heard(
        cls, settings: Mapping[str, Any], posted: Posted, *, now: dt.datetime
    ) -> SmsReply | Report | None:
        form = signed_form(settings, posted)
        if status := form.get("MessageStatus"):
            code = form.get("ErrorCode", "")
            return report(
                delivery_in(posted.url),
                form.get("MessageSid"),
                {"delivered": True, "read": True, "undelivered": False, "failed": False}.get(
                    status
                ),
                f"{status} {code}".strip(),
                REMEDIES.get(code, Remedy.NONE),
            )
        sender = number(form.get("From"))
        if sender and "Body" in form:
            return SmsReply(sender, form["Body"], form.get("MessageSid", ""))
        return None


def signed_form(settings: Mapping[str, Any], posted: Posted) -> dict[str, str]:
    """The fields of a request that Twilio has signed: with the auth token, or with a key for
    webhooks where the request says so
    (https://www.twilio.com/docs/usage/webhooks/webhooks-security). Raises Forged.
    """
    pairs = parse_qsl(posted.body.decode("utf-8", "replace"), keep_blank_values=True)
    said = "".join(name + value for name, value in sorted(set(pairs)))
    keyed = "algorithm=HMAC_SHA256" in posted.headers.get(
        "X-Twilio-Webhooks-Signature-Settings", ""
    )
    if keyed:
        name = "shared_key"
        how = "sha256"
    else:
        name = "auth_token"
        how = "sha1"
    secret = str(settings.get(name) or "")
    given = posted.headers.get("X-Twilio-Signature", "")
    try:
        check_hmac(secret, (posted.url + said).encode(), given, how=how)
    except Forged:  # Twilio signs some addresses without the port that it calls
        check_hmac(secret, (_without_port(posted.url) + said).encode(), given, how=how)
    return dict(pairs)


def delivery_in(url: str) -> str:
    """Which message a report is about: we wrote it into the address, and Twilio signs that."""
    return dict(parse_qsl(urlsplit(url).query)).get("delivery", "")


def _without_port(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.hostname or "").geturl()

"""What Brevo, Mailgun, Postmark and SendGrid post about mails."""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from anymail.webhooks.brevo import BrevoTrackingWebhookView
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from anymail.webhooks.postmark import PostmarkTrackingWebhookView
from anymail.webhooks.sendgrid import SendGridTrackingWebhookView
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Setting
from apps.channels.esp.hearing import Hearing, Knows, check_password, json_of, objects, reader
from apps.channels.esp.told import MailEvent, Unreadable, What, told
from apps.channels.https.posted import Forged, Posted

NO_KEY = "The account has nothing to check signatures with. Fill it in on the account's page."


class ByPassword(Hearing):
    """An ESP that signs nothing: a password in our address says that it was given there."""

    password = True

    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        check_password(posted, knows)

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        yield from objects(json_of(posted))


class BrevoHearing(ByPassword):
    paste = _("Brevo: Transactional, Settings, Webhook. Choose all events.")
    _view = reader(BrevoTrackingWebhookView)
    # of a mailbox that Brevo calls gone; "blocked" is its own list, on which it tells not why
    _gone = {"hard_bounce": True, "invalid_email": True, "soft_bounce": False}

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        kind = str(event.get("event"))
        return told(self._view.esp_to_anymail_event(event), gone=self._gone.get(kind), about=event)


class PostmarkHearing(ByPassword):
    paste = _(
        "Postmark: the server, the message stream, Webhooks. Choose delivery, bounce, spam"
        " complaint and subscription change."
    )
    _view = reader(PostmarkTrackingWebhookView)
    _gone = {"HardBounce": True, "BadEmailAddress": True, "SoftBounce": False}

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        if "RecordType" not in event:  # a mail that came in there
            return []
        kind = str(event.get("Type"))
        heard = self._view.esp_to_anymail_event(event)
        return told(heard, gone=self._gone.get(kind), about=event)


class MailgunHearing(Hearing):
    """Mailgun signs a time and a token of each request, and not its words."""

    settings = (
        Setting(
            "signing_key",
            _("Webhook signing key"),
            kind="secret",
            help=_("Proves that an event comes from Mailgun. Of its page API security."),
        ),
    )
    paste = _("Mailgun: Sending, Webhooks, of the sending domain. Add the address for each event.")
    _view = reader(MailgunTrackingWebhookView)

    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        key = str(settings.get("signing_key") or "")
        if not key:
            raise Forged(NO_KEY)
        body = json_of(posted)
        proof = body.get("signature") if isinstance(body, dict) else None
        if not isinstance(proof, dict):
            raise Forged("It has no signature.")
        signed = f"{proof.get('timestamp')}{proof.get('token')}"
        ours = hmac.new(key.encode(), signed.encode("utf-8", "replace"), hashlib.sha256)
        given = str(proof.get("signature"))
        if not hmac.compare_digest(ours.hexdigest(), given.encode("ascii", "replace").decode()):
            raise Forged("Its signature is wrong.")

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        yield from objects(json_of(posted))

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        data = event["event-data"]
        reason = str(data.get("reason") or "")
        because = {
            "suppress-bounce": What.HARD_BOUNCE,
            "suppress-complaint": What.COMPLAINED,
            "suppress-unsubscribe": What.UNSUBSCRIBED,
        }.get(reason)
        heard = self._view.esp_to_anymail_event(event)
        if because:  # Mailgun calls that a failure for good, and has not tried
            heard.event_type = "rejected"
        # its token is one of each request: a second one about the same event has another
        heard.event_id = f"{data.get('timestamp')}.{data['id']}"
        return told(heard, gone=None, about=data, because=because)


class SendGridHearing(Hearing):
    settings = (
        Setting(
            "verification_key",
            _("Verification key of the event webhook"),
            help=_(
                "Proves that an event comes from SendGrid. Switch on Signed Event Webhook there."
            ),
        ),
    )
    paste = _(
        "SendGrid: Settings, Mail settings, Event webhooks. Choose the events of delivery and of"
        " engagement, and the signature."
    )
    _view = reader(SendGridTrackingWebhookView)
    _BECAUSE = {
        "bounced address": What.HARD_BOUNCE,
        "invalid": What.HARD_BOUNCE,
        "spam reporting address": What.COMPLAINED,
        "unsubscribed address": What.UNSUBSCRIBED,
    }

    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        key = str(settings.get("verification_key") or "")
        if not key:
            raise Forged(NO_KEY)
        stamp = posted.headers.get("X-Twilio-Email-Event-Webhook-Timestamp") or ""
        proof = posted.headers.get("X-Twilio-Email-Event-Webhook-Signature") or ""
        try:
            public = load_der_public_key(base64.b64decode(key))
        except ValueError as error:
            raise Forged("The account's verification key is no key. Copy it again.") from error
        if not isinstance(public, ec.EllipticCurvePublicKey):
            raise Forged("The account's verification key is no key of SendGrid. Copy it again.")
        try:
            signed = stamp.encode("utf-8", "replace") + posted.body
            given = base64.b64decode(proof, validate=True)
            public.verify(given, signed, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, ValueError) as error:
            raise Forged("Its signature is missing or wrong.") from error

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        found = json_of(posted)
        if not isinstance(found, list):
            raise Unreadable("Its body is no list of events.")
        yield from objects(found)

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        gone = None
        if event.get("event") == "bounce":  # a "blocked" one may pass
            gone = event.get("type", "bounce") == "bounce"
        because = None
        if event.get("event") == "dropped":
            because = self._BECAUSE.get(str(event.get("reason") or "").lower())
        return told(self._view.esp_to_anymail_event(event), gone=gone, about=event, because=because)

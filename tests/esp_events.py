"""What ESPs post about a mail, in each one's own language and with its own proof."""

import base64
import datetime as dt
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ESPS = ("amazon_ses", "brevo", "mailgun", "postmark", "sendgrid")
TOPIC = "arn:aws:sns:eu-west-1:123456789012:carillon"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0a1b2c.pem"
SIGNING_KEY = "key-of-mailgun"
SOFT = "552 5.2.2 The mailbox is full"
HARD = "550 5.1.1 No such user here"
WHEN = 1_764_600_000
_SENDGRID = ec.generate_private_key(ec.SECP256R1())
_AMAZON = rsa.generate_private_key(65537, 2048)


def amazons_certificate() -> bytes:
    """What stands at CERTIFICATE_URL."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(_AMAZON.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=400))
        .sign(_AMAZON, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


def settings_for(esp: str) -> dict[str, str]:
    """What the account needs to believe these."""
    public = _SENDGRID.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "amazon_ses": {"topic": TOPIC},
        "mailgun": {"signing_key": SIGNING_KEY},
        "sendgrid": {"verification_key": base64.b64encode(public).decode()},
    }.get(esp, {})


@dataclass(frozen=True, slots=True)
class Request:
    """One request of an ESP, to the byte."""

    body: bytes
    headers: Mapping[str, str]


def request(
    esp: str, what: str, *, delivery: UUID | None, name: str, to: str, number: int = 1
) -> Request:
    """The request that tells `what` of a mail; `number` tells one event from the next."""
    make = {
        "amazon_ses": _amazon_ses,
        "brevo": _brevo,
        "mailgun": _mailgun,
        "postmark": _postmark,
        "sendgrid": _sendgrid,
    }[esp]
    return make(what, delivery, name, to, number)


def _bytes(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode()


def _amazon_ses(what: str, delivery: UUID | None, name: str, to: str, number: int) -> Request:
    headers = [{"name": "X-Metadata", "value": json.dumps({"delivery": str(delivery)})}]
    if delivery is None:
        headers = []
    mail = {"messageId": name, "destination": [to], "headers": headers}
    bounced = [{"emailAddress": to, "status": "5.1.1", "diagnosticCode": f"smtp; {HARD}"}]
    full = [{"emailAddress": to, "status": "5.2.2", "diagnosticCode": f"smtp; {SOFT}"}]
    kind, own = {
        "delivered": ("Delivery", {"recipients": [to], "smtpResponse": "250 2.0.0 OK"}),
        "deferred": ("DeliveryDelay", {"delayType": "MailboxFull"}),
        "hard_bounce": (
            "Bounce",
            {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": bounced},
        ),
        "soft_bounce": (
            "Bounce",
            {"bounceType": "Transient", "bounceSubType": "MailboxFull", "bouncedRecipients": full},
        ),
        "complained": (
            "Complaint",
            {"complainedRecipients": [{"emailAddress": to}], "complaintFeedbackType": "abuse"},
        ),
        "opened": ("Open", {"userAgent": "Mozilla"}),
        "rejected": ("Reject", {"reason": "Bad content"}),
    }[what]
    field = kind[0].lower() + kind[1:]
    inner = {"eventType": kind, "mail": mail, field: own}
    return signed_by_sns(json.dumps(inner), number=f"{what}-{number}")


def signed_by_sns(message: str, *, number: str, **other: str) -> Request:
    said = {
        "Type": "Notification",
        "MessageId": f"19ba9823-{number}",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-12-01T10:00:00.000Z",
        **other,
    }
    names = sorted(name for name in said)
    signed = "".join(f"{each}\n{said[each]}\n" for each in names).encode()
    proof = _AMAZON.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    said |= {
        "SignatureVersion": "2",
        "Signature": base64.b64encode(proof).decode(),
        "SigningCertURL": CERTIFICATE_URL,
    }
    return Request(_bytes(said), {"x-amz-sns-message-type": said["Type"]})


def _brevo(what: str, delivery: UUID | None, name: str, to: str, number: int) -> Request:
    kind, reason = {
        "delivered": ("delivered", "sent"),
        "deferred": ("deferred", "451 4.2.0 later"),
        "hard_bounce": ("hard_bounce", f" RecipientError: {HARD}"),
        "soft_bounce": ("soft_bounce", SOFT),
        "complained": ("spam", ""),
        "opened": ("unique_opened", ""),
        "rejected": ("blocked", ""),
        "unsubscribed": ("unsubscribe", ""),
    }[what]
    said = {
        "event": kind, "email": to, "id": 99, "message-id": f"<{name}>", "reason": reason,
        "ts_epoch": (WHEN + number) * 1000,
    }  # fmt: skip
    if delivery:
        said["X-Mailin-custom"] = json.dumps({"delivery": str(delivery)})
    return Request(_bytes(said), {})


def _mailgun(what: str, delivery: UUID | None, name: str, to: str, number: int) -> Request:
    own: dict[str, Any] = {
        "delivered": {"event": "delivered"},
        "deferred": {"event": "failed", "severity": "temporary", "reason": "generic"},
        "hard_bounce": {"event": "failed", "severity": "permanent", "reason": "bounce"},
        "soft_bounce": {"event": "failed", "severity": "permanent", "reason": "bounce"},
        "complained": {"event": "complained"},
        "opened": {"event": "opened"},
        "rejected": {"event": "failed", "severity": "permanent", "reason": "suppress-bounce"},
        "unsubscribed": {"event": "unsubscribed"},
    }[what]
    words = {"hard_bounce": HARD, "soft_bounce": SOFT}.get(what, "")
    data = {
        **own, "id": f"id-{what}-{number}", "timestamp": WHEN + number, "recipient": to,
        "message": {"headers": {"message-id": name}},
        "delivery-status": {"message": words, "code": 550},
        "user-variables": {},
    }  # fmt: skip
    if delivery:
        data["user-variables"] = {"delivery": str(delivery)}
    token = hashlib.sha256(f"{what}{number}".encode()).hexdigest()[:50]
    stamp = str(WHEN + number)
    proof = hmac.new(SIGNING_KEY.encode(), f"{stamp}{token}".encode(), "sha256").hexdigest()
    signature = {"token": token, "timestamp": stamp, "signature": proof}
    return Request(_bytes({"signature": signature, "event-data": data}), {})


def _postmark(what: str, delivery: UUID | None, name: str, to: str, number: int) -> Request:
    own: dict[str, Any] = {
        "delivered": {"RecordType": "Delivery", "Recipient": to, "Details": "250 OK"},
        "deferred": {"RecordType": "Bounce", "Type": "Transient", "Email": to},
        "hard_bounce": {
            "RecordType": "Bounce", "Type": "HardBounce", "Email": to, "Details": f"smtp;{HARD}",
        },
        "soft_bounce": {
            "RecordType": "Bounce", "Type": "SoftBounce", "Email": to, "Details": f"smtp;{SOFT}",
        },
        "complained": {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Email": to},
        "opened": {"RecordType": "Open", "Recipient": to},
        "rejected": {"RecordType": "Bounce", "Type": "Blocked", "Email": to},
        "unsubscribed": {
            "RecordType": "SubscriptionChange", "SuppressSending": True, "Recipient": to,
            "SuppressionReason": "ManualSuppression",
        },
    }[what]  # fmt: skip
    said = {**own, "MessageID": name, "ReceivedAt": f"2026-12-01T10:00:{number:02}Z"}
    if delivery:
        said["Metadata"] = {"delivery": str(delivery)}
    return Request(_bytes(said), {})


def _sendgrid(what: str, delivery: UUID | None, name: str, to: str, number: int) -> Request:
    own = {
        "delivered": {"event": "delivered", "response": "250 OK"},
        "deferred": {"event": "deferred", "response": "451 4.2.0 later"},
        "hard_bounce": {"event": "bounce", "type": "bounce", "reason": HARD, "status": "5.1.1"},
        "soft_bounce": {"event": "bounce", "type": "blocked", "reason": SOFT, "status": "5.2.2"},
        "complained": {"event": "spamreport"},
        "opened": {"event": "open"},
        "rejected": {"event": "dropped", "reason": "Bounced Address"},
        "unsubscribed": {"event": "unsubscribe"},
    }[what]
    said: dict[str, Any] = {
        **own, "email": to, "timestamp": WHEN + number, "smtp-id": f"<{name}>", "anymail_id": name,
        "sg_event_id": f"{what}-{number}",
    }  # fmt: skip
    if delivery:
        said["delivery"] = str(delivery)
    body = _bytes([said])
    stamp = str(WHEN)
    proof = _SENDGRID.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(proof).decode(),
    }
    return Request(body, headers)

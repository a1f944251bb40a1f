"""What Amazon SES publishes to a topic of SNS, and how SNS signs it.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import requests
from anymail.webhooks.amazon_ses import AmazonSESTrackingWebhookView
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Setting
from apps.channels.esp.hearing import Hearing, Knows, json_of, reader
from apps.channels.esp.told import Handshake, MailEvent, Unreadable, told
from apps.channels.https.posted import Forged, Posted

_AMAZON = r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/"
_CERTIFICATE = re.compile(_AMAZON + r"SimpleNotificationService-[0-9A-Za-z]{1,64}\.pem")
_CONFIRMATION = re.compile(_AMAZON + r"\?Action=ConfirmSubscription&[\w&=%.:/+-]{1,2000}")
_SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
    ),
}  # fmt: skip
_SIGNED["UnsubscribeConfirmation"] = _SIGNED["SubscriptionConfirmation"]
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {"1": hashes.SHA1, "2": hashes.SHA256}
SECONDS = 10  # for Amazon's certificate


class CertificateAway(OSError):
    """Amazon's certificate could not be fetched: the same request is good later."""


class SesHearing(Hearing):
    settings = (
        Setting(
            "topic",
            _("SNS topic for events"),
            help=_("Its ARN, arn:aws:sns:…: only what this topic publishes is believed."),
        ),
    )
    paste = _(
        "Amazon SNS: the topic, Create subscription, protocol HTTPS. It is confirmed by itself."
        " Then SES: the configuration set, Event destinations, Amazon SNS; choose the topic and all"
        " events."
    )
    _view = reader(AmazonSESTrackingWebhookView)
    # why Amazon itself does not send: its list holds who bounced before
    _gone = {"Permanent": True, "Transient": False}

    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        topic = str(settings.get("topic") or "").strip()
        if not topic:
            raise Forged("The account names no SNS topic. Fill it in on the account's page.")
        message = _message(posted)
        if message.get("TopicArn") != topic:
            raise Forged("It is of another topic than the account's.")
        check_signature(message)

    def handshake(self, posted: Posted) -> Handshake | None:
        message = _message(posted)
        if message["Type"] != "SubscriptionConfirmation":
            return None
        url = str(message.get("SubscribeURL"))
        if not _CONFIRMATION.fullmatch(url):
            raise Forged("It wants to be confirmed at an address that is not Amazon's.")
        return Handshake(url)

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        message = _message(posted)
        if message["Type"] == "Notification":
            yield message

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        inner = json_of(Posted("", {}, str(event["Message"]).encode("utf-8", "replace")))
        if not isinstance(inner, dict):
            return []
        gone = None
        if isinstance(bounce := inner.get("bounce"), dict):
            gone = self._gone.get(str(bounce.get("bounceType")))
        if isinstance(delay := inner.get("deliveryDelay"), dict):
            return _delayed(event, inner, delay)
        found = []
        for each in self._view.esp_to_anymail_events(inner, event):
            found += told(each, gone=gone, about=event)
        return found


def _delayed(
    event: dict[str, Any], inner: dict[str, Any], delay: dict[str, Any]
) -> list[MailEvent]:
    """Read the one kind of event that anymail has no word for."""
    view = reader(AmazonSESTrackingWebhookView)
    found = []
    for each in view.esp_to_anymail_events(inner, event):
        each.event_type = "deferred"
        each.description = str(delay.get("delayType") or "")
        found += told(each, about=event)
    return found


def confirm(asked: Handshake) -> bool:
    """Say yes to a topic that the account names; whether Amazon took it."""
    try:
        reply = requests.get(asked.url, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException:
        return False
    return reply.status_code == 200


def check_signature(message: Mapping[str, Any]) -> None:
    """Compare what SNS signed with the message. Raises Forged, CertificateAway."""
    url = str(message.get("SigningCertURL") or "")
    if not _CERTIFICATE.fullmatch(url):
        raise Forged("It names a certificate that is not Amazon's.")
    how = _HASHES.get(str(message.get("SignatureVersion")))
    if how is None:
        raise Forged("It is signed in a way that we do not know.")
    lines = []
    for name in _SIGNED[message["Type"]]:
        if name in message:
            lines.append(f"{name}\n{message[name]}\n")
    key = key_of(url)
    try:
        proof = base64.b64decode(str(message.get("Signature")), validate=True)
        signed = "".join(lines).encode("utf-8", "replace")
        key.verify(proof, signed, padding.PKCS1v15(), how())
    except (InvalidSignature, ValueError) as error:
        raise Forged("Its signature is wrong.") from error


@lru_cache(maxsize=16)  # Amazon makes a new one about once a year
def key_of(url: str) -> rsa.RSAPublicKey:
    """Fetch the key of a certificate. Raises Forged, CertificateAway."""
    try:
        reply = requests.get(url, timeout=SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        raise CertificateAway(f"Amazon's certificate could not be fetched: {error}") from error
    if 400 <= reply.status_code < 500:
        raise Forged("It names a certificate that Amazon does not have.")
    if reply.status_code != 200:
        raise CertificateAway(f"Amazon's certificate could not be fetched: {reply.status_code}")
    try:
        key = x509.load_pem_x509_certificate(reply.content).public_key()
    except ValueError as error:
        raise Forged("Its certificate can't be read.") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise Forged("Its certificate has no RSA key.")
    return key


def _message(posted: Posted) -> dict[str, Any]:
    found = json_of(posted)
    kinds = list(_SIGNED)  # no dict can look up what is unhashable
    if not isinstance(found, dict) or found.get("Type") not in kinds:
        raise Unreadable("Its body is no message of SNS.")
    return found

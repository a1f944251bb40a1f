"""A provider's requests, signed as the provider does it."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import urlencode

from django.test import Client
from django.urls import reverse
from twilio.request_validator import RequestValidator

from apps.notifications.models import ProviderAccount

PHONE = "+4915112340001"
SECRET = "the-secret-of-the-account"
SETTINGS: dict[str, dict[str, Any]] = {
    "twilio": {"account_sid": "AC01", "auth_token": SECRET, "sender": "+491511"},
    "vonage": {
        "api_key": "ab12",
        "api_secret": "x",
        "signature_secret": SECRET,
        "sender": "+491511",
    },
    "sinch": {
        "service_plan_id": "ab12",
        "api_token": "x",
        "callback_secret": SECRET,
        "sender": "+491511",
    },
}


def signature(signed: bytes, how: Any, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), signed, how).digest()).decode()


def part(said: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


class Phone:
    """Posts as the account's provider does."""

    def __init__(self, client: Client, account: ProviderAccount, site: str) -> None:
        self.client = client
        self.kind = account.provider.removesuffix("_voice")
        self.site = site
        self.path = reverse("subscriptions:sms-answers", args=[account.uid])
        self.text = ""

    def says(self, text: str, *, name: str = "SM1", **how: Any) -> int:
        """A person answers."""
        match self.kind:
            case "twilio":
                return self.posts(
                    {"From": PHONE, "To": "+491511", "Body": text, "MessageSid": name}, **how
                )
            case "vonage":
                return self.posts(
                    {"from": PHONE[1:], "channel": "sms", "text": text, "message_uuid": name}, **how
                )
        return self.posts({"type": "mo_text", "from": PHONE[1:], "body": text, "id": name}, **how)

    def reports(self, delivery: Any, name: str, word: str, code: str = "", **how: Any) -> int:
        """What became of a message, in the provider's word."""
        match self.kind:
            case "twilio":
                form = {"MessageSid": name, "MessageStatus": word, "To": PHONE, "From": "+491511"}
                return self.posts(
                    form | ({"ErrorCode": code} if code else {}),
                    query=f"?delivery={delivery}",
                    **how,
                )
            case "vonage":
                wrong = {
                    "type": f"https://developer.vonage.com/api-errors/messages#{code}",
                    "title": code,
                }
                told = {
                    "message_uuid": name,
                    "status": word,
                    "client_ref": str(delivery),
                    "to": PHONE[1:],
                }
                return self.posts(told | ({"error": wrong} if code else {}), **how)
        told = {
            "type": "recipient_delivery_report_sms",
            "batch_id": name,
            "status": word,
            "code": code or 0,
        }
        return self.posts(told | {"client_reference": str(delivery), "recipient": PHONE[1:]}, **how)

    def posts(
        self,
        said: dict[str, Any],
        *,
        query: str = "",
        altered: bool = False,
        secret: str = SECRET,
        age: int = 0,
    ) -> int:
        stamp = int(time.time()) - age
        kind = "application/json"
        body = json.dumps(said).encode()
        if self.kind == "twilio":
            given = RequestValidator(secret).compute_signature(
                f"{self.site}{self.path}{query}", said
            )
            headers = {"X-Twilio-Signature": given}
            body = urlencode(said).encode()
            kind = "application/x-www-form-urlencoded"
        elif self.kind == "vonage":
            claims = {"iat": stamp, "payload_hash": hashlib.sha256(body).hexdigest()}
            token = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
            sealed = hmac.new(secret.encode(), token.encode(), hashlib.sha256).digest()
            headers = {
                "Authorization": (
                    f"Bearer {token}.{base64.urlsafe_b64encode(sealed).decode().rstrip('=')}"
                )
            }
        else:
            headers = {
                "x-sinch-webhook-signature": signature(
                    body + f".n0nce.{stamp}".encode(), hashlib.sha256, secret
                ),
                "x-sinch-webhook-signature-nonce": "n0nce",
                "x-sinch-webhook-signature-timestamp": str(stamp),
            }
        if altered:
            body = body.replace(PHONE[1:].encode(), b"4915112349999")
        answer = self.client.post(self.path + query, body, content_type=kind, headers=headers)
        self.text = answer.content.decode()
        return answer.status_code

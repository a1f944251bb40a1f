"""Webhooks: one signed POST to a follower's own address (Standard Webhooks 1.0).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

The server belongs to one recipient. Whatever it does wrong is charged to this message and this
address, never to the account, which would keep everybody else waiting. A lost answer is no doubt:
`webhook-id` is the same on every try, and by it receivers know what they have already.
"""

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.https.caller import seconds_of, words_of
from apps.channels.messages import WebhookMessage
from apps.lib import crypto
from apps.lib.network.outside_http import Forbidden, NoAnswer, Outside

SECRET_BYTES = 32  # the standard asks for 24 to 64
# a slow receiver keeps one of them for so many seconds
CONNECTIONS = 8
PATIENCE = 20
BUSY = frozenset({429, 502, 503, 504})  # this receiver wants less
REST_SECONDS = 10.0  # where it does not say how long

# address: until when (monotonic seconds) nobody here calls it;
# shared by the connections of this process
_resting: dict[str, float] = {}


class BadSecret(ValueError):
    """No secret of Standard Webhooks."""


def new_secret() -> str:
    """Secret for one address, shown to its owner once."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def sealed(secret: str, *, old: str = "", old_until: float = 0.0) -> dict[str, Any]:
    """An address's `details`: its secret, encrypted; and the one before, with which we sign too
    until `old_until` (Unix seconds), so that its owner can change it without losing a message.
    """
    details: dict[str, Any] = {"secret": crypto.encrypt(secret)}
    if old:
        details |= {"old_secret": old, "old_until": old_until}
    return details


def signatures(
    *, name: str, timestamp: int, body: bytes, shared: Sequence[str], key: str = ""
) -> str:
    """The header webhook-signature: one v1 for each shared secret (whsec_…),
    one v1a with the key (whsk_…).

    Raises BadSecret.
    """
    signed = f"{name}.{timestamp}.".encode() + body
    found = [
        "v1,"
        + base64.b64encode(
            hmac.new(_bytes(each, "whsec_"), signed, hashlib.sha256).digest()
        ).decode()
        for each in shared
    ]
    if key:
        found.append("v1a," + base64.b64encode(_key(key).sign(signed)).decode())
    return " ".join(found)


def new_key() -> str:
    """Key that signs for all addresses."""
    return "whsk_" + base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def public_key(key: str) -> str:
    """What receivers check v1a with (whpk_…). Raises BadSecret."""
    return "whpk_" + base64.b64encode(_key(key).public_key().public_bytes_raw()).decode()


def _key(text: str) -> Ed25519PrivateKey:
    raw = _bytes(text, "whsk_")
    if len(raw) not in (32, 64):  # the seed, or the seed and its public key behind it
        raise BadSecret(gettext("An Ed25519 key has 32 bytes."))
    return Ed25519PrivateKey.from_private_bytes(raw[:32])


def _bytes(text: str, prefix: str) -> bytes:
    try:
        raw = base64.b64decode(text.removeprefix(prefix), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not text.startswith(prefix) or not raw:
        said = gettext("It must be {prefix} and base64 behind it.")
        raise BadSecret(said.format(prefix=prefix))
    return raw


def name_of(delivery: UUID) -> str:
    """The header webhook-id."""
    return f"msg_{delivery.hex}"


class StandardWebhooks(Provider):
    key = "webhook"
    channel = "webhook"
    label = "Webhooks"
    settings = (
        Setting(
            "signing_key",
            _("Ed25519 key"),
            kind="secret",
            help=_(
                "whsk_… to sign with (v1a) beside each address's own secret; empty = one is made."
            ),
        ),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=PATIENCE),
        Setting("connections", _("Parallel requests"), kind="integer", default=CONNECTIONS),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "WebhookSession":
        if key := str(settings.get("signing_key") or ""):
            try:
                public_key(key)
            except BadSecret as error:
                said = gettext("The Ed25519 key can't be used. {why}").format(why=error)
                raise BadSettings(said) from error
        return WebhookSession(settings)

    @classmethod
    def completed(cls, settings: Mapping[str, Any], *, before: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the key where there is none."""
        return {**settings, "signing_key": settings.get("signing_key") or new_key()}

    @classmethod
    def shown(cls, settings: Mapping[str, Any]) -> dict[str, str]:
        if settings.get("signing_key"):
            return {gettext("Public key"): public_key(str(settings["signing_key"]))}
        return {}

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)


class WebhookSession(Session[WebhookMessage]):
    """Keeps connections to the receivers it met last."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._key = str(settings.get("signing_key") or "")
        self._outside = Outside(timeout=float(settings.get("timeout") or PATIENCE))

    def send(self, message: WebhookMessage) -> Outcome:
        if (rest := _resting.get(message.url, 0.0) - time.monotonic()) > 0:
            return Outcome(Result.TRANSIENT, "The receiver asked us to wait.", retry_after=rest)
        now = int(time.time())
        try:
            body = _body(message)
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "Carillon",
                "webhook-id": name_of(message.delivery),
                "webhook-timestamp": str(now),
                "webhook-signature": signatures(
                    name=name_of(message.delivery),
                    timestamp=now,
                    body=body,
                    shared=_shared(message.details, now),
                    key=self._key,
                ),
            }
        except (BadSecret, crypto.Undecryptable) as error:  # ours to mend; until then it waits
            return Outcome(Result.TRANSIENT, f"The message can't be signed: {error}")
        except ValueError as error:
            return Outcome(
                Result.PERMANENT_CONTENT, f"The message can't be written as JSON: {error}"
            )
        try:
            reply = self._outside.post(message.url, body, headers)
        except Forbidden as error:
            return Outcome(Result.PERMANENT_RECIPIENT, str(error), remedy=Remedy.FAILING)
        except NoAnswer as error:
            return Outcome(Result.TRANSIENT, str(error), remedy=Remedy.FAILING)
        return _read(message.url, reply.status, reply.headers, reply.text)

    def close(self) -> None:
        self._outside.close()


def _body(message: WebhookMessage) -> bytes:
    said = {"type": message.type, "timestamp": message.timestamp.isoformat(), "data": message.data}
    return json.dumps(said, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _shared(details: Mapping[str, Any], now: float) -> list[str]:
    found = [details.get("secret")]
    if float(details.get("old_until") or 0) > now:
        found.append(details.get("old_secret"))
    opened = [str(crypto.decrypt(str(each))) for each in found if each]
    if not opened:
        raise BadSecret("The address has no secret.")
    return opened


def _read(url: str, status: int, headers: Mapping[str, str], text: str) -> Outcome:
    detail = " ".join(f"{status} {words_of(text)}".split())
    if 200 <= status < 300:
        return Outcome(Result.ACCEPTED, str(status))
    if status == 410:
        return Outcome(Result.PERMANENT_RECIPIENT, detail, remedy=Remedy.GONE)
    after = seconds_of(headers.get("retry-after"))
    if status in BUSY:
        seconds = after
        if seconds is None:
            seconds = REST_SECONDS
        _rest(url, seconds)
    return Outcome(Result.TRANSIENT, detail, retry_after=after, remedy=Remedy.FAILING)


def _rest(url: str, seconds: float) -> None:
    now = time.monotonic()
    if len(_resting) > 1000:
        for old in [each for each, until in list(_resting.items()) if until < now]:
            _resting.pop(old, None)
    _resting[url] = now + seconds

"""Web push (RFC 8030): to browsers, through the push service that each of them named,
with keys of our own.

There is nobody to have an account with. An account here is a key pair: browsers subscribe with its
public half and take messages from no other, so a changed key needs the old one until they have
subscribed anew.
"""

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import requests
from django.conf import settings as site
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Outcome, Provider, Remedy, Result, Session, Setting
from apps.channels.https.caller import Caller, check
from apps.channels.https.wire import Body, Wire
from apps.channels.messages import PushMessage
from apps.channels.push.endpoints import BadEndpoint, origin_of
from apps.channels.push.payload import LONGEST_TTL, as_json, unsendable
from apps.channels.push.web_push_encryption import (
    LONGEST,
    BadKeys,
    Browser,
    Vapid,
    encrypt,
    new_private_key,
)
from apps.lib.network.outside_http import Forbidden

CONNECTIONS = 10  # each waits for an answer most of the time
# RFC 8292 2: a day at most. Signing takes 0.1 ms and some services count requests by token,
# so one is used for hours.
TOKEN_SECONDS = 12 * 3600
TOKEN_USED = 6 * 3600
# Of a subscription that was made with another key, or of ours being wrong:
# one answer does not tell (sending/key_refusals.py).
KEY_REFUSED = (400, 401, 403)
LONGEST_TOPIC = 32  # letters of base64url (RFC 8030 5.4)

_URGENCY = {True: "high", False: "normal"}  # iOS shows nothing below high at once


class WebPush(Provider):
    key = "web_push"
    channel = "web_push"
    label = "Web push"
    settings = (
        Setting(
            "subject",
            _("Contact"),
            required=True,
            help=_("mailto:… or https://…: whom push services may write to."),
        ),
        Setting(
            "private_key",
            _("Private key"),
            kind="secret",
            lines=True,
            help=_("VAPID. Empty = a new one is made."),
        ),
        Setting(
            "previous_key",
            _("Previous private key"),
            kind="secret",
            lines=True,
            help=_(
                "For browsers that subscribed with it. Kept by itself when the key above changes."
            ),
        ),
        Setting("renew", _("Make a new key pair now"), kind="flag", default=False),
        Setting("timeout", _("Seconds to wait for an answer"), kind="integer", default=30),
        Setting("connections", _("Parallel requests"), kind="integer", default=CONNECTIONS),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "WebPushSession":
        check(cls, settings)
        subject = str(settings.get("subject"))
        if not subject.startswith(("mailto:", "https://")):
            raise BadSettings(
                gettext("The contact must begin with mailto: or https:// (RFC 8292).")
            )
        return WebPushSession(settings, keys_of(settings), subject)

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return int(settings.get("connections") or CONNECTIONS)

    @classmethod
    def completed(cls, settings: Mapping[str, Any], *, before: Mapping[str, Any]) -> dict[str, Any]:
        """Makes the key pair where there is none, and keeps the one that a new one replaces."""
        done = dict(settings)
        old = before.get("private_key")
        if done.get("renew") or not done.get("private_key"):
            done["private_key"] = new_private_key()
        if old and old != done["private_key"]:
            done["previous_key"] = old
        return done | {"renew": False}

    @classmethod
    def shown(cls, settings: Mapping[str, Any]) -> dict[str, str]:
        return {gettext("Public key"): public_key_of(settings)}


def keys_of(settings: Mapping[str, Any]) -> list[Vapid]:
    """The key for new subscriptions, then the one before it. Raises BadSettings."""
    given = [settings.get("private_key"), settings.get("previous_key")]
    try:
        return [Vapid.read(str(text)) for text in given if text]
    except BadKeys as error:
        raise BadSettings(
            gettext("A private key can't be used. {why}").format(why=error)
        ) from error


def public_key_of(settings: Mapping[str, Any]) -> str:
    """What a browser subscribes with. Raises BadSettings."""
    return keys_of(settings)[0].public


class WebPushSession(Caller, Session[PushMessage]):
    """A connection that is kept to each push service."""

    doubtful = (
        frozenset()
    )  # a second one takes the first one's place, waiting (Topic) and shown (tag)

    def __init__(self, settings: Mapping[str, Any], keys: list[Vapid], subject: str) -> None:
        super().__init__(WebPush, settings)
        self.keys = keys
        self.subject = subject
        self.wire = Wire(outside=True)
        self._signed: dict[
            tuple[str, str], tuple[float, str]
        ] = {}  # by origin and key: until when it is used

    def send(self, message: PushMessage) -> Outcome:
        content = content_of(message)
        if never := unsendable(message, content, largest=LONGEST):
            return never
        details = message.details
        try:
            origin = origin_of(message.token, site.PUSH_SERVICES)
            browser = Browser.read(str(details.get("p256dh") or ""), str(details.get("auth") or ""))
        except (BadEndpoint, BadKeys) as error:
            return Outcome(Result.PERMANENT_RECIPIENT, f"The subscription can't be used: {error}")
        theirs = details.get("server_key") or self.keys[0].public
        key = next((key for key in self.keys if key.public == theirs), None)
        if key is None:
            said = (
                "The browser subscribed with a key that this account does not have. It has to"
                " subscribe again."
            )
            return Outcome(Result.PERMANENT_RECIPIENT, said)
        headers = headers_of(message) | {"Authorization": self._authorization(origin, key)}
        self.wire.body = Body()
        try:
            response = self.wire.post(
                message.token,
                data=encrypt(as_json(content), browser),
                headers=headers,
                timeout=self.patience,
            )
        except Forbidden as error:
            return Outcome(Result.PERMANENT_RECIPIENT, str(error))
        except requests.RequestException as error:
            return _not_ours(self.broken(error))
        if response.status_code in (200, 201, 202, 204):
            place = response.headers.get("Location", "")
            return Outcome(Result.ACCEPTED, str(response.status_code), provider_id=place)
        return self.refused(response.status_code, response.headers, response.text)

    def refused(self, status: int, headers: Mapping[str, str], text: str) -> Outcome:
        """The subscription goes where its service says that it is dead, and for no other reason."""
        said = self.clean(f"{status} {text}")
        if status in (404, 410):
            return Outcome(Result.PERMANENT_RECIPIENT, said, remedy=Remedy.GONE)
        if status == 413:
            return Outcome(Result.PERMANENT_CONTENT, said)
        if status in KEY_REFUSED:
            return Outcome(Result.TRANSIENT, said, key_refused=True)
        return _not_ours(super().refused(status, headers, text))

    def _authorization(self, origin: str, key: Vapid) -> str:
        until, text = self._signed.get((origin, key.public), (0.0, ""))
        if time.time() >= until:
            expires = int(time.time()) + TOKEN_SECONDS
            text = key.signed(audience=origin, subject=self.subject, expires=expires)
            self._signed[origin, key.public] = (time.time() + TOKEN_USED, text)
        return text

    def judge(self, words: str) -> Result:
        return Result.PERMANENT_CONTENT

    def body(self) -> Body:
        return self.wire.body

    def close(self) -> None:
        self.wire.close()


def _not_ours(outcome: Outcome) -> Outcome:
    """A push service that is away or wants less is one browser's,
    and the others are reached as before: only this message waits.
    """
    if outcome.result in (Result.ACCOUNT, Result.THROTTLED, Result.TRANSIENT):
        return replace(outcome, result=Result.TRANSIENT, charged=True)
    return outcome


def content_of(message: PushMessage) -> dict[str, Any]:
    """What the service worker shows. One with the same tag takes the place of the one before."""
    parts = {
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "image": message.image,
        "tag": message.collapse,
        "delivery": str(message.delivery),
    }
    return {name: words for name, words in parts.items() if words}


def headers_of(message: PushMessage) -> dict[str, str]:
    if message.ttl is None:
        ttl = LONGEST_TTL
    else:
        ttl = min(message.ttl, LONGEST_TTL)
    headers = {
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(ttl),
        "Urgency": _URGENCY[message.urgent],
    }
    if message.collapse:
        headers["Topic"] = message.collapse[:LONGEST_TOPIC]
    return headers

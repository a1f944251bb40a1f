"""What ESPs post about mails that went to them by SMTP: the account is one of an SMTP server, and
a header of each mail tells the ESP our name of it.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import UUID

from anymail.webhooks.mailjet import MailjetTrackingWebhookView
from anymail.webhooks.mailtrap import MailtrapTrackingWebhookView
from anymail.webhooks.mandrill import MandrillCombinedWebhookView
from anymail.webhooks.sparkpost import SparkPostTrackingWebhookView
from django.utils.translation import gettext_noop as _

from apps.channels.contract import Provider
from apps.channels.esp.hearing import Hearing, Knows, json_of, objects, reader
from apps.channels.esp.listeners import NO_KEY, ByPassword
from apps.channels.esp.session import Esp
from apps.channels.esp.told import Handshake, MailEvent, Unreadable, told
from apps.channels.https.posted import Forged, Posted


class Relay(Hearing):
    """An ESP's way to tell of mails that it took by SMTP."""

    header: ClassVar[str]

    def heard(
        self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows
    ) -> list[MailEvent] | Handshake:
        """Read what was posted, by our name of a mail alone: the ESP's is not what its server
        answered. Raises Forged, Unreadable.
        """
        found = super().heard(settings, posted, knows=knows)
        if isinstance(found, Handshake):
            return found
        return [replace(each, name="") for each in found]

    def named(self, delivery: UUID) -> dict[str, str]:
        """The header by which it names a mail in its events."""
        return {self.header: json.dumps({"delivery": str(delivery)})}


class MailjetHearing(Relay, ByPassword):
    header = "X-MJ-EventPayload"
    paste = _("Mailjet: Account settings, Event notifications. Choose all events.")
    _view = reader(MailjetTrackingWebhookView)

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        gone = None
        if event.get("event") == "bounce":
            gone = bool(event.get("hard_bounce"))
        heard = self._view.esp_to_anymail_event(event)
        heard.mta_response = event.get("comment") or event.get("error")
        return told(heard, gone=gone, about=event)


class SparkPostHearing(Relay, ByPassword):
    header = "X-MSYS-API"
    paste = _("SparkPost: Configuration, Webhooks. Choose all events.")
    _view = reader(SparkPostTrackingWebhookView)
    # bounce classes: an address that nobody has, and a domain that is none
    _gone = {"10": True, "30": True}

    def named(self, delivery: UUID) -> dict[str, str]:
        return {self.header: json.dumps({"metadata": {"delivery": str(delivery)}})}

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        kind, inner, whole = self._view.unwrap_event(event)
        if inner is None:  # it tries the address
            return []
        gone = None
        if inner.get("type") in ("bounce", "out_of_band"):
            gone = self._gone.get(str(inner.get("bounce_class")), False)
        return told(self._view.esp_to_anymail_event(kind, inner, whole), gone=gone, about=inner)


class MailtrapHearing(Relay, ByPassword):
    header = "X-MT-Custom-Variables"
    paste = _("Mailtrap: Settings, Webhooks. Choose all events.")
    _view = reader(MailtrapTrackingWebhookView)
    _gone = {"bounce": True, "soft bounce": False}

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        found = json_of(posted)
        if not isinstance(found, dict):
            raise Unreadable("Its body is no list of events.")
        yield from objects(found.get("events", []))

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        gone = self._gone.get(str(event["event"]))
        return told(self._view.esp_to_anymail_event(event), gone=gone, about=event)


class MandrillHearing(Relay):
    """Mailchimp Transactional. It signs our address and the whole form."""

    header = "X-MC-Metadata"
    paste = _("Mandrill: Settings, Webhooks. Choose all events, and copy the key of the webhook.")
    _view = reader(MandrillCombinedWebhookView)
    _gone = {"hard_bounce": True, "soft_bounce": False}

    def check(self, settings: Mapping[str, Any], posted: Posted, *, knows: Knows) -> None:
        key = str(settings.get("events_key") or "")
        if not key:
            raise Forged(NO_KEY)
        form = dict(parse_qsl(posted.body.decode("utf-8", "replace"), keep_blank_values=True))
        signed = posted.url + "".join(f"{name}{form[name]}" for name in sorted(form))
        ours = hmac.new(key.encode(), signed.encode("utf-8", "replace"), hashlib.sha1)
        given = posted.headers.get("X-Mandrill-Signature") or ""
        wanted = base64.b64encode(ours.digest())
        if not hmac.compare_digest(wanted, given.encode("utf-8", "replace")):
            raise Forged("Its signature is missing or wrong.")

    def events(self, posted: Posted) -> Iterator[dict[str, Any]]:
        form = dict(parse_qsl(posted.body.decode("utf-8", "replace"), keep_blank_values=True))
        body = form.get("mandrill_events", "").encode("utf-8", "replace")
        yield from objects(json_of(Posted(posted.url, posted.headers, body)))

    def told(self, event: dict[str, Any]) -> list[MailEvent]:
        if "msg" not in event:  # its list of whom it blocks, or a mail that came in
            return []
        gone = self._gone.get(str(event.get("event")))
        heard = self._view.mandrill_tracking_to_anymail_event(event)
        return told(heard, gone=gone, about=event)


RELAYS: Mapping[str, Relay] = {
    "mailjet": MailjetHearing(),
    "mailtrap": MailtrapHearing(),
    "mandrill": MandrillHearing(),
    "sparkpost": SparkPostHearing(),
}


def hearing_of(kind: type[Provider], settings: Mapping[str, Any]) -> Hearing | None:
    """How the ESP of an account tells what became of mails; None where nobody does."""
    if issubclass(kind, Esp):
        return kind.hearing
    return RELAYS.get(str(settings.get("relay") or ""))


def naming_header(settings: Mapping[str, Any], delivery: UUID) -> dict[str, str]:
    """The header by which the ESP behind an account's SMTP server names a mail; none for others."""
    relay = RELAYS.get(settings.get("relay") or "")
    if relay is None:
        return {}
    return relay.named(delivery)

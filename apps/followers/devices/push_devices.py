"""Phones and browsers for push: each registers itself, says again that it is there, and goes when
it is dead.

What is dead only the push service knows, and it says so in one way (Remedy.GONE). Nothing else
takes a device away: an outage, a refused account or a slow answer say nothing about it.
"""

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext

from apps.channels.push.endpoints import BadEndpoint, origin_of
from apps.channels.push.web_push_encryption import BadKeys, Browser
from apps.followers.consent import tombstones
from apps.followers.models import Address, AddressState, Channel, Follower
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import NOT_FOUND, RefusalKind

MOST = 100  # of one follower: each of them gets every message
BATCH = 500  # idle ones that go at a time
CHANNELS = (Channel.PUSH, Channel.WEB_PUSH)
SERVICES = ("fcm", "apns")
ENVIRONMENTS = ("production", "sandbox")

_TOKEN = {
    "fcm": re.compile(r"[\w:.~-]{1,2000}", re.ASCII),
    "apns": re.compile(r"([0-9a-f]{2}){16,100}"),
}
_WORD = re.compile(r"[\w.-]{0,150}", re.ASCII)  # a bundle id or a platform
_SERVER_KEY = re.compile(r"[\w-]{87}|", re.ASCII)
_LONGEST_LABEL = 200


class BadDevice(BadFollower):
    """A device that nothing can be sent to. `field` names what is wrong with it."""


class TooManyDevices(BadDevice):
    """The follower has as many as one may have."""

    kind = RefusalKind.STATE

    def __init__(self) -> None:
        said = gettext(
            "This follower has {count} devices already. Remove one that is not used any more."
        )
        super().__init__(said.format(count=MOST), field="token")


@dataclass(frozen=True, slots=True)
class AppDevice:
    """An app on a phone, by its registration token with the service (fcm, apns).

    APNs knows a token in one `environment` only (production, sandbox) and for one `topic` (the
    app's bundle id; "" is the account's).
    """

    service: str
    token: str
    environment: str = "production"
    topic: str = ""
    platform: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class BrowserDevice:
    """A browser, by its push subscription as `PushSubscription.toJSON()` has it.

    `server_key` is the public key it subscribed with (`applicationServerKey`, base64url): it takes
    messages from no other. "" where only one was ever used.
    """

    endpoint: str
    p256dh: str
    auth: str
    server_key: str = ""
    label: str = ""


class _Checked(NamedTuple):
    channel: Channel
    value: str
    via: str
    details: dict[str, Any]


def key_of(value: str) -> str:
    """Give what makes a token or an endpoint unique: they are longer than an index likes."""
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()


def devices_of(follower: Follower) -> QuerySet[Address]:
    """Give the follower's devices that are alive, the one that was seen last first."""
    rows = follower.addresses.filter(channel__in=CHANNELS).exclude(state=AddressState.GONE)
    return rows.order_by("-seen_at", "-pk")


# ------------------------------------------------------------------ coming
def register_app(*, follower: Follower, app: AppDevice, by: Actor, now: dt.datetime) -> Address:
    """Register an app, at each of its starts. Raises BadDevice, TooManyDevices, Erased."""
    return _register(follower, _checked_app(app), by, now)


def register_browser(
    *, follower: Follower, browser: BrowserDevice, by: Actor, now: dt.datetime
) -> Address:
    """Register a browser, at each visit. Raises BadDevice, TooManyDevices, Erased."""
    return _register(follower, _checked_browser(browser), by, now)


def _checked_app(app: AppDevice) -> _Checked:
    token = app.token.strip()
    if app.service == "apns":
        token = token.lower()
    if app.service not in SERVICES:
        said = gettext("There is no service {service!r}. Known: {services}.")
        words = {"service": app.service[:40], "services": ", ".join(SERVICES)}
        raise BadDevice(said.format(**words), field="service")
    if not _TOKEN[app.service].fullmatch(token):
        said = gettext(
            "This is no registration token of {service}: it has other letters, or too many."
        )
        raise BadDevice(said.format(service=app.service), field="token")
    if app.environment not in ENVIRONMENTS:
        said = gettext("The environment is one of: {environments}.")
        known = ", ".join(ENVIRONMENTS)
        raise BadDevice(said.format(environments=known), field="environment")
    for name, value in (("topic", app.topic), ("platform", app.platform)):
        if not _WORD.fullmatch(value):
            said = gettext(
                "The {field} has other than letters, digits, dots and hyphens, or more than 150."
            )
            raise BadDevice(said.format(field=name), field=name)
    details = {"platform": app.platform, "label": _label(app.label)}
    if app.service == "apns":
        details |= {"environment": app.environment, "topic": app.topic}
    return _Checked(Channel.PUSH, token, app.service, details)


def _checked_browser(browser: BrowserDevice) -> _Checked:
    endpoint = browser.endpoint.strip()
    if len(endpoint) > 2000:
        raise BadDevice(gettext("The endpoint is longer than 2,000 characters."), field="endpoint")
    try:
        origin_of(endpoint, settings.PUSH_SERVICES)
    except BadEndpoint as error:
        raise BadDevice(str(error), field="endpoint", cause=NOT_FOUND) from error
    try:
        Browser.read(browser.p256dh, browser.auth)
    except BadKeys as error:
        said = gettext("The keys can't be used: {error}")
        raise BadDevice(said.format(error=error), field="keys", cause=NOT_FOUND) from error
    server_key = browser.server_key.strip().rstrip("=")
    if not _SERVER_KEY.fullmatch(server_key):
        raise BadDevice(gettext("The public key is 65 bytes in base64url."), field="server_key")
    details = {
        "p256dh": browser.p256dh.strip(),
        "auth": browser.auth.strip(),
        "server_key": server_key,
        "label": _label(browser.label),
    }
    return _Checked(Channel.WEB_PUSH, endpoint, "", details)


def _label(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:_LONGEST_LABEL]


class _Moved(Exception):
    """The device has come to somebody else since it was looked for."""


def _register(follower: Follower, device: _Checked, by: Actor, now: dt.datetime) -> Address:
    """Give the device's row; whoever comes last has it."""
    while True:
        try:
            # from the beginning, with no lock left: its new holder may have to be locked first
            with transaction.atomic():
                return _registered(follower, device, by, now)
        except _Moved:
            continue


def _registered(follower: Follower, device: _Checked, by: Actor, now: dt.datetime) -> Address:
    """Give the device's row. Raises _Moved.

    A device that is known is seen again, and alive again; another follower's changes hands: the old
    row is deleted and not moved, because what waits there was written to somebody else.
    """
    key = key_of(device.value)
    fresh: dict[str, Any] = {
        "via": device.via,
        "details": device.details,
        "seen_at": now,
        "state": AddressState.ACTIVE,
    }
    rows = Address.objects.filter(channel=device.channel, key=key)
    # whoever has it and whoever gets it, in order: two that swap would wait for each other
    held = {follower.pk, *rows.values_list("follower_id", flat=True)}
    people = Follower.objects.select_for_update(no_key=True).filter(pk__in=held).order_by("pk")
    locked = {person.pk: person for person in people}
    if follower.pk not in locked:
        raise Follower.DoesNotExist
    follower = locked[follower.pk]
    tombstones.refuse_leaving(follower)
    known = rows.select_related("follower").first()
    if known and known.follower_id not in held:
        raise _Moved
    if known and known.follower_id != follower.pk:
        _remove(known, "registered by another follower", by, now)
        known = None
    new = known is None or known.state == AddressState.GONE
    if new and devices_of(follower).count() >= MOST:
        raise TooManyDevices
    if known is None:
        try:
            with transaction.atomic():
                known = Address.objects.create(
                    follower=follower,
                    channel=device.channel,
                    value=device.value,
                    key=key,
                    primary=False,
                    created_at=now,
                    **fresh,
                )
        except IntegrityError as error:
            raise _Moved from error
    else:
        # Not locked before: a sender that books a refusal locks deliveries and then the
        # address, and a removal does so too.
        if not Address.objects.filter(pk=known.pk).update(**fresh):
            raise _Moved
        for name, value in fresh.items():
            setattr(known, name, value)
    if new:
        _tell_about(Kind.DEVICE_REGISTERED, known, by=by, now=now)
    return known


# ------------------------------------------------------------------ going
def unregister(*, device: Address, by: Actor, now: dt.datetime) -> None:
    """Forget the device, at a person's word or at logout of an app.

    Messages that wait for it are skipped.
    """
    with transaction.atomic():
        _remove(device, "removed", by, now)


def gone(
    *, channel: str, value: str, since: float | None = None, by: Actor = SYSTEM, now: dt.datetime
) -> bool:
    """Take away the device whose token or endpoint the service calls dead; says whether it did.

    One that was registered again after `since` (Unix seconds), when the service noticed, stays;
    APNs tells it. The row stays as a tombstone: its deliveries refer to it, and the same token may
    come back to life.
    """
    with transaction.atomic():
        rows = Address.objects.filter(channel=channel, key=key_of(value))
        rows = rows.exclude(state=AddressState.GONE).select_related("follower")
        row = rows.select_for_update(no_key=True, of=("self",)).first()
        if row is None:
            return False
        seen_at = row.seen_at or row.created_at
        if since is not None and seen_at.timestamp() > since:
            return False
        Address.objects.filter(pk=row.pk).update(state=AddressState.GONE)
        why = "the service says that it is dead"
        _tell_about(Kind.DEVICE_GONE, row, by=by, now=now, why=why)
    return True


def forget_idle(*, now: dt.datetime) -> int:
    """Tick: delete devices, dead ones too, that were silent for DEVICE_IDLE_DAYS; says how many.

    Services go on taking messages for a phone that lies in a drawer.
    Google calls a token stale after 270 days.
    """
    if not settings.DEVICE_IDLE_DAYS:
        return 0
    before = now - dt.timedelta(days=settings.DEVICE_IDLE_DAYS)
    idle = Address.objects.filter(channel__in=CHANNELS, seen_at__lt=before)
    rows = list(idle.select_related("follower").order_by("seen_at")[:BATCH])
    # a transaction each: with many rows in one, a sender that books refusals could wait in a ring
    for row in rows:
        with transaction.atomic():
            why = f"not seen since {row.seen_at:%Y-%m-%d}"
            _remove(row, why, SYSTEM, now, seen_at=row.seen_at)
    return len(rows)


def _remove(row: Address, why: str, by: Actor, now: dt.datetime, **still: Any) -> None:
    deleted = Address.objects.filter(pk=row.pk, **still).delete()[0]
    if deleted and row.state != AddressState.GONE:
        _tell_about(Kind.DEVICE_GONE, row, by=by, now=now, why=why)


def _tell_about(
    kind: Kind, row: Address, *, by: Actor, now: dt.datetime, why: str | None = None
) -> None:
    """Tell the fact of the follower; the token is no business of the history's readers."""
    with translation.override("en"):  # facts are kept in one language
        device = row.label
    data = {"channel": row.channel, "via": row.via, "device": device}
    if why is not None:
        data["why"] = why
    tell(kind, by=by, now=now, about=row.follower, data=data)

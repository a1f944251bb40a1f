"""Phones and browsers: each registers itself, says again and again that it is there,
and goes when it is dead.

What is dead only the push service knows, and it says so in one way (Remedy.GONE). Nothing else
takes a device away: an outage, a refused account or a slow answer say nothing about it.
"""

import datetime as dt
import hashlib
import re
from typing import Any, NamedTuple

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from apps.channels.push.endpoints import BadEndpoint, origin_of
from apps.channels.push.web_push_encryption import BadKeys, Browser
from apps.followers.models import Address, AddressState, Channel, Follower
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell

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
_LONGEST_LABEL = 200


class BadDevice(BadFollower):
    """A device that nothing can be sent to. `field` names what is wrong with it."""


class TooManyDevices(BadDevice):
    """The follower has as many as one may have."""

    def __init__(self) -> None:
        super().__init__(
            f"This follower has {MOST} devices already. Remove one that is not used any more.",
            field="token",
        )


class _Device(NamedTuple):
    channel: Channel
    value: str
    via: str
    details: dict[str, Any]


def key_of(value: str) -> str:
    """What makes a token or an endpoint unique: they are longer than an index likes."""
    return "sha256:" + hashlib.sha256(value.encode()).hexdigest()


def devices_of(follower: Follower) -> QuerySet[Address]:
    """Those that are there, the one that was seen last first."""
    rows = follower.addresses.filter(channel__in=CHANNELS).exclude(state=AddressState.GONE)
    return rows.order_by("-seen_at", "-pk")


# ------------------------------------------------------------------ coming
def register_app(
    *,
    follower: Follower,
    service: str,
    token: str,
    environment: str = "production",
    topic: str = "",
    platform: str = "",
    label: str = "",
    by: Actor,
    now: dt.datetime,
) -> Address:
    """An app on a phone, by its registration token with the service (fcm, apns).

    APNs knows a token in one `environment` only (production, sandbox) and for one `topic` (the
    app's bundle id; "" is the account's). An app calls this at each start. Raises BadDevice,
    TooManyDevices; see `_register`.
    """
    if service == "apns":
        token = token.strip().lower()
    else:
        token = token.strip()
    if service not in SERVICES:
        raise BadDevice(
            f"There is no service {service[:40]!r}. Known: {', '.join(SERVICES)}.", field="service"
        )
    if not _TOKEN[service].fullmatch(token):
        raise BadDevice(
            f"This is no registration token of {service}: it has other letters, or too many.",
            field="token",
        )
    if environment not in ENVIRONMENTS:
        raise BadDevice(
            f"The environment is one of: {', '.join(ENVIRONMENTS)}.", field="environment"
        )
    for name, value in (("topic", topic), ("platform", platform)):
        if not _WORD.fullmatch(value):
            raise BadDevice(
                f"The {name} has other than letters, digits, dots and hyphens, or more than 150.",
                field=name,
            )
    details = {"platform": platform, "label": _label(label)}
    if service == "apns":
        details |= {"environment": environment, "topic": topic}
    return _register(follower, _Device(Channel.PUSH, token, service, details), by, now)


def register_browser(
    *,
    follower: Follower,
    endpoint: str,
    p256dh: str,
    auth: str,
    server_key: str = "",
    label: str = "",
    by: Actor,
    now: dt.datetime,
) -> Address:
    """A browser, by its push subscription as `PushSubscription.toJSON()` has it.

    `server_key` is the public key it subscribed with (`applicationServerKey`, base64url): it takes
    messages from no other. "" where only one was ever used. Raises BadDevice, TooManyDevices; see
    `_register`.
    """
    endpoint = endpoint.strip()
    if len(endpoint) > 2000:
        raise BadDevice("The endpoint is longer than 2,000 characters.", field="endpoint")
    try:
        origin_of(endpoint, settings.PUSH_SERVICES)
    except BadEndpoint as error:
        raise BadDevice(str(error), field="endpoint") from error
    try:
        Browser.read(p256dh, auth)
    except BadKeys as error:
        raise BadDevice(f"The keys can't be used: {error}", field="keys") from error
    if not re.fullmatch(r"[\w-]{87}|", server_key := server_key.strip().rstrip("="), re.ASCII):
        raise BadDevice("The public key is 65 bytes in base64url.", field="server_key")
    details = {
        "p256dh": p256dh.strip(),
        "auth": auth.strip(),
        "server_key": server_key,
        "label": _label(label),
    }
    return _register(follower, _Device(Channel.WEB_PUSH, endpoint, "", details), by, now)


def _label(text: str) -> str:
    return " ".join(text.replace("\0", "").split())[:_LONGEST_LABEL]


def _register(follower: Follower, device: _Device, by: Actor, now: dt.datetime) -> Address:
    """The device's row.

    One that is known is seen again, and alive again; another follower's changed hands.

    Of that one the old row is deleted and not moved: what waits there was written to somebody else.
    """
    key = key_of(device.value)
    with transaction.atomic():
        follower = Follower.objects.select_for_update(no_key=True).get(pk=follower.pk)
        known = (
            Address.objects.filter(channel=device.channel, key=key)
            .select_related("follower")
            .first()
        )
        if known and known.follower_id != follower.pk:
            _remove(known, "registered by another follower", by, now)
            known = None
        new = known is None or known.state == AddressState.GONE
        if new and devices_of(follower).count() >= MOST:
            raise TooManyDevices
        fresh = {
            "via": device.via,
            "details": device.details,
            "seen_at": now,
            "state": AddressState.ACTIVE,
        }
        if known is None:
            fixed = {
                "follower": follower,
                "channel": device.channel,
                "value": device.value,
                "key": key,
            }
            try:
                with transaction.atomic():
                    known = Address.objects.create(**fixed, **fresh, primary=False, created_at=now)
            except (
                IntegrityError
            ):  # another follower registered it since we looked; whoever comes last has it
                return _register(follower, device, by, now)
        else:
            # not locked before: who books a refusal locks deliveries and then the address,
            # a removal does so too
            if not Address.objects.filter(pk=known.pk).update(**fresh):
                return _register(follower, device, by, now)
            for name, value in fresh.items():
                setattr(known, name, value)
        if new:
            _tell_about(Kind.DEVICE_REGISTERED, known, by=by, now=now)
    return known


# ------------------------------------------------------------------ going
def unregister(*, device: Address, by: Actor, now: dt.datetime) -> None:
    """A person's word or an app's at logout: forget the device.

    Messages that wait for it are skipped.
    """
    with transaction.atomic():
        _remove(device, "removed", by, now)


def gone(
    *, channel: str, value: str, since: float | None = None, by: Actor = SYSTEM, now: dt.datetime
) -> bool:
    """The service said that the token or the endpoint is dead; whether that took it away.

    Not one that was registered again after `since` (Unix seconds), when the service noticed; APNs
    tells it. The row stays as a tombstone: its deliveries refer to it, and the same token may come
    back to life.
    """
    with transaction.atomic():
        rows = Address.objects.select_for_update(no_key=True, of=("self",)).select_related(
            "follower"
        )
        row = (
            rows.filter(channel=channel, key=key_of(value)).exclude(state=AddressState.GONE).first()
        )
        if row is None or (
            since is not None and (row.seen_at or row.created_at).timestamp() > since
        ):
            return False
        Address.objects.filter(pk=row.pk).update(state=AddressState.GONE)
        why = "the service says that it is dead"
        _tell_about(Kind.DEVICE_GONE, row, by=by, now=now, why=why)
    return True


def forget_idle(*, now: dt.datetime) -> int:
    """Devices, dead ones too, that did not say for DEVICE_IDLE_DAYS that they are there;
    how many were deleted.

    Services go on taking messages for a phone that lies in a drawer.
    Google calls a token stale after 270 days.
    """
    if not settings.DEVICE_IDLE_DAYS:
        return 0
    before = now - dt.timedelta(days=settings.DEVICE_IDLE_DAYS)
    idle = Address.objects.filter(channel__in=CHANNELS, seen_at__lt=before).select_related(
        "follower"
    )
    rows = list(idle.order_by("seen_at")[:BATCH])
    # a transaction each: with many rows in one, a sender that books refusals could wait in a ring
    for row in rows:
        with transaction.atomic():
            _remove(row, f"not seen since {row.seen_at:%Y-%m-%d}", SYSTEM, now, seen_at=row.seen_at)
    return len(rows)


def _remove(row: Address, why: str, by: Actor, now: dt.datetime, **still: Any) -> None:
    if Address.objects.filter(pk=row.pk, **still).delete()[0] and row.state != AddressState.GONE:
        _tell_about(Kind.DEVICE_GONE, row, by=by, now=now, why=why)


def _tell_about(
    kind: Kind, row: Address, *, by: Actor, now: dt.datetime, why: str | None = None
) -> None:
    """A fact about the follower; the token is no business of the history's readers."""
    data = {"channel": row.channel, "via": row.via, "device": row.label}
    if why is not None:
        data["why"] = why
    tell(kind, by=by, now=now, about=row.follower, data=data)

"""Tell some people something: one intent, validated, pinned to a published version,
stored before it is answered.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, transaction

from apps.channels.registry import providers
from apps.content.drafts import spoken, wordless
from apps.content.lint import BadData, check_data
from apps.content.models import Version, VersionState
from apps.followers.models import Category, Follower, NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused
from apps.notifications.decide.fallback import chain_of
from apps.notifications.models import Notification, NotificationState, Recipient, TypeTemplate
from apps.notifications.plan import PLAN_TASK, SLICE, plan_named
from apps.notifications.types.data_schema import Unfit, check_fit

FARTHEST_YEARS = 10  # a moment at the end of the calendar can't be shown in every zone
_LANES = {Category.CRITICAL: Lane.CRITICAL, Category.MARKETING: Lane.BULK}


class NotNotifiable(Refused):
    """The request can't become a message; the text says what to change, and `field` where,
    if it is one value.
    """


class BadValue(NotNotifiable):
    """One value of `data` is not what the type asks for; `field` is its path,
    such as `data.items.0.price`.
    """


class Priority(StrEnum):
    """The caller's word on the lane.

    Critical is not among them: that is a property of the type, and audited there.
    """

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


def lane_of(notification_type: NotificationType, priority: str = Priority.NORMAL) -> Lane:
    """Critical ones first, marketing last; the rest between,
    so that a code never waits behind a campaign.
    """
    if notification_type.category != Category.CRITICAL and priority != Priority.NORMAL:
        if priority == Priority.HIGH:
            return Lane.TRANSACTIONAL
        return Lane.BULK
    return _LANES.get(Category(notification_type.category), Lane.TRANSACTIONAL)


def notify(
    *,
    notification_type: NotificationType,
    recipients: Sequence[Follower] | Sequence[tuple[Follower, dict[str, Any]]],
    version: Version | None = None,
    channels: Sequence[str] | None = None,
    data: dict[str, Any] | None = None,
    send_at: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    dedup_key: str | None = None,
    throttle_key: str = "",
    priority: str = Priority.NORMAL,
    tracked: bool = False,
    rate: float | None = None,
    spread: int | None = None,
    source: str,
    by: Actor,
    now: dt.datetime,
) -> Notification:
    """Store the intent and announce the work; returns before anything is sent.

    `recipients` may carry each person's own values, laid over `data`. `channels` defaults to all
    that the type is offered on; each follower's preferences decide which of them are used. The same
    `dedup_key` for the same type returns the notification that exists. Each person's data is
    checked by the type's JSON Schema. Raises NotNotifiable.
    """
    if dedup_key and (existing := _known(notification_type, dedup_key)):
        return existing
    people = [each if isinstance(each, tuple) else (each, None) for each in recipients]
    if not people:
        raise NotNotifiable("There is nobody to notify. Name at least one recipient.")
    version = version or _template_of(notification_type)
    for person, own in people if any(own for _, own in people) else people[:1]:
        merged = {**(data or {}), **(own or {})}
        _fit(notification_type, merged, person if own else None)
        _complete(version, merged)
    notification = _drafted(
        notification_type=notification_type,
        version=version,
        channels=channels,
        data=data,
        send_at=send_at,
        expires_at=expires_at,
        dedup_key=dedup_key,
        throttle_key=throttle_key,
        tracked=tracked,
        rate=rate,
        spread=spread,
        source=source,
        lane=lane_of(notification_type, priority),
        now=now,
    )
    named = {follower.pk: own for follower, own in people}
    own_data = any(named.values())
    if at_once := len(named) <= SLICE:
        notification.state = NotificationState.SENDING
        notification.planned_at = now
        notification.planned_through = max(named)
    try:
        with transaction.atomic(
            savepoint=bool(dedup_key)
        ):  # for what is caught below; nothing else is raised in here
            _store(notification, by=by)
            if own_data or not at_once:
                rows = (
                    Recipient(notification=notification, follower_id=pk, data=own)
                    for pk, own in named.items()
                )
                Recipient.objects.bulk_create(rows, batch_size=1000)
            if at_once:
                plan_named(notification=notification, people=named, own_data=own_data, now=now)
            else:
                announce(PLAN_TASK, lane=Lane(notification.lane), notification_id=notification.pk)
    except IntegrityError:
        # another request with the same key was faster
        if dedup_key and (existing := _known(notification_type, dedup_key)):
            return existing
        raise
    return notification


def open_notification(*, by: Actor, **values: Any) -> Notification:
    """A notification in state PLANNING, with nobody in it yet.

    `values` as for `notify`, and its `lane`.
    Unless told otherwise it expires at the end of the type's lifetime. Raises NotNotifiable.
    """
    notification = _drafted(**values)
    with transaction.atomic(savepoint=False):
        _store(notification, by=by)
    return notification


def _drafted(
    *,
    notification_type: NotificationType,
    version: Version,
    channels: Sequence[str] | None = None,
    data: dict[str, Any] | None = None,
    send_at: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    dedup_key: str | None = None,
    throttle_key: str = "",
    tracked: bool = False,
    rate: float | None = None,
    spread: int | None = None,
    source: str,
    lane: Lane,
    now: dt.datetime,
) -> Notification:
    """Checked and not stored."""
    if version.published_at is None:
        raise NotNotifiable(f"{version} is a draft. Publish it first.")
    chosen = _channels(notification_type, version, channels)
    if expires_at and expires_at <= max(send_at or now, now):
        raise NotNotifiable("It would expire before it is sent. Choose a later expiry.")
    if any(moment and moment.year > now.year + FARTHEST_YEARS for moment in (send_at, expires_at)):
        raise NotNotifiable(f"Choose times within the next {FARTHEST_YEARS} years.")
    starts = max(send_at or now, now)
    if expires_at is None and notification_type.lifetime:
        expires_at = starts + dt.timedelta(seconds=notification_type.lifetime)
    return Notification(
        notification_type=notification_type,
        version=version,
        channels=chosen,
        data=_complete(version, data or {}, required=False),
        dedup_key=dedup_key,
        throttle_key=throttle_key,
        tracked=tracked,
        rate=rate,
        spread=spread,
        source=source,
        lane=lane.value,
        state=NotificationState.PLANNING,
        created_at=now,
        send_at=starts,
        expires_at=expires_at,
        fallback=chain_of(notification_type.fallback, chosen),
        fallback_after=notification_type.fallback_after,
    )


def _store(notification: Notification, *, by: Actor) -> None:
    notification.save(force_insert=True)
    said = {
        "source": notification.source,
        "channels": notification.channels,
        "version": str(notification.version),
    }
    tell(
        Kind.NOTIFICATION_CREATED,
        by=by,
        now=notification.created_at,
        about=notification,
        data=said,
    )


def _known(notification_type: NotificationType, dedup_key: str) -> Notification | None:
    return Notification.objects.filter(
        notification_type=notification_type, dedup_key=dedup_key
    ).first()


def _template_of(notification_type: NotificationType) -> Version:
    links = TypeTemplate.objects.filter(notification_type=notification_type)
    published = Version.objects.filter(
        state=VersionState.PUBLISHED, template__in=links.values("template")
    )
    if version := published.select_related("template").first():
        return version
    link = links.select_related("template").first()
    if link is None:
        raise NotNotifiable(
            f"No template speaks for the type {notification_type.key}. Choose one on the type's page, or name one."
        )
    raise NotNotifiable(f"The template {link.template.key} is not published yet. Publish it first.")


def _channels(
    notification_type: NotificationType, version: Version, wanted: Iterable[str] | None
) -> list[str]:
    """Those asked for; else those of the type on which something can be sent and the version has
    words.
    """
    able = {provider.channel for provider in providers()}
    chosen = list(dict.fromkeys(notification_type.channels if wanted is None else wanted))
    if wanted is None:
        chosen = [channel for channel in chosen if channel in able and channel in spoken(version)]
    if unknown := [channel for channel in chosen if channel not in able]:
        offered = ", ".join(sorted(able))
        raise NotNotifiable(
            f"No provider sends on: {', '.join(unknown)}. Available: {offered}.", field="channels"
        )
    if fault := wordless(version, chosen):
        raise NotNotifiable(fault, field="channels")
    if not chosen:
        raise NotNotifiable(
            f"The type {notification_type.key} is offered on no channel that the template has words for. "
            "Choose channels on its page, or write the words."
        )
    return chosen


def _fit(
    notification_type: NotificationType, data: dict[str, Any], person: Follower | None
) -> None:
    """`person`: whose own values are among them."""
    if notification_type.schema is None:
        return
    try:
        check_fit(notification_type.schema, data)
    except Unfit as error:
        whose = ""
        if person:
            whose = f" for {person.name or person.uid}"
        raise BadValue(
            f"The data{whose} does not fit the type {notification_type.key}: {error}. Its JSON Schema says what does.",
            field=f"data.{error.field}".rstrip("."),
        ) from error


def _complete(version: Version, data: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    """The data with defaults filled in.

    With `required=False` people may still bring what is missing.
    """
    try:
        return check_data(version, data)
    except BadData as error:
        if required:
            raise NotNotifiable(str(error), field="data") from error
        return data

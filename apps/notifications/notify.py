"""Tell some people something: one intent, validated, pinned to a published version,
stored before it is answered.

`notify` names its people; `open_notification` leaves them to a plan (campaigns, digests).
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.channels.registry import providers
from apps.content.drafts import spoken, wordless
from apps.content.lint import BadData, check_data
from apps.content.models import Version, VersionState
from apps.followers.models import Category, Follower, NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import NOT_FOUND, NOT_NOW, UNFIT, Refused
from apps.lib.sql.prepared import gathering, run_gathered
from apps.lib.sql.writing.kept_insert import KeptInsert
from apps.notifications.decide.fallback import chain_of
from apps.notifications.models import (
    Notification,
    NotificationState,
    Recipient,
    Source,
    TypeTemplate,
)
from apps.notifications.plan import PLAN_TASK, SLICE, plan_named
from apps.notifications.types.data_schema import Unfit, check_fit, one_budget

# a clock that goes slow, a call that takes its time: later than this is a mistake
LATE = dt.timedelta(minutes=1)
FARTHEST_YEARS = 10  # a moment at the end of the calendar can't be shown in every zone
_NOTIFICATIONS = KeptInsert(Notification)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is to be told, apart from whom.

    - `version`: None takes the published one of the template that speaks for the type.
    - `channels`: None takes all that the type is offered on and the version has words for; each
      follower's preferences decide which of them are used, and those on which a follower has no
      address are left out.
    - `send_at`: None is now. `expires_at`: None is the end of the type's lifetime.
    - `dedup_key`: the same one for the same type is the same notification.
    - `rate`: messages a second at most. `spread`: seconds over which it goes out evenly.
    """

    notification_type: NotificationType
    source: Source
    version: Version | None = None
    channels: Sequence[str] | None = None
    data: Mapping[str, Any] | None = None
    send_at: dt.datetime | None = None
    expires_at: dt.datetime | None = None
    dedup_key: str | None = None
    throttle_key: str = ""
    tracking: bool = False
    rate: float | None = None
    spread: int | None = None


def notify(
    *,
    intent: Intent,
    recipients: Sequence[Follower] | Sequence[tuple[Follower, dict[str, Any]]],
    priority: str = Priority.NORMAL,
    by: Actor,
    now: dt.datetime,
) -> Notification:
    """Store the intent and announce the work; returns before anything is sent.

    Where the intent's `dedup_key` is known, the notification that exists is returned. For the rest
    see `notify_once`.
    """
    notification, _ = notify_once(
        intent=intent, recipients=recipients, priority=priority, by=by, now=now
    )
    return notification


def notify_once(
    *,
    intent: Intent,
    recipients: Sequence[Follower] | Sequence[tuple[Follower, dict[str, Any]]],
    priority: str = Priority.NORMAL,
    by: Actor,
    now: dt.datetime,
) -> tuple[Notification, bool]:
    """Do what `notify` does, and say whether it is new: False where the intent's `dedup_key` was
    known.

    `recipients` may carry each person's own values, laid over the intent's `data`. What they see
    is checked by the type's JSON Schema. Raises NotNotifiable.
    """
    kind = intent.notification_type
    if intent.dedup_key and (existing := _known(kind, intent.dedup_key)):
        return existing, False
    people = _with_own_data(recipients)
    if not people:
        said = gettext("There is nobody to notify. Name at least one recipient.")
        raise NotNotifiable(said, field="recipients", cause=NOT_FOUND)
    version = intent.version or _template_of(kind)
    with one_budget():
        _check_data(intent, version, people)
    lane = lane_of(kind, priority)
    notification = _drafted(intent, version, lane=lane, now=now)
    named = {follower.pk: own for follower, own in people}
    own_data = any(named.values())
    at_once = len(named) <= SLICE
    if at_once:
        notification.state = NotificationState.SENDING
        notification.planned_at = now
        notification.planned_through = max(named)
    try:
        # a savepoint for what is caught below; nothing else is raised in here
        with transaction.atomic(savepoint=bool(intent.dedup_key)), gathering():
            _store(notification, by=by)
            if own_data or not at_once:
                _name(notification, named)
            if at_once:
                plan_named(notification=notification, people=named, own_data=own_data, now=now)
            else:
                announce(PLAN_TASK, lane=lane, notification_id=notification.pk)
    except IntegrityError:
        # another request with the same key was faster
        if intent.dedup_key and (existing := _known(kind, intent.dedup_key)):
            return existing, False
        raise
    return notification, True


def open_notification(*, intent: Intent, lane: Lane, by: Actor, now: dt.datetime) -> Notification:
    """A notification in state PLANNING, with nobody in it yet. Raises NotNotifiable."""
    version = intent.version or _template_of(intent.notification_type)
    notification = _drafted(intent, version, lane=lane, now=now)
    with transaction.atomic(savepoint=False):
        _store(notification, by=by)
    return notification


def check_ahead(send_at: dt.datetime, *, now: dt.datetime) -> None:
    """Check a moment that a person or a program chose. Raises NotNotifiable: it has passed."""
    if send_at < now - LATE:
        said = gettext(
            "{moment} UTC has passed. Choose a later moment, or leave send_at out to send now."
        )
        moment = f"{send_at:%d %B %Y %H:%M}"
        raise NotNotifiable(said.format(moment=moment), field="send_at", cause=NOT_NOW)


_Named = tuple[Follower, dict[str, Any] | None]  # a recipient and the values of their own


def _with_own_data(
    recipients: Sequence[Follower] | Sequence[tuple[Follower, dict[str, Any]]],
) -> list[_Named]:
    people: list[_Named] = []
    for each in recipients:
        if isinstance(each, tuple):
            people.append(each)
        else:
            people.append((each, None))
    return people


def _check_data(intent: Intent, version: Version, people: Sequence[_Named]) -> None:
    """Check what each recipient would see; once where nobody brings values of their own.

    Raises NotNotifiable.
    """
    if not any(own for _, own in people):
        people = people[:1]
    for follower, own in people:
        merged = {**(intent.data or {}), **(own or {})}
        whose = None
        if own:
            whose = follower
        _fit(intent.notification_type, merged, whose)
        _complete(version, merged, intent.channels)


def _drafted(intent: Intent, version: Version, *, lane: Lane, now: dt.datetime) -> Notification:
    """The intent as a checked notification that is not stored. Raises NotNotifiable."""
    if version.published_at is None:
        raise NotNotifiable(
            gettext("{version} is a draft. Publish it first.").format(version=version)
        )
    kind = intent.notification_type
    chosen = _channels(kind, version, intent.channels)
    starts = max(intent.send_at or now, now)
    expires_at = intent.expires_at
    if expires_at and expires_at <= starts:
        said = gettext("It would expire before it is sent. Choose a later expiry.")
        raise NotNotifiable(said, field="expires_at", cause=NOT_NOW)
    farthest = now.year + FARTHEST_YEARS
    for field in ("send_at", "expires_at"):
        moment = getattr(intent, field)
        if moment and moment.year > farthest:
            said = gettext("Choose times within the next {years} years.")
            raise NotNotifiable(said.format(years=FARTHEST_YEARS), field=field, cause=NOT_NOW)
    if expires_at is None and kind.lifetime:
        expires_at = starts + dt.timedelta(seconds=kind.lifetime)
    return Notification(
        notification_type=kind,
        version=version,
        channels=chosen,
        addressed_only=intent.channels is None,
        data=_complete(version, intent.data or {}, intent.channels, required=False),
        dedup_key=intent.dedup_key,
        throttle_key=intent.throttle_key,
        tracking=intent.tracking,
        rate=intent.rate,
        spread=intent.spread,
        source=intent.source,
        lane=lane.value,
        state=NotificationState.PLANNING,
        created_at=now,
        send_at=starts,
        expires_at=expires_at,
        fallback=chain_of(kind.fallback, chosen),
        fallback_after=kind.fallback_after,
    )


def _name(notification: Notification, people: Mapping[int, dict[str, Any] | None]) -> None:
    """Store whom it is for, with the values of their own."""
    run_gathered()
    rows = (
        Recipient(notification=notification, follower_id=pk, data=own) for pk, own in people.items()
    )
    Recipient.objects.bulk_create(rows, batch_size=1000)


def _store(notification: Notification, *, by: Actor) -> None:
    _NOTIFICATIONS.store(notification)
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
        said = gettext(
            "There is no default template of the type {type}. "
            "Choose one on the type's page, or name one."
        )
        raise NotNotifiable(
            said.format(type=notification_type.key), field="template", cause=NOT_FOUND
        )
    said = gettext("The template {key} is not published yet. Publish it first.")
    raise NotNotifiable(said.format(key=link.template.key), field="template", cause=NOT_FOUND)


def _channels(
    notification_type: NotificationType, version: Version, wanted: Sequence[str] | None
) -> list[str]:
    """The channels asked for, each once; else what the type is offered on, as far as something
    can be sent there and the version has words. Raises NotNotifiable.
    """
    able = {provider.channel for provider in providers()}
    if wanted is None:
        usable = able.intersection(spoken(version))
        chosen = [channel for channel in _once(notification_type.channels) if channel in usable]
    else:
        chosen = _once(wanted)
    if unknown := [channel for channel in chosen if channel not in able]:
        missing = ", ".join(unknown)
        offered = ", ".join(sorted(able))
        said = gettext("No provider sends on: {missing}. Available: {offered}.")
        raise NotNotifiable(
            said.format(missing=missing, offered=offered), field="channels", cause=NOT_FOUND
        )
    if fault := wordless(version, chosen):
        raise NotNotifiable(fault, field="channels", cause=UNFIT)
    if not chosen:
        said = gettext(
            "The type {type} is offered on no channel that the template has words for. "
            "Choose channels on its page, or write the words."
        )
        raise NotNotifiable(said.format(type=notification_type.key), field="channels", cause=UNFIT)
    return chosen


def _once(channels: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(channels))


def _fit(
    notification_type: NotificationType, data: Mapping[str, Any], person: Follower | None
) -> None:
    """Check the data by the type's JSON Schema. `person`: whose own values are among it.

    Raises BadValue.
    """
    if notification_type.schema is None:
        return
    try:
        check_fit(notification_type.schema, data)
    except Unfit as error:
        said = gettext(
            "The data does not fit the type {type}: {fault}. Its JSON Schema says what does."
        )
        whose = ""
        if person:
            said = gettext(
                "The data for the follower {follower} does not fit the type {type}: {fault}. "
                "Its JSON Schema says what does."
            )
            whose = str(person.uid)
        raise BadValue(
            said.format(follower=whose, type=notification_type.key, fault=error),
            field=f"data.{error.field}".rstrip("."),
        ) from error


def _complete(
    version: Version,
    data: Mapping[str, Any],
    channels: Sequence[str] | None,
    *,
    required: bool = True,
) -> Mapping[str, Any]:
    """The data with defaults filled in. Raises NotNotifiable for what is missing or of the wrong
    type; with `required=False` people may still bring it.
    """
    try:
        return check_data(version, data, channels=channels or None)
    except BadData as error:
        if required:
            raise NotNotifiable(str(error), field="data", cause=UNFIT) from error
        return data

"""Notify: tell some people something now or later; and its result."""

import datetime as dt
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.overload.urgency import learn
from apps.api.parsing import MomentField
from apps.api.refusals import KEY_META
from apps.api.v1.audience.followers.written import SOURCE, FollowerIn
from apps.api.v1.audience.people import NamedPeople, questions
from apps.api.v1.audience.tags import slugs, words_field
from apps.api.v1.content.templates import TYPE_BY_KEY, type_of
from apps.api.v1.send.deliveries import (
    HOW_MANY,
    RETRIED,
    BalanceOut,
    BehindQuery,
    CountsOut,
    DeliveryOut,
    EngagementOut,
    HoldUpsOut,
    RetriedOut,
    retried,
)
from apps.api.v1.send.when import ScheduleIn, WhenIn
from apps.api.verbs import Verb
from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.compose import planned_moment
from apps.campaigns.models import Run
from apps.content.models import Version, VersionState
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.inbox.removal import removed_of
from apps.lib.actor import Actor
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import NOT_FOUND, TOO_MUCH, WrongState
from apps.lib.sql.compiled_query import Kept, asked_ahead
from apps.notifications import control, replay
from apps.notifications.accounts.hold_ups import HoldUp, hold_ups_of
from apps.notifications.engagement.counts import engagement
from apps.notifications.models import LANES, Notification, Source
from apps.notifications.notify import Intent, Priority, check_ahead, notify_once
from apps.notifications.reports.balance import balance, deliveries_behind
from apps.notifications.reports.standing import NotificationStatus, standing, status_of

MOST_NAMED = 1000
MOST_TAGGED = 10_000
MOST_TAGS_OF_NAMED = 1_000  # of all recipients together: each may be new and is made
ROWS = Notification.objects.select_related("notification_type", "version__template")


class NotificationOut(serializers.Serializer[Notification]):
    id = serializers.UUIDField(source="uid")
    type = serializers.CharField(source="notification_type.key")
    template = serializers.CharField(source="version.template.key")
    version = serializers.IntegerField(source="version.number")
    channels = serializers.ListField(child=serializers.CharField())
    data: Any = serializers.DictField()
    dedup_key = serializers.CharField(allow_null=True)
    throttle_key = serializers.CharField()
    lane = serializers.ChoiceField(LANES)
    source: Any = serializers.CharField()
    status = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    send_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    tracking = serializers.BooleanField(help_text="Its mails count opens and clicks.")
    finished_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(NotificationStatus.choices))
    def get_status(self, notification: Notification) -> str:
        return status_of(notification, now=timezone.now()).value


class NotificationDetail(NotificationOut):
    balance = serializers.SerializerMethodField()
    engagement = serializers.SerializerMethodField()

    def get_balance(self, notification: Notification) -> BalanceOut:
        return balance(notification).as_dict()  # type: ignore[return-value]  # for the schema

    def get_engagement(self, notification: Notification) -> EngagementOut:
        return engagement(notification).as_dict()  # type: ignore[return-value]  # as above


class Person(FollowerIn):
    """A known follower by `id` or `external_id`, or a person by address, who is added when unknown.

    What else is said of a known follower is taken over for a key with followers:write only.
    """

    id = serializers.UUIDField(required=False)
    subscribed = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Of a person who is added: may we send commercial messages? "
        "A known follower's word is never changed here.",
    )
    data: Any = serializers.DictField(
        required=False, help_text="This person's own values, over `data`."
    )


class NotifyIn(WhenIn):
    naming = {
        "recipients.subscribed": Scope.FOLLOWERS_WRITE,
        "recipients.tags": Scope.FOLLOWERS_WRITE,
        "tags": Scope.FOLLOWERS_READ,
        "segment": Scope.CAMPAIGNS_READ,
    }

    type = serializers.CharField(max_length=60, help_text="Key of a message type.")
    recipients = serializers.ListField(
        child=Person(), required=False, default=list, max_length=MOST_NAMED
    )
    tags = words_field(
        required=False, default=list, max_length=50, help_text="Everybody who has one of these."
    )

    def validate_recipients(self, people: list[dict[str, Any]]) -> list[dict[str, Any]]:
        tags = sum(len(person.get("tags", ())) for person in people)
        if tags > MOST_TAGS_OF_NAMED:
            raise serializers.ValidationError(
                f"All recipients together may bring {MOST_TAGS_OF_NAMED:,} tags; these bring "
                f"{tags:,}. Make several calls.",
                code=TOO_MUCH,
            )
        return people

    data: Any = serializers.DictField(
        required=False, help_text="Values for the template's variables."
    )
    segment = serializers.UUIDField(required=False, help_text="Everybody in it at this moment.")
    channels = serializers.ListField(
        child=serializers.CharField(), required=False, allow_empty=False
    )
    template = serializers.CharField(
        required=False,
        max_length=80,
        help_text="Key of a published template; else the type's default template.",
    )
    expires_at = MomentField(
        required=False, help_text="Else at the end of the type's lifetime, if it has one."
    )
    priority = serializers.ChoiceField(
        list(Priority),
        required=False,
        default=Priority.NORMAL.value,
        help_text="`high` goes before campaigns, "
        "`low` among them; `normal` as the type's category says. A critical type is always first.",
    )
    throttle_key = serializers.CharField(
        required=False,
        max_length=120,
        help_text="What the type's throttle counts apart, such as an order's number.",
    )
    tracking = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Open and click tracking of its mails, for those who allow it.",
    )
    dedup_key = serializers.CharField(
        required=False,
        max_length=255,
        help_text="The same key for the same type again answers with the first one.",
    )


class AcceptedOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField(NotificationStatus.choices)
    duplicate = serializers.BooleanField(
        help_text="It was known by its `dedup_key`; this is the first one, whatever you sent now."
    )


class _Timed(Endpoint):
    def moment(self, asked: dict[str, Any]) -> dt.datetime | None:
        """The moment that a WhenIn names, if it names one. Raises Refused."""
        send_at: dt.datetime | None = asked.get("send_at")
        if "wall" in asked:
            self.names.update({"zone": "time_zone"})
            return planned_moment(asked["wall"], asked["time_zone"], now=self.now).instant
        if send_at:
            check_ahead(send_at, now=self.now)
        return send_at


class Notify(_Timed):
    """Tell some people something."""

    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}

    @described(
        "Notifications",
        "notify",
        "Notify people",
        body=NotifyIn,
        answer=AcceptedOut,
        status=202,
        refuses=(400, 409, 429),
        details=(
            "Stored before it is answered, sent in the background. Each recipient gets one "
            "delivery per channel; those who must not get it are skipped with the reason."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NotifyIn)
        with asked_ahead(*_questions(asked)):
            return self._notify(asked, self.now)

    def _notify(self, asked: dict[str, Any], now: dt.datetime) -> Response:
        kind = type_of(asked.pop("type"))
        send_at = self.moment(asked)
        version = _version(asked.pop("template", ""))
        crowd = _crowd(asked.pop("tags"), asked.pop("segment", None))
        recipients = NamedPeople(
            asked.pop("recipients"),
            may_write=self.may(Scope.FOLLOWERS_WRITE),
            proof=Proof(source=SOURCE, by=self.by, now=now),
        )
        # People who are added stay only if the notification is taken. With an Idempotency-Key the
        # whole call is taken back.
        with transaction.atomic(savepoint=KEY_META not in self.request.META):
            people = recipients.write()
            named = {follower.pk for follower, _ in people}
            unnamed: list[tuple[Follower, dict[str, Any]]] = [
                (follower, {}) for follower in crowd if follower.pk not in named
            ]
            intent = Intent(
                notification_type=kind,
                version=version,
                channels=asked.get("channels"),
                data=asked.get("data"),
                send_at=send_at,
                expires_at=asked.get("expires_at"),
                dedup_key=asked.get("dedup_key"),
                throttle_key=asked.get("throttle_key", ""),
                tracking=asked["tracking"],
                source=Source.API,
            )
            made, new = notify_once(
                intent=intent,
                recipients=[*people, *unnamed],
                priority=asked["priority"],
                by=self.by,
                now=now,
            )
        learn(type=kind.key, priority=asked["priority"], lane=Lane(made.lane))
        status = status_of(made, now=now)
        said = {"id": str(made.uid), "status": status.value, "duplicate": not new}
        return Response(said, status=202)


def _questions(asked: dict[str, Any]) -> list[tuple[Kept[Any], dict[str, str]]]:
    """What every call asks the database, so that it is asked at once."""
    found: list[tuple[Kept[Any], dict[str, str]]] = [(TYPE_BY_KEY, {"key": asked["type"]})]
    if template := asked.get("template"):
        found.append((_PUBLISHED, {"key": template}))
    return found + questions(asked["recipients"])


def _version(key: str) -> Version | None:
    if not key:
        return None
    if version := _PUBLISHED.first(key=key):
        return version
    raise serializers.ValidationError(
        {"template": [f"There is no published template {key!r}."]}, code=NOT_FOUND
    )


_PUBLISHED = Kept(
    lambda key: Version.objects.filter(
        state=VersionState.PUBLISHED, template__key=key, template__private=False
    ).select_related("template"),
    "key",
    remembers=True,
)


def _crowd(words: list[str], segment: uuid.UUID | None) -> list[Follower]:
    """Who has one of the tags or is in the segment."""
    if not words and segment is None:
        return []
    chosen = {"tags": slugs(words)}
    if segment is not None:
        chosen["segments"] = [str(segment)]
    try:
        audience = Audience.parse(chosen)
    except BadAudience as error:
        raise serializers.ValidationError({"segment": [str(error)]}, code=error.cause) from error
    found = list(audience.followers()[: MOST_TAGGED + 1])
    if len(found) > MOST_TAGGED:
        field = "segment"
        if words:
            field = "tags"
        raise serializers.ValidationError(
            {
                field: [
                    f"More than {MOST_TAGGED:,} followers are meant. Send them a campaign instead."
                ]
            },
            code=TOO_MUCH,
        )
    return found


class NotificationQuery(Strict):
    type = serializers.CharField(required=False, max_length=60)
    status = serializers.ChoiceField(NotificationStatus.choices, required=False)


class Notifications(Endpoint):
    """All notifications, those of campaigns among them."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Notifications",
        "notifications_list",
        "List notifications",
        query=NotificationQuery,
        answer=NotificationOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        asked = self.query(NotificationQuery)
        rows = ROWS
        if "type" in asked:
            rows = rows.filter(notification_type=type_of(asked["type"]))
        if "status" in asked:
            rows = standing(rows, asked["status"], now=self.now)
        return self.page(rows, NotificationOut)


class OneNotification(_Timed):
    """One notification with its balance."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ, "PATCH": Scope.NOTIFICATIONS_WRITE}

    @described(
        "Notifications",
        "notifications_get",
        "Get a notification",
        answer=NotificationDetail,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(NotificationDetail(one(ROWS, uid=id)).data)

    @described(
        "Notifications",
        "notifications_reschedule",
        "Send a scheduled notification at another time",
        body=ScheduleIn,
        answer=NotificationDetail,
        refuses=(400, 404, 409),
        details="Until its time has come; after that, 409. An expiry by the type's lifetime moves "
        "along, one that was given stays.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        notification = steered(id)
        send_at = self.moment(self.body(ScheduleIn))
        assert send_at is not None  # noqa: S101  # ScheduleIn wants one
        control.reschedule(notification=notification, send_at=send_at, by=self.by, now=self.now)
        return Response(NotificationDetail(one(ROWS, uid=id)).data)


class RecalledOut(CountsOut):
    removed = serializers.IntegerField(
        help_text="In-app messages taken out of inboxes; among those handed off."
    )


def steered(id: uuid.UUID) -> Notification:
    """The notification, unless it is a campaign's run: that has a state of its own,
    and the two must not disagree.
    """
    notification = one(ROWS, uid=id)
    if run := Run.objects.filter(notification=notification).select_related("campaign").first():
        uid = run.campaign.uid
        raise WrongState(
            f"This is a run of the campaign {uid}. Pause, resume or cancel that campaign."
        )
    return notification


def _recall(notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    counts = control.retract(notification=notification, by=by, now=now)
    return counts | {"removed": removed_of(notification)}


def _in_detail(notification: Notification, given: object, view: object) -> Any:
    return NotificationDetail(notification).data


VERBS: dict[str, Verb[Notification]] = {
    "cancel": Verb(
        summary="Cancel a notification",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=lambda notification, by, now: control.cancel(notification=notification, by=by, now=now),
        answer=CountsOut,
        details=HOW_MANY,
        one_transaction=False,
    ),
    "recall": Verb(
        summary="Recall a notification",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=_recall,
        answer=RecalledOut,
        details=(
            "Cancels what has not left, held for a digest or waiting as a fallback included, and "
            "removes its in-app messages. Mails, texts and pushes that have left can't be called "
            "back. Also when it is done."
        ),
        one_transaction=False,
    ),
    "pause": Verb(
        summary="Pause a notification",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=lambda notification, by, now: control.pause(notification=notification, by=by, now=now),
        answer=NotificationDetail,
        says=_in_detail,
        details="What is already being handed over still goes, for two seconds at most.",
        one_transaction=False,
    ),
    "resume": Verb(
        summary="Resume a paused notification",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=lambda notification, by, now: control.resume(notification=notification, by=by, now=now),
        answer=NotificationDetail,
        says=_in_detail,
    ),
    "retry": Verb(
        summary="Send the failed messages again",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=lambda notification, by, now: replay.retry_failed(
            notification=notification, by=by, now=now
        ),
        answer=RetriedOut,
        says=retried,
        details=RETRIED,
    ),
}


class NotificationHoldUps(Endpoint):
    """Why messages of one notification wait."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Notifications",
        "notifications_hold_ups",
        "Say why a notification's messages wait",
        answer=HoldUpsOut,
        refuses=(404,),
        details="For each channel on which messages of it wait: no account, a used-up day, trouble "
        "with the provider, as values and in words. Empty when it is over.",
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        notification = one(ROWS, uid=id)
        found: list[HoldUp] = []
        if notification.state in control.LIVE:
            waiting = balance(notification).waiting_channels
            found = hold_ups_of(notification, waiting, now=self.now)
        return Response(HoldUpsOut({"hold_ups": found}).data)


class NotificationDeliveries(Endpoint):
    """The deliveries of one notification."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Notifications",
        "notifications_deliveries",
        "List a notification's deliveries",
        query=BehindQuery,
        answer=DeliveryOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        rows = deliveries_behind(one(ROWS, uid=id), **self.query(BehindQuery))
        return self.page(rows.select_related("notification"), DeliveryOut)

"""Campaigns: compose, choose the audience, schedule or send, and steer while it is under way."""

import datetime as dt
import uuid
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import AudienceField
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.parsing import MomentField
from apps.api.v1.content.templates import KEPT, WordsIn, type_of
from apps.api.v1.send.deliveries import (
    HOW_MANY,
    RETRIED,
    BalanceOut,
    BehindQuery,
    CountsOut,
    DeliveryOut,
    EngagementOut,
    RetriedOut,
    retried,
)
from apps.api.v1.send.notifications import RecalledOut
from apps.api.v1.send.when import ScheduleIn
from apps.api.verbs import Verb
from apps.campaigns import compose, lifecycle, public_archive
from apps.campaigns.digests import ForDigests, for_digests
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.review import counting
from apps.campaigns.review.counting import Counted, Counting, CountStatus
from apps.campaigns.review.review import look, question_of, with_numbers
from apps.content.models import Template
from apps.inbox.removal import removed_of
from apps.lib.actor import Actor
from apps.lib.refusals import NOT_FOUND
from apps.notifications.engagement.counts import Attention, engagement
from apps.notifications.models import Delivery, Notification
from apps.notifications.reports.balance import Balance, balance, deliveries_behind

ROWS = Campaign.objects.select_related("notification_type", "template")
AT_ONCE = 2.0  # seconds for which a count is waited for

NAMED_IN_AUDIENCE = {
    "audience.tags": Scope.FOLLOWERS_READ,
    "audience.exclude_tags": Scope.FOLLOWERS_READ,
    "audience.followers": Scope.FOLLOWERS_READ,
    "audience.exclude_followers": Scope.FOLLOWERS_READ,
    "audience.segments": Scope.CAMPAIGNS_READ,
    "audience.exclude_segments": Scope.CAMPAIGNS_READ,
}


class CampaignOut(serializers.Serializer[Campaign]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    status = serializers.ChoiceField(CampaignState.choices, source="state")
    type = serializers.CharField(source="notification_type.key")
    channels = serializers.ListField(child=serializers.CharField())
    audience = AudienceField()
    data: Any = serializers.DictField()
    metadata = serializers.DictField()
    tracking = serializers.BooleanField(help_text="Open and click tracking of those who allow it.")
    send_at = serializers.DateTimeField(allow_null=True)
    time_zone = serializers.CharField(
        source="send_at_zone", help_text="The zone in which the time was chosen."
    )
    expires_at = serializers.DateTimeField(allow_null=True)
    published_at = serializers.DateTimeField(
        allow_null=True, help_text="In the public archive since then; null: not."
    )
    rate = serializers.FloatField(allow_null=True, help_text="Rate limit: messages a second.")
    spread = serializers.IntegerField(
        allow_null=True, help_text="Seconds over which it goes out evenly."
    )
    revision = serializers.IntegerField(
        help_text="Send it back with a change, and a change in between is a 409."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class ForDigestsOut(serializers.Serializer[Any]):
    messages = serializers.IntegerField()
    until = serializers.DateTimeField(allow_null=True, help_text="When the last of them goes out.")


class CampaignDetail(CampaignOut):
    engagement = serializers.SerializerMethodField()
    for_digests = serializers.SerializerMethodField(
        help_text="What waits for its readers' digests; a campaign of which only that is still to "
        "come is sent."
    )

    def get_for_digests(self, campaign: Campaign) -> ForDigestsOut:
        notification = newest_notification(campaign)
        told = ForDigests()
        if notification:
            told = for_digests(notification)
        return ForDigestsOut(told).data  # type: ignore[return-value]  # as below

    def get_engagement(self, campaign: Campaign) -> EngagementOut:
        notification = newest_notification(campaign)
        if notification:
            told = engagement(notification)
        else:
            told = Attention()
        return told.as_dict()  # type: ignore[return-value]  # the annotation is for the schema


class CampaignIn(WordsIn):
    naming = NAMED_IN_AUDIENCE

    name = serializers.CharField(max_length=120)
    type = serializers.CharField(max_length=60, help_text="Key of a message type.")
    channels = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="Of a new campaign: those of the type.",
    )
    audience = AudienceField(required=False)
    data: Any = serializers.DictField(required=False, help_text="Values for the variables.")
    metadata = serializers.DictField(
        required=False, help_text="Your own values. A change is merged by key; null removes one."
    )
    tracking = serializers.BooleanField(
        required=False,
        help_text="Open and click tracking of those who allow it. Of a new campaign: true.",
    )


class NewCampaign(CampaignIn):
    """Its words come from a library template, from another campaign, or from `translations`."""

    naming = NAMED_IN_AUDIENCE | {
        "template": Scope.CONTENT_READ,
        "copy_of": Scope.CAMPAIGNS_READ,
    }
    template = serializers.UUIDField(required=False)
    copy_of = serializers.UUIDField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("template", "copy_of", "translations")) > 1:
            raise serializers.ValidationError(
                "Give only one of template, copy_of and translations."
            )
        return attrs


class CampaignChanges(CampaignIn):
    kept = serializers.ListField(
        child=serializers.CharField(max_length=35), required=False, help_text=KEPT
    )
    expires_at = MomentField(required=False, allow_null=True)
    rate = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text="Rate limit: messages a second; replaces `spread`.",
    )
    spread = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Seconds over which it goes out evenly; replaces `rate`.",
    )
    revision = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


class CampaignQuery(Strict):
    status = serializers.ChoiceField(CampaignState.choices, required=False, source="state")


class Campaigns(Endpoint):
    """All campaigns."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_WRITE}

    @described(
        "Campaigns",
        "campaigns_list",
        "List campaigns",
        query=CampaignQuery,
        answer=CampaignOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        return self.page(ROWS.filter(**self.query(CampaignQuery)), CampaignOut)

    @described(
        "Campaigns",
        "campaigns_create",
        "Make a campaign",
        body=NewCampaign,
        answer=CampaignOut,
        status=201,
        refuses=(400, 409),
        details="A draft; nothing is sent before schedule or send.",
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewCampaign)
        kind = type_of(asked.pop("type"))
        asked.setdefault("channels", list(kind.default_channels or kind.channels))
        library = Template.objects.filter(private=False, archived_at__isnull=True)
        for name, rows in (("template", library), ("copy_of", Campaign.objects.all())):
            if name in asked:
                asked[name] = _named(name, rows, asked[name])
        made = compose.create_campaign(
            template=asked.pop("template", None),
            copy_of=asked.pop("copy_of", None),
            values=compose.CampaignValues(notification_type=kind, **asked),
            by=self.by,
            now=self.now,
        )
        return Response(CampaignOut(made).data, status=201)


def _named(field: str, rows: Any, id: uuid.UUID) -> Any:
    try:
        return one(rows, uid=id)
    except NotFound:
        raise serializers.ValidationError(
            {field: ["There is nothing with this id."]}, code=NOT_FOUND
        ) from None


class OneCampaign(Edited):
    """One campaign."""

    scopes = {
        "GET": Scope.CAMPAIGNS_READ,
        "PATCH": Scope.CAMPAIGNS_WRITE,
        "DELETE": Scope.CAMPAIGNS_WRITE,
    }
    rows = ROWS

    @described(
        "Campaigns", "campaigns_get", "Get a campaign", answer=CampaignDetail, refuses=(404,)
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(CampaignDetail(one(ROWS, uid=id)).data)

    @described(
        "Campaigns",
        "campaigns_change",
        "Change a draft",
        body=CampaignChanges,
        answer=CampaignOut,
        refuses=(400, 404, 409),
        details="Only what is sent changes.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        campaign = one(ROWS, uid=id)
        changes = self.body(CampaignChanges, partial=True)
        if "type" in changes:
            changes["notification_type"] = type_of(changes.pop("type"))
        revision = changes.pop("revision", None)
        changed = compose.change_campaign(
            campaign=campaign,
            values=compose.CampaignValues(**changes),
            revision=revision,
            by=self.by,
            now=self.now,
        )
        return Response(CampaignOut(changed).data)

    @described("Campaigns", "campaigns_delete", "Delete a draft", answer=None, refuses=(404, 409))
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        compose.delete_campaign(campaign=one(ROWS, uid=id), by=self.by, now=self.now)
        return Response(status=204)


class ReasonOut(serializers.Serializer[Any]):
    reason = serializers.CharField()
    explanation = serializers.CharField()
    allow = serializers.BooleanField()
    count = serializers.IntegerField()


class ChannelReviewOut(serializers.Serializer[Any]):
    channel = serializers.CharField()
    will_get = serializers.IntegerField()
    will_not = serializers.IntegerField()
    reasons = ReasonOut(many=True)


class MissingOut(serializers.Serializer[Any]):
    step = serializers.CharField(help_text="content, audience or schedule")
    where = serializers.CharField(help_text="Such as en.email.html, data.amount; or empty.")
    message = serializers.CharField()


class LanguageReviewOut(serializers.Serializer[Any]):
    language = serializers.CharField()
    people = serializers.IntegerField(help_text="Of those who are reached.")
    falling_back: Any = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="Those of them who read another language, by its tag.",
    )
    subject = serializers.CharField(help_text="Subject or title, as a made-up person sees it.")
    preheader = serializers.CharField()
    left_behind = serializers.BooleanField(
        help_text=(
            "Still the template's words, while another language was changed: write them, remove "
            "the language, or name it in `kept`."
        )
    )
    frame_as_in = serializers.CharField(
        help_text="Another language to whose readers the layout says the same; empty: none."
    )


class ReviewOut(serializers.Serializer[Any]):
    total = serializers.IntegerField(help_text="Followers in the audience now.")
    reached = serializers.IntegerField(help_text="Those whom at least one channel reaches.")
    channels = ChannelReviewOut(many=True)
    languages = LanguageReviewOut(many=True, help_text="Each version that would leave.")
    problems = MissingOut(many=True, help_text="What keeps it from being sent.")
    warnings = MissingOut(many=True, help_text="What may be a mistake, as a dead link.")
    counted_at = serializers.DateTimeField(help_text="When the numbers were true.")


class AudienceCountOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    status = serializers.ChoiceField([each.value for each in CountStatus])
    started_at = serializers.DateTimeField()
    review = ReviewOut(allow_null=True, help_text="Once it is done.")


class AudienceQuery(Strict):
    again = serializers.BooleanField(
        required=False,
        default=False,
        help_text="Count anew, though the same was counted in the last ten minutes.",
    )


class AudienceOfCampaign(Endpoint):
    """Who would get it if it left now."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}
    also = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Campaigns",
        "campaigns_audience",
        "Count who would get it now, and who not and why",
        query=AudienceQuery,
        answer=ReviewOut,
        later=AudienceCountOut,
        refuses=(400, 404),
        details=(
            "Needs followers:read, too. What takes longer than two seconds is answered with 202 "
            "and goes on; `Location` says where to ask for it. On a site of more than 50,000 "
            "followers the numbers of the same question are given again for ten minutes: "
            "`counted_at` says from when they are."
        ),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.query(AudienceQuery)
        campaign = one(ROWS, uid=id)
        now = self.now
        ready = look(campaign, now=now)
        question = question_of(campaign, ready)
        counted = counting.at_hand(campaign, question, now=now, again=asked["again"])
        if counted is None:
            count = counting.begin(campaign, question, now=now)
            counted = _soon(count)
            if counted is None:
                return self._later(campaign, count)
        return Response(ReviewOut(with_numbers(campaign, ready, counted)).data)

    def _later(self, campaign: Campaign, count: Counting) -> Response:
        row = count.row
        address = f"{self.request.path}/{row.uid}"
        said = {"id": row.uid, "status": CountStatus.COUNTING, "started_at": row.started_at}
        answer = Response(AudienceCountOut({**said, "review": None}).data, status=202)
        answer["Location"] = address
        answer["Retry-After"] = "1"
        return answer


def _soon(count: Counting) -> Counted | None:
    """Give the numbers if they are there in AT_ONCE seconds; else let the count go on."""
    try:
        if count.wait(AT_ONCE):
            return count.result()
        count.promise()
    finally:
        count.leave()
    return None


class OneAudienceCount(Endpoint):
    """A count that took longer."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}
    also = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Campaigns",
        "campaigns_audience_count",
        "Get a count that took longer",
        answer=AudienceCountOut,
        refuses=(404,),
        details="Needs followers:read, too. It is kept for a day, for as long as it is a draft.",
    )
    def get(self, request: Request, id: uuid.UUID, count: uuid.UUID) -> Response:
        campaign = one(ROWS, uid=id)
        row = one(campaign.counts.all(), uid=count)
        now = self.now
        review = None
        if counted := counting.found_by(row):
            review = with_numbers(campaign, look(campaign, now=now), counted)
        said = {
            "id": row.uid,
            "status": counting.status_of(row, now=now),
            "started_at": row.started_at,
            "review": review,
        }
        return Response(AudienceCountOut(said).data)


class Schedule(Endpoint):
    """Send later."""

    scopes = {"POST": Scope.CAMPAIGNS_SEND}

    @described(
        "Campaigns",
        "campaigns_schedule",
        "Schedule a campaign",
        body=ScheduleIn,
        answer=CampaignOut,
        refuses=(400, 404, 409),
        details=(
            "A time that the clocks skip, or that has passed, is refused. One that happens twice "
            "means the first."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        campaign = one(ROWS, uid=id)
        asked = self.body(ScheduleIn)
        self.names.update({"zone": "time_zone"})
        if "send_at" in asked:
            self.names.update({"wall": "send_at"})
            wall = asked["send_at"].replace(tzinfo=None)  # a MomentField is in UTC
            zone = "UTC"
        else:
            wall = asked["wall"]
            zone = asked["time_zone"]
        lifecycle.schedule(campaign=campaign, wall=wall, zone=zone, by=self.by, now=self.now)
        return Response(CampaignOut(one(ROWS, uid=id)).data)


def campaign_of(id: uuid.UUID) -> Campaign:
    """The campaign with this public id. Raises NotFound."""
    return one(ROWS, uid=id)


def sent(campaign: Campaign) -> bool:
    """Whether a campaign was sent, or is on its way."""
    return campaign.state in (CampaignState.SENDING, CampaignState.SENT)


def _as_it_is(campaign: Campaign, given: object, view: object) -> Any:
    return CampaignOut(campaign_of(campaign.uid)).data


def _recall(campaign: Campaign, by: Actor, now: dt.datetime) -> dict[str, int]:
    counts = lifecycle.recall(campaign=campaign, by=by, now=now)
    notification = newest_notification(campaign)
    assert notification is not None  # noqa: S101  (there was something to recall)
    return counts | {"removed": removed_of(notification)}


VERBS: dict[str, Verb[Campaign]] = {
    "unschedule": Verb(
        summary="Take a campaign off the schedule",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.unschedule(campaign=campaign, by=by, now=now),
        answer=CampaignOut,
        says=_as_it_is,
    ),
    "send": Verb(
        summary="Send a campaign now",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.send_now(campaign=campaign, by=by, now=now),
        answer=CampaignOut,
        says=_as_it_is,
        status=202,
        done=sent,
        details=(
            "Answers at once; the work goes on in the background. A second call changes nothing."
        ),
    ),
    "pause": Verb(
        summary="Pause a campaign",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.pause(campaign=campaign, by=by, now=now),
        answer=CountsOut,
        one_transaction=False,
    ),
    "resume": Verb(
        summary="Resume a paused campaign",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.resume(campaign=campaign, by=by, now=now),
        answer=CountsOut,
    ),
    "cancel": Verb(
        summary="Cancel a campaign",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.cancel(campaign=campaign, by=by, now=now),
        answer=CountsOut,
        details=HOW_MANY,
        one_transaction=False,
    ),
    "retry": Verb(
        summary="Send the failed messages again",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: lifecycle.retry_failed(campaign=campaign, by=by, now=now),
        answer=RetriedOut,
        says=retried,
        details=RETRIED,
    ),
    "recall": Verb(
        summary="Recall a campaign",
        scope=Scope.CAMPAIGNS_SEND,
        do=_recall,
        answer=RecalledOut,
        details=(
            "Cancels what has not left, removes its in-app messages, the copies of its mails on "
            "the web and its page in the public archive. Mails, texts and pushes that have left "
            "can't be called back. Also when it is sent."
        ),
        one_transaction=False,
    ),
    "publish": Verb(
        summary="Show a campaign in the public archive",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: public_archive.publish(campaign=campaign, by=by, now=now),
        answer=CampaignOut,
        says=_as_it_is,
        details="From the moment it goes out, as it reads for nobody in particular.",
    ),
    "unpublish": Verb(
        summary="Take a campaign out of the public archive",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda campaign, by, now: public_archive.unpublish(campaign=campaign, by=by, now=now),
        answer=CampaignOut,
        says=_as_it_is,
    ),
    "archive": Verb(
        summary="Archive a campaign",
        scope=Scope.CAMPAIGNS_WRITE,
        do=lambda campaign, by, now: lifecycle.archive(campaign=campaign, by=by, now=now),
        answer=CampaignOut,
        says=_as_it_is,
    ),
}


class CampaignBalance(Endpoint):
    """The delivery report of a campaign."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @described(
        "Campaigns",
        "campaigns_balance",
        "Get the delivery report",
        answer=BalanceOut,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        notification = newest_notification(one(ROWS, uid=id))
        sheet = Balance()
        if notification:
            sheet = balance(notification)
        return Response(sheet.as_dict())


class CampaignDeliveries(Endpoint):
    """The messages of a campaign."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @described(
        "Campaigns",
        "campaigns_deliveries",
        "List a campaign's deliveries",
        query=BehindQuery,
        answer=DeliveryOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return self.page(deliveries_of(one(ROWS, uid=id), **self.query(BehindQuery)), DeliveryOut)


def newest_notification(campaign: Campaign) -> Notification | None:
    """What the newest run of the campaign sends; None before the first."""
    run = campaign.runs.select_related("notification").first()
    if run:
        return run.notification
    return None


def deliveries_of(campaign: Campaign, **asked: str) -> QuerySet[Delivery]:
    """The messages of its newest run, narrowed as by BehindQuery."""
    notification = newest_notification(campaign)
    if notification:
        rows = deliveries_behind(notification, **asked)
    else:
        rows = Delivery.objects.none()
    return rows.select_related("notification", "follower", "address")

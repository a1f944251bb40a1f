"""Events: say what happened in your own system; and what the rules made of it."""

import uuid
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, FieldProblem, Strict, described, one
from apps.api.errors import faults_of, flat
from apps.api.parsing import MomentField
from apps.api.v1.audience.followers.written import SOURCE
from apps.api.v1.audience.people import find_or_add
from apps.api.v1.send.notifications import Person
from apps.campaigns.events import store
from apps.campaigns.models import Event, EventOutcome, OutcomeResult
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.lib.refusals import Refused

ROWS = Event.objects.select_related("follower")
MOST = 100
RESULTS = [("accepted", "Accepted"), ("duplicate", "Known already"), ("refused", "Refused")]


class RecordedEvent(serializers.Serializer[Event]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    follower = serializers.UUIDField(source="follower.uid", default=None, allow_null=True)
    data: Any = serializers.DictField()
    occurred_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField(source="received_at", help_text="When it came.")
    dedup_key = serializers.CharField(allow_null=True)
    worked_off = serializers.SerializerMethodField(help_text="Its rules have been judged.")

    def get_worked_off(self, event: Event) -> bool:
        return event.due_at is None


class OutcomeOut(serializers.Serializer[EventOutcome]):
    rule = serializers.UUIDField(
        source="rule.uid", default=None, allow_null=True, help_text="Null: it was deleted."
    )
    rule_name = serializers.CharField()
    result = serializers.ChoiceField(OutcomeResult.choices)
    because = serializers.CharField(help_text="What decided, in a sentence.")
    notification = serializers.UUIDField(source="notification.uid", default=None, allow_null=True)


class EventDetail(RecordedEvent):
    outcomes = OutcomeOut(many=True, help_text="One for each rule that names the event.")


class EventPerson(Person):
    """A known follower by `id` or `external_id`, or a person by address, who is added when unknown.

    What else is said of a known follower is taken over for a key with followers:write only.
    """

    data = None  # how a serializer drops what it inherits


NAMING = {
    "follower.subscribed": Scope.FOLLOWERS_WRITE,
    "follower.tags": Scope.FOLLOWERS_WRITE,
}


class EventIn(Strict):
    naming = NAMING

    name = serializers.CharField(
        max_length=store.MAX_NAME, help_text="Words with dots: `order.created`."
    )
    follower = EventPerson(required=False, help_text="Whom it is about; none for `server.down`.")
    data: Any = serializers.DictField(
        required=False, default=dict, help_text="Up to 256 kB; rules and templates read it."
    )
    occurred_at = MomentField(required=False, help_text="Else now.")
    dedup_key = serializers.CharField(
        required=False,
        max_length=200,
        help_text="Your own id of it: the same name and id again are stored once.",
    )


class RecordedOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    duplicate = serializers.BooleanField(
        help_text="It was known by its `dedup_key`; this is the first one."
    )


class EventQuery(Strict):
    name = serializers.CharField(required=False, max_length=store.MAX_NAME)
    follower = serializers.UUIDField(required=False)


class Events(Endpoint):
    """All events."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ, "POST": Scope.NOTIFICATIONS_WRITE}

    @described(
        "Events",
        "events_list",
        "List events",
        query=EventQuery,
        answer=RecordedEvent(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        asked = self.query(EventQuery)
        rows = ROWS
        if "name" in asked:
            rows = ROWS.filter(name=asked["name"])
        if "follower" in asked:
            rows = rows.filter(follower__in=Follower.objects.filter(uid=asked["follower"]))
        return self.page(rows, RecordedEvent)

    @described(
        "Events",
        "events_record",
        "Say that something happened",
        body=EventIn,
        answer=RecordedOut,
        status=202,
        refuses=(400, 409, 429),
        details=(
            "Stored before it is answered; its rules are judged in the background, on the event "
            "as it came."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(EventIn)
        with transaction.atomic():  # a person who is added stays only if the event is taken
            event = _event(asked, self)
            [(row, new)] = store.record(events=[event], now=self.now)
        return Response({"id": row.uid, "duplicate": not new}, status=202)


def _event(asked: dict[str, Any], view: Endpoint) -> store.NewEvent:
    person = asked.pop("follower", None)
    if person is None:
        return store.NewEvent(**asked)
    follower = find_or_add(
        person,
        place="follower",
        may_write=view.may(Scope.FOLLOWERS_WRITE),
        proof=Proof(source=SOURCE, by=view.by, now=view.now),
    )
    return store.NewEvent(follower=follower, **asked)


class BulkIn(Strict):
    naming = {f"events.{place}": scope for place, scope in NAMING.items()}

    events = serializers.ListField(
        child=serializers.DictField(),
        max_length=MOST,
        allow_empty=False,
        help_text="As in `POST /events`.",
    )


class BulkResult(serializers.Serializer[Any]):
    result = serializers.ChoiceField(RESULTS)
    id = serializers.UUIDField(allow_null=True)
    errors: Any = FieldProblem(many=True)


class BulkOut(serializers.Serializer[Any]):
    results = BulkResult(many=True, help_text="In the order of the events.")


class BulkEvents(Endpoint):
    """Many events at once."""

    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}
    cost = 10

    @described(
        "Events",
        "events_record_many",
        "Say that many things happened",
        body=BulkIn,
        answer=BulkOut,
        status=202,
        refuses=(400, 429),
        details="Up to 100. Each is taken or refused for itself; the answer is 202 either way.",
    )
    def post(self, request: Request) -> Response:
        given = self.body(BulkIn)["events"]
        now = self.now
        with transaction.atomic():
            checked = [_checked(each, self) for each in given]
            stored = iter(
                store.record(
                    events=[each for each in checked if not isinstance(each, list)], now=now
                )
            )
            results = list(_results(checked, stored))
        return Response({"results": results}, status=202)


def _checked(given: dict[str, Any], view: Endpoint) -> store.NewEvent | list[dict[str, str]]:
    """The event; or what is wrong with it, and nobody was added for it."""
    try:
        with transaction.atomic():
            serializer = EventIn(data=given)
            serializer.is_valid(raise_exception=True)
            event = _event(serializer.validated_data, view)
            store.check(event, now=view.now)
            return event
    except serializers.ValidationError as error:
        return list(flat(error.detail))
    except Refused as error:
        return list(faults_of(error))


def _results(
    checked: list[store.NewEvent | list[dict[str, str]]], stored: Iterator[tuple[Event, bool]]
) -> Iterator[dict[str, Any]]:
    for each in checked:
        if isinstance(each, list):
            yield {"result": "refused", "id": None, "errors": each}
        else:
            row, new = next(stored)
            result = "duplicate"
            if new:
                result = "accepted"
            yield {"result": result, "id": row.uid, "errors": []}


class OneEvent(Endpoint):
    """One event, and what each rule made of it."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Events",
        "events_get",
        "Get an event and its results",
        answer=EventDetail,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        rows = ROWS.prefetch_related("outcomes__rule", "outcomes__notification")
        return Response(EventDetail(one(rows, uid=id)).data)

"""What somebody was sent, in which words, and what became of it; what happened; their inbox."""

import datetime as dt
import logging
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.analytics.everything.part import Part, Told, columns, rows_of
from apps.campaigns.events.rules import applies_to
from apps.campaigns.models import Event, EventRule
from apps.content.problems import RenderError
from apps.followers.models import Category, Follower
from apps.inbox.models import InboxItem
from apps.lib.erasing.person import DataSubject
from apps.notifications.messages.person import Person as Reader
from apps.notifications.messages.person import person_of
from apps.notifications.messages.web_copy import copy_for_reader
from apps.notifications.models import Delivery, Recipient

# A code that a phone or a log-in waits for must not be read by whoever reads the mailbox.
SECRET_FOR = dt.timedelta(days=1)

_LEFT_OUT = {"words_left_out": True}

log = logging.getLogger("carillon.everything")


def _is_young(since: dt.datetime) -> bool:
    return since > timezone.now() - SECRET_FOR


def _messages(person: DataSubject, after: int, most: int) -> list[Told]:
    of_others = Delivery.objects.filter(
        Q(follower__isnull=True) | ~Q(follower=person.pk), notification=OuterRef("notification")
    )
    rows = Delivery.objects.filter(follower=person.pk, pk__gt=after).order_by("pk")
    found = rows.annotate(shared=Exists(of_others)).select_related(
        "address", "follower", "notification__notification_type", "notification__version__template"
    )
    found = found.prefetch_related("events", "engagements", "notification__version__links")
    reader = person_of(Follower.objects.get(pk=person.pk))
    return [(row.pk, _message(row, reader, person)) for row in found[:most]]


def _message(row: Any, reader: Reader, person: DataSubject) -> dict[str, Any]:
    notification = row.notification
    kind = notification.notification_type
    links = {link.number: link.url for link in notification.version.links.all()}
    told = columns(
        row,
        "channel",
        "status",
        "reason",
        "error",
        "provider_id",
        "created_at",
        "due_at",
        "finished_at",
        "acknowledged_at",
        "opened_at",
        "clicked_at",
        id=row.uid,
        type=kind.key,
        name=kind.name,
        address=row.address and row.address.value,
        happened=[columns(each, "at", "kind", "detail") for each in row.events.all()],
        opens_and_clicks=[
            columns(each, "at", "kind", "user_agent", "machine", link=links.get(each.link))
            for each in row.engagements.all()
        ],
    )
    if kind.category == Category.CRITICAL and _is_young(row.created_at):
        return told | {"words": {}, **_LEFT_OUT}
    if notification.lost_its_words:
        return told | {"words": {}, "words_no_longer_kept": True}
    own = {
        "data": notification.data,
        "dedup_key": notification.dedup_key,
        "throttle_key": notification.throttle_key,
    }
    if row.shared:  # of what others got too, what names this one
        own = {name: person.said_in(value) for name, value in own.items()}
    try:
        words = dict(copy_for_reader(row, reader).parts)
    except RenderError:
        log.exception("The words of delivery %s could not be written.", row.uid)
        words = {}
    return told | {"words": words, "own_data": row.data} | own


def _planned(row: Recipient) -> dict[str, Any]:
    kind = row.notification.notification_type
    told = columns(row, type=kind.key, send_at=row.notification.send_at)
    if kind.category == Category.CRITICAL:  # its day has not begun
        return told | _LEFT_OUT
    return told | columns(row, "data")


def _event(row: Event) -> dict[str, Any]:
    outcomes = [columns(each, "rule_name", "result", "because") for each in row.outcomes.all()]
    told = columns(row, "name", "occurred_at", "received_at", outcomes=outcomes)
    if _is_young(row.received_at) and _is_critical(row):
        return told | _LEFT_OUT
    return told | columns(row, "data", "dedup_key")


def _is_critical(row: Event) -> bool:
    """Whether a critical message was made of an event, or will be. It takes a query, so
    only events of a day are asked.
    """
    made = [each.notification for each in row.outcomes.all() if each.notification]
    if any(each.notification_type.category == Category.CRITICAL for each in made):
        return True
    rules = EventRule.objects.filter(notification_type__category=Category.CRITICAL)
    return any(applies_to(name, row.name) for name in rules.values_list("event", flat=True))


def _events(person: DataSubject) -> QuerySet[Event]:
    rows = Event.objects.filter(follower=person.pk)
    return rows.prefetch_related("outcomes__notification__notification_type")


def _item(row: InboxItem) -> dict[str, Any]:
    told = columns(row, "category", "created_at", "read_at", "archived_at", "removed_at")
    if row.category == Category.CRITICAL and _is_young(row.created_at):
        return told | _LEFT_OUT
    return told | columns(row, "title", "body", "link")


MESSAGES = "messages"
PARTS = (
    Part(
        MESSAGES,
        _("Messages"),
        _messages,
        ("notifications.Delivery", "notifications.DeliveryEvent", "notifications.Engagement"),
    ),
    Part(
        "planned",
        _("Messages that are about to be planned"),
        rows_of(
            lambda person: Recipient.objects.filter(follower=person.pk).select_related(
                "notification__notification_type"
            ),
            _planned,
        ),
        ("notifications.Recipient",),
    ),
    Part("events", _("Events"), rows_of(_events, _event), ("campaigns.Event",)),
    Part(
        "inbox",
        _("In-app messages"),
        rows_of(lambda person: InboxItem.objects.filter(follower=person.pk), _item),
        ("inbox.InboxItem",),
    ),
)

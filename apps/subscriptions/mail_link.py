"""The mail with the link: whoever reads the mailbox gets the way in."""

import datetime as dt
import logging

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.actor import Actor, ActorKind
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery, Source
from apps.notifications.notify import Intent, NotNotifiable, notify
from apps.subscriptions.public import LINK_TYPE as TYPE
from apps.subscriptions.public import email_of, show
from apps.subscriptions.wording import masked

PAUSE = dt.timedelta(minutes=10)

log = logging.getLogger("carillon.subscriptions")


def mail_fresh(request: HttpRequest, follower: Follower) -> HttpResponse:
    """Mail a fresh link, with which what was pressed can be done, and say so; or what to do for
    whom we know no mailbox of.
    """
    address = email_of(follower)
    if address is None:
        return show(request, "no_mailbox", {}, status=409)
    announce("apps.subscriptions.mail_link.send", lane=Lane.TRANSACTIONAL, follower_id=follower.pk)
    return show(request, "fresh_link", {"place": masked(address.value)})


def send(*, follower_id: int, now: dt.datetime | None = None, **_: object) -> bool:
    """Task: mail the follower (0 = nobody) the link, at most once in ten minutes whoever asks.

    Returns whether it did.
    """
    now = now or timezone.now()
    kind = NotificationType.objects.filter(key=TYPE).first()
    with transaction.atomic():
        # the lock makes two tasks at once see each other's notification
        follower = Follower.objects.select_for_update().filter(pk=follower_id).first()
        if follower is None:
            return False
        if kind is None:
            log.error(
                "No link was mailed: the notification type %r is missing. "
                "Run manage.py setup_site.",
                TYPE,
            )
            return False
        recent = Delivery.objects.filter(follower=follower, created_at__gt=now - PAUSE)
        if recent.filter(notification__notification_type=kind).exists():
            return False
        try:
            intent = Intent(
                notification_type=kind, channels=[Channel.EMAIL], source=Source.PUBLIC_PAGE
            )
            notify(
                intent=intent,
                recipients=[follower],
                by=Actor(ActorKind.FOLLOWER, id=str(follower.uid), label=str(follower)),
                now=now,
            )
        except NotNotifiable as error:
            log.error("No link was mailed: %s", error)
            return False
    return True

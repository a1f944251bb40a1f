"""The mail that asks whoever reads the mailbox to confirm."""

import datetime as dt
import logging

from django.db import transaction
from django.utils import timezone

from apps.followers.models import Channel, NotificationType, SignUp, SignUpState
from apps.followers.sign_up.begin import begin, by_whom
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Source
from apps.notifications.notify import Intent, NotNotifiable, notify
from apps.subscriptions.sign_up.words import texts_of

TYPE = "confirm_address"
TASK = "apps.subscriptions.sign_up.mail.send"

log = logging.getLogger("carillon.subscriptions")


def call(sign_up: SignUp) -> None:
    """Announce the mail of a sign-up, inside the transaction that stores it."""
    announce(TASK, lane=Lane.TRANSACTIONAL, sign_up_id=sign_up.pk)


def send(*, sign_up_id: int, now: dt.datetime | None = None, **_: object) -> bool:
    """Task: mail the address, however often the task runs once.

    Returns whether a mail is on its way.
    """
    now = now or timezone.now()
    kind = NotificationType.objects.filter(key=TYPE, confirms=True).first()
    if kind is None:
        log.error("Nobody is asked: the type %r is missing. Run manage.py setup_site.", TYPE)
        return False
    with transaction.atomic():
        row = begin(sign_up_id=sign_up_id, now=now)
        if row is None or row.follower is None:
            return False
        intent = Intent(
            notification_type=kind,
            channels=[Channel.EMAIL],
            data={"form": texts_of(row.form, row.language)["title"], "sign_up": str(row.uid)},
            send_at=row.mail_at,
            source=Source.PUBLIC_PAGE,
        )
        try:
            notify(intent=intent, recipients=[row.follower], by=by_whom(row), now=now)
        except NotNotifiable as error:
            log.error("Nobody is asked: %s", error)
            transaction.set_rollback(True)
            return False
    return True


def announce_forgotten(*, now: dt.datetime) -> None:
    """Tick: announce again what a lost call left unasked."""
    began = now - dt.timedelta(days=1)
    ended = now - dt.timedelta(minutes=2)
    unasked = SignUp.objects.filter(state=SignUpState.ASKED)
    for row in unasked.filter(created_at__gt=began, created_at__lt=ended)[:100]:
        call(row)

"""The mail that asks whoever reads the mailbox to confirm."""

import datetime as dt
import logging

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.followers.models import Channel, NotificationType, SignUp
from apps.followers.sign_up.begin import begin, by_whom
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Source
from apps.notifications.notify import Intent, NotNotifiable, notify

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
            data={"form": title_of(row), "sign_up": str(row.uid)},
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


def title_of(row: SignUp) -> str:
    """What the form calls itself, in the language of the sign-up."""
    texts = row.form.texts
    own = texts.get(row.language) or texts.get(row.language.partition("-")[0])
    words = own or texts[settings.LANGUAGE_CODE]
    return str(words["title"] or texts[settings.LANGUAGE_CODE]["title"])


def announce_forgotten(*, now: dt.datetime) -> None:
    """Tick: announce again what a lost call left unasked."""
    late = SignUp.objects.filter(state="asked", created_at__lt=now - dt.timedelta(minutes=2))
    for row in late.filter(created_at__gt=now - dt.timedelta(days=1))[:100]:
        call(row)

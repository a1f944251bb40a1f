"""The mail that says that an address, a phone or a browser was added: who holds a forwarded link
must not do it unnoticed.
"""

import datetime as dt
import logging
from typing import Literal

from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.consent.record import Proof
from apps.followers.models import Channel, Follower, NotificationType
from apps.notifications.models import Delivery, Source
from apps.notifications.notify import Intent, NotNotifiable, notify
from apps.subscriptions.public import email_of

TYPE = "security_alert"
TEMPLATE = "new_way_in"
# Connecting and disconnecting without end fills no mailbox; the first mails have said it.
MOST_A_DAY = 20

log = logging.getLogger("carillon.subscriptions")


def tell(
    follower: Follower,
    what: Literal["email", "phone", "browser"],
    label: str,
    *,
    replaced: bool = False,
    proof: Proof,
) -> bool:
    """Mail the follower about what is new, inside the transaction of the change; `replaced`: in
    place of the address that the mail goes to, which it offers to take back.

    False when no mail is on its way: no address, no such type, too many.
    """
    kind = NotificationType.objects.filter(key=TYPE).first()
    template = Template.objects.filter(key=TEMPLATE).first()
    version = None
    if template:
        version = published_version(template)
    if email_of(follower) is None:
        return False
    if kind is None or version is None:
        log.error("Nobody was told: %r or %r is missing. Run manage.py setup_site.", TYPE, TEMPLATE)
        return False
    lately = Delivery.objects.filter(
        follower=follower, created_at__gt=proof.now - dt.timedelta(days=1)
    )
    # each kind for itself: connecting browsers must not keep the news of another address back
    same = lately.filter(notification__version__template=template, notification__data__what=what)
    if same.count() >= MOST_A_DAY:
        return False
    about = {
        "what": what,
        "label": label,
        "happened_at": proof.now.isoformat(),
        "ip_address": proof.ip,
        "replaced": replaced,
    }
    try:
        intent = Intent(
            notification_type=kind,
            version=version,
            channels=[Channel.EMAIL],
            data=about,
            source=Source.PUBLIC_PAGE,
        )
        notify(
            intent=intent,
            recipients=[follower],
            by=proof.by,
            now=proof.now,
        )
    except NotNotifiable as error:
        log.error("Nobody was told: %s", error)
        return False
    return True

"""Delete a follower who was made by mistake: without a mark, so that they can be added again."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.consent.record import locked
from apps.followers.models import Erasure, Follower, Suppression
from apps.followers.privacy.erase import AlreadyGone, erase
from apps.lib.actor import Actor, ActorKind
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.models import Delivery, DeliveryStatus

_PERHAPS_SENT = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENT,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.IN_DOUBT,
)


class NoMistake(Refused):
    """Somebody is more than a mistake; the sentence says what to do."""

    kind = RefusalKind.STATE


def delete_mistake(*, follower: Follower, by: Actor, now: dt.datetime) -> Erasure:
    """Delete a follower to whom nothing was ever sent, and who never said anything.

    All goes as when somebody is erased, but no mark stays. Raises NoMistake, AlreadyGone.
    """
    with transaction.atomic():
        try:
            row = locked(follower)
        except Follower.DoesNotExist:
            raise AlreadyGone(gettext("This follower was erased already.")) from None
        if said := why_not(row):
            raise NoMistake(said)
        return erase(follower=row, by=by, now=now, marked=False)


def why_not(row: Follower) -> str:
    """Say why a follower is more than a mistake, and what to do; "" for a mistake."""
    if Delivery.objects.filter(follower=row, status__in=_PERHAPS_SENT).exists():
        return gettext(
            "Something was sent to this follower. Unsubscribe them, or erase them if they ask for"
            " it."
        )
    keys = list(row.addresses.values_list("key", flat=True))
    refused = row.unsubscribed_at is not None or Suppression.objects.filter(key__in=keys).exists()
    refused |= row.preferences.filter(allowed=False).exists() or row.channel_mutes.exists()
    if refused:
        return gettext(
            "This follower does not want to be written to, and without a mark the next import could"
            " bring them back. Erase them: that leaves one."
        )
    if row.consent_records.filter(actor_kind=ActorKind.FOLLOWER).exists():
        return gettext(
            "This follower said something themselves. Merge them with another, or erase them if"
            " they ask for it."
        )
    return ""

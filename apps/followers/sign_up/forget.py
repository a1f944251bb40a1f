"""Sign-ups that nobody confirmed go after a while, and the people whom only they made."""

import datetime as dt

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.followers.models import Address, AddressState, Follower, SignUp, SignUpState

_AT_ONCE = 500
_UNCONFIRMED = (SignUpState.ASKED, SignUpState.MAILED, SignUpState.HELD)


def unconfirmed(*, before: dt.datetime) -> QuerySet[SignUp]:
    """Find the sign-ups from before this moment that nobody confirmed."""
    return SignUp.objects.filter(state__in=_UNCONFIRMED, created_at__lt=before)


def forget_unconfirmed(*, before: dt.datetime) -> int:
    """Forget sign-ups from before this moment that nobody confirmed, some at a time; returns how
    many.

    A follower goes with the last of them whom nothing else made: no address but the unconfirmed
    one, no name, no id of another system, no tag.
    """
    ids = list(
        unconfirmed(before=before).order_by("created_at").values_list("pk", flat=True)[:_AT_ONCE]
    )
    if not ids:
        return 0
    with transaction.atomic():
        gone = SignUp.objects.filter(pk__in=ids, state__in=_UNCONFIRMED)
        people = set(gone.exclude(follower=None).values_list("follower", flat=True))
        count = gone.delete()[0]
        _forget_people(people)
    return count


def _forget_people(ids: set[int]) -> None:
    others = Address.objects.filter(follower=OuterRef("pk")).exclude(state=AddressState.UNCONFIRMED)
    left = SignUp.objects.filter(follower=OuterRef("pk"))
    nobodies = Follower.objects.filter(
        ~Exists(others),
        ~Exists(left),
        pk__in=ids,
        subscribed=False,
        unsubscribed_at=None,
        name="",
        external_id=None,
        taggings=None,
    )
    nobodies.delete()

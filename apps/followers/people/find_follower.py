"""Single followers as staff name them: by email, phone, external id or id,
or by a part of the name.
"""

import uuid
from contextlib import suppress

from django.db.models import Q

from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Address, Channel, Follower
from apps.followers.people.search import find


def find_one(text: str) -> Follower | None:
    """The follower whose address, external id or id is exactly this."""
    wanted = Q(external_id=text)
    for channel in (Channel.EMAIL, Channel.SMS):
        try:
            _, key = normalise(channel, text)
        except BadAddress:
            continue
        wanted |= Q(pk__in=Address.objects.filter(channel=channel, key=key).values("follower"))
    with suppress(ValueError):
        wanted |= Q(uid=uuid.UUID(text))
    return Follower.objects.filter(wanted).first()


def find_some(text: str, *, most: int = 5) -> list[Follower]:
    """Whoever may be meant, the one that is exactly this first; nobody for ""."""
    text = text.strip()
    if not text:
        return []
    exact = find_one(text)
    others = find(text).order_by("pk")
    if exact:
        return [exact, *others.exclude(pk=exact.pk)[: most - 1]]
    return list(others[:most])


def name_of(follower: Follower) -> str:
    """What finds exactly this follower again."""
    own = [
        address.value
        for address in follower.addresses.all()
        if address.channel in (Channel.EMAIL, Channel.SMS)
    ]
    if own:
        return own[0]
    return follower.external_id or str(follower.uid)

"""Single followers as staff name them: by email, phone, external id or id,
or by a part of the name.
"""

from apps.followers.models import Channel, Follower
from apps.followers.people.search import exactly, find


def find_one(text: str) -> Follower | None:
    """The follower whose address, external id or id is exactly this."""
    return Follower.objects.filter(exactly(text)).first()


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

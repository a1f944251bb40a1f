"""The inbox of somebody who is erased goes with them, and what facts tell of its items; that of
somebody who is merged into another becomes the other's.
"""

import datetime as dt

from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.lib.erasing.person import DataSubject


def forget(*, person: DataSubject, now: dt.datetime) -> None:
    """Name the person's items, so that the audit log forgets their titles."""
    mine = InboxItem.objects.filter(follower=person.pk)
    person.subjects["inbox_item"] = [str(uid) for uid in mine.values_list("uid", flat=True)]
    mine.delete()


def take_over(*, kept: Follower, gone: Follower, now: dt.datetime) -> None:
    """Give the items of a follower to the one who stays."""
    InboxItem.objects.filter(follower=gone).update(follower=kept)

"""The inbox of somebody who is erased goes with them; what facts tell of its items goes, too."""

import datetime as dt

from apps.inbox.models import InboxItem
from apps.lib.erasing.person import DataSubject


def forget(*, person: DataSubject, now: dt.datetime) -> None:
    """Name the person's items, so that the audit log forgets their titles."""
    mine = InboxItem.objects.filter(follower=person.pk)
    person.subjects["inbox_item"] = [str(uid) for uid in mine.values_list("uid", flat=True)]
    mine.delete()

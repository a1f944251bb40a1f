"""Take the links to a follower's own pages back, from whoever holds one."""

import datetime as dt

from django.db import transaction

from apps.followers.models import Follower
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell


def revoke_links(*, follower: Follower, by: Actor, now: dt.datetime) -> Follower:
    """Make all links to the follower's pages worthless that were made until now.

    They never expire by themselves, so this is for a mail that was forwarded or a mailbox that was
    broken into. Whoever holds one can still stop messages with it (RFC 8058), and do nothing else.
    """
    with transaction.atomic():
        row = Follower.objects.select_for_update(no_key=True).get(pk=follower.pk)
        row.addresses.update(replaced_at=None)  # nor is an address taken back with one
        end_links(row, by=by, now=now)
    return row


def end_links(row: Follower, *, by: Actor, now: dt.datetime) -> None:
    """Do so for a follower who is locked, and leave the ways back to an address open."""
    row.links_since = now
    row.save(update_fields=["links_since"])
    tell(Kind.FOLLOWER_LINKS_REVOKED, by=by, now=now, about=row)

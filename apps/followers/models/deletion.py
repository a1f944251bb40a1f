"""Deleting followers and addresses, and who must not see one go: deliveries point to both, and no
key of the database watches over them.

A key would lock a follower and an address for each delivery: a good part of what it costs to plan a
large send. Instead, whoever writes deliveries keeps the people they are about until its transaction
ends: a few by their rows (`keep`), a slice of a large send by one lock for all (`keep_all`).
Whoever deletes waits for both, and then clears what points to the row, as `on_delete` says. SQLite
has one writer at a time.
"""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar, TypeVar

from django.db import connection, models, transaction

from apps.lib.sql.in_array import as_array
from apps.lib.sql.prepared import Statement, run_prepared, run_soon
from apps.lib.sql.raw import run

# in order: two that lock many would else wait for each other in a ring
_CHOSEN = "SELECT id FROM followers_follower WHERE id = ANY(%s::bigint[]) ORDER BY id"
_LOCK = 7412  # key of an advisory lock; apps/notifications/books/tallies.py has others
M = TypeVar("M", bound="DeletedAlone")


def keep_all() -> None:
    """Let no follower and no address be deleted until this transaction ends.

    For transactions that wait for no follower's row: whoever deletes waits for them with one
    locked.
    """
    if connection.vendor == "postgresql":
        run_prepared("SELECT pg_advisory_xact_lock_shared(%s)", [_LOCK])


def keep(followers: Collection[int]) -> None:
    """Let none of these followers and of their addresses be deleted until this transaction ends."""
    if connection.vendor != "postgresql":
        return
    lock = Statement(f"{_CHOSEN} FOR KEY SHARE", [as_array(followers)])
    if len(followers) == 1:
        run_soon(lock)
    else:  # for its values: a plan that is kept is for one or two
        run(lock.sql, lock.params)


def keep_out(followers: Iterable[int]) -> None:
    """Wait until nobody keeps these followers, and let nobody keep them or all until this
    transaction ends.
    """
    if connection.vendor == "postgresql":
        run(f"{_CHOSEN} FOR UPDATE", [as_array(followers)])
        run_prepared("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


class _Rows(models.QuerySet[M]):
    def delete(self) -> tuple[int, dict[str, int]]:
        with transaction.atomic(savepoint=False):
            whose = self.order_by().values_list(self.model.FOLLOWER, flat=True)
            followers = set(whose)
            if followers:
                keep_out(followers)
            # those only: others may have come to match meanwhile
            rows = self.filter(**{f"{self.model.FOLLOWER}__in": followers})
            return super(_Rows, rows).delete()


class Guarded(models.Manager[M]):
    """The manager of a model that is DeletedAlone: its querysets delete as the model does."""

    def get_queryset(self) -> _Rows[M]:
        return _Rows(self.model, using=self._db)


class DeletedAlone(models.Model):
    """A follower, or a row of one's that deliveries point to; its manager is `Guarded`."""

    FOLLOWER: ClassVar[str]  # the column that says which follower that is

    class Meta:
        abstract = True

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic(savepoint=False):
            keep_out([getattr(self, self.FOLLOWER)])
            return super().delete(*args, **options)

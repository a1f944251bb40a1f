"""How much of its allowance each caller has used, and which writes were done already."""

from django.db import models


class Allowance(models.Model):
    """One caller's bucket. A row in the database,
    because the caches of several processes count apart (limits.py).
    """

    caller = models.CharField(max_length=64, unique=True)  # key:<uid> or staff:<uid>
    # Unix time at which everything spent so far has been earned back ("theoretical arrival time" in
    # GCRA)
    spent_until = models.FloatField()


class IdempotentCall(models.Model):
    """A write that came with an Idempotency-Key (idempotency.py):
    being worked on until it has a status.
    """

    scope = models.CharField(
        max_length=64, unique=True
    )  # SHA-256 of caller, method, path and key: any path fits
    body = models.CharField(max_length=64)  # SHA-256 of the canonical body
    request_id = models.CharField(max_length=36)  # of the call that does, or did, the work
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True)  # encrypted (lib.crypto)
    locked_until = models.DateTimeField()  # after that another call may take the work over
    created_at = models.DateTimeField(db_index=True)  # the schedule that forgets

    def __str__(self) -> str:
        return self.request_id

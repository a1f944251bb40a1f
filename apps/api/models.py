"""How much of its allowance each caller has used."""

from django.db import models


class Allowance(models.Model):
    """One caller's bucket. A row in the database, because the caches of several processes count apart (limits.py)."""

    caller = models.CharField(max_length=64, unique=True)  # key:<uid> or staff:<uid>
    # Unix time at which everything spent so far has been earned back ("theoretical arrival time" in GCRA)
    spent_until = models.FloatField()

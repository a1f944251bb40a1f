"""How old this database is, beside the mark in VAR_DIR that no backup brings back."""

import uuid

from django.db import models

from apps.lib.facts import Subject


class Generation(models.Model):
    """The one row that counts on while the site works (restored.py is its only writer)."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    database = models.UUIDField(default=uuid.uuid4)  # another database is no older one
    number = models.BigIntegerField(default=0)
    # this database is older than the mark: existing sends wait for a person since then
    held_at = models.DateTimeField(null=True)
    may_repeat = models.BigIntegerField(default=0)  # messages that waited then

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="generation_is_one_row")
        ]

    def __str__(self) -> str:
        return f"generation {self.number}"

    @property
    def fact_subject(self) -> Subject:
        return Subject("database", str(self.database), "Database")

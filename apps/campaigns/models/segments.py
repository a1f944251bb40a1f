"""Segments: rules with a name."""

from django.db import models

from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class Segment(models.Model):
    """A saved question about followers; audience/language.py explains its rules."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    rules = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("segment", str(self.uid), self.name)

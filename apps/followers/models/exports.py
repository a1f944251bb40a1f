"""Exports: the job, and what it has written so far."""

from django.db import models
from django.utils.translation import pgettext_lazy

from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class ExportState(models.TextChoices):
    RUNNING = "running", pgettext_lazy("export", "Running")
    READY = "ready", pgettext_lazy("export", "Ready")
    FAILED = "failed", pgettext_lazy("export", "Failed")


class Export(models.Model):
    """Rows of one kind on their way out; `last_id` is the checkpoint from which a restarted worker
    goes on. It is kept for a day.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    kind = models.CharField(max_length=30)  # of settings.EXPORTS
    asked = models.JSONField(default=dict)  # the filter, as the kind reads it
    columns = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=ExportState, default=ExportState.RUNNING)
    rows_done = models.PositiveIntegerField(default=0)
    rows_total = models.PositiveIntegerField(default=0)  # as counted at the start
    chunks_done = models.PositiveIntegerField(default=0)
    last_id = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)  # slices begun since one succeeded
    error = models.CharField(max_length=300, blank=True)
    by_kind = models.CharField(max_length=10)
    by_id = models.CharField(max_length=64, blank=True)
    by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField()  # when a slice was written, or announced again
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the tick: those that run, and those that are old
            models.Index(
                fields=["touched_at"], condition=models.Q(state="running"), name="export_running"
            ),
            models.Index(fields=["created_at"], name="export_old"),
        ]

    def __str__(self) -> str:
        return self.kind

    @property
    def fact_subject(self) -> Subject:
        return Subject("export", str(self.uid), self.kind)


class ExportChunk(models.Model):
    """Some rows of an export, compressed and encrypted: a copy of many people's data lies nowhere
    readable, and the next slice adds a row and touches no file.
    """

    export = models.ForeignKey(
        Export, on_delete=models.CASCADE, related_name="chunks", db_index=False
    )
    number = models.PositiveIntegerField()
    body = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["export", "number"], name="export_chunk_once")
        ]

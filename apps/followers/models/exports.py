"""Exports: the job, and what it has written so far."""

import datetime as dt

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
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


class ExportEvery(models.TextChoices):
    """How often a schedule begins an export, by the site's clock."""

    HOURLY = "hourly", _("Every hour, at these minutes")
    DAILY = "daily", _("Every day")
    WEEKLY = "weekly", _("Every Monday")
    MONTHLY = "monthly", _("On the first of each month")


class ExportPlace(models.TextChoices):
    """A kind of place for the files of a schedule."""

    FOLDER = "folder", _("A folder of the server")
    S3 = "s3", _("A store that speaks S3")


class ExportSchedule(models.Model):
    """An export that begins by itself, and whose files are put somewhere else.

    exports/schedules.py writes what staff decided, exports/due.py and store.py what came of it.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=30)  # of settings.EXPORTS
    asked = models.JSONField(default=dict)  # the filter as it was typed: checked anew each time
    file_format = models.CharField(max_length=10)  # of formats.FORMATS
    every = models.CharField(max_length=7, choices=ExportEvery, default=ExportEvery.DAILY)
    at = models.TimeField(default=dt.time(3))
    place = models.CharField(max_length=6, choices=ExportPlace)
    folder = models.CharField(max_length=200, blank=True)  # below EXPORT_FOLDER, or in the bucket
    settings = models.TextField(blank=True)  # of the store: encrypted JSON (lib.crypto)
    active = models.BooleanField(default=True)
    next_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)  # when all of an export was there
    failed_at = models.DateTimeField(null=True, blank=True)  # null once one came after that
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]
        indexes = [
            # the tick: what is due
            models.Index(fields=["next_at"], condition=Q(active=True), name="export_schedule_due"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(active=False) | Q(next_at__isnull=False),
                name="export_schedule_active_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("scheduled_export", str(self.uid), self.name)


class ShipmentState(models.TextChoices):
    WAITING = "waiting", pgettext_lazy("shipment", "Waiting")
    STORED = "stored", pgettext_lazy("shipment", "Stored")
    FAILED = "failed", pgettext_lazy("shipment", "Failed")


class Shipment(models.Model):
    """An export on its way to where its schedule wants it; goes with the export."""

    export = models.OneToOneField(Export, on_delete=models.CASCADE, related_name="shipment")
    schedule = models.ForeignKey(ExportSchedule, on_delete=models.CASCADE, related_name="shipments")
    state = models.CharField(max_length=7, choices=ShipmentState, default=ShipmentState.WAITING)
    chunks_done = models.PositiveIntegerField(default=0)
    files_done = models.PositiveIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)  # begun since a file was there
    due_at = models.DateTimeField()  # when it is tried next; while somebody does, when given up
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [
            # the tick: what is to be tried
            models.Index(
                fields=["due_at"], condition=Q(state="waiting"), name="export_shipment_due"
            ),
        ]

    def __str__(self) -> str:
        return str(self.schedule)

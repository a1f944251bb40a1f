"""Imports of followers: the job, whom it brought, and the rows it refused."""

from django.db import models
from django.utils.translation import pgettext_lazy

from apps.followers.models.people import Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class ImportState(models.TextChoices):
    # the file is here; columns are not mapped yet
    UPLOADED = "uploaded", pgettext_lazy("import", "Uploaded")
    RUNNING = "running", pgettext_lazy("import", "Running")
    FINISHED = "finished", pgettext_lazy("import", "Finished")
    FAILED = "failed", pgettext_lazy("import", "Failed")


class Import(models.Model):
    """One CSV file on its way in; `rows_done` is the checkpoint that a restarted worker goes on
    from.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    file_name = models.CharField(max_length=200)
    path = models.CharField(max_length=300)  # below MEDIA_ROOT
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    dialect = models.JSONField()  # encoding, delimiter, columns, may_say_out, system; words
    mapping = models.JSONField(
        default=dict
    )  # {"Column heading": "email" | "name" | ... | "metadata.<key>"}
    options = models.JSONField(default=dict)  # as options.Options.as_json
    rows_total = models.PositiveIntegerField(null=True, blank=True)
    rows_done = models.PositiveIntegerField(default=0)
    offset = models.PositiveBigIntegerField(
        default=0
    )  # byte at which the next row begins, so that no slice reads from the top
    line = models.PositiveIntegerField(default=1)  # and its line number
    attempts = models.PositiveSmallIntegerField(
        default=0
    )  # claims since the last slice that succeeded
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    suppressed = models.PositiveIntegerField(default=0)  # rows of a do-not-contact list
    refused = models.PositiveIntegerField(default=0)
    incomplete = models.PositiveIntegerField(default=0)  # rows that lost a cell and went in
    error = models.CharField(max_length=300, blank=True)
    owner = models.CharField(max_length=64, blank=True)  # lease of the worker that runs it
    lease_until = models.DateTimeField(null=True, blank=True)
    by_kind = models.CharField(max_length=10)
    by_id = models.CharField(max_length=64, blank=True)
    by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    @property
    def fact_subject(self) -> Subject:
        return Subject("import", str(self.uid), self.file_name)


class ImportedFollower(models.Model):
    """The line on which a file spoke about a follower; later lines about that one are refused.

    One for each row of each file, so no key of the database watches over the file. Only imports
    that were never started are deleted, and they have none.
    """

    job = models.ForeignKey(
        Import,
        on_delete=models.DO_NOTHING,
        related_name="imported",
        db_index=False,
        db_constraint=False,
    )
    follower = models.ForeignKey(
        Follower,
        on_delete=models.CASCADE,
        related_name="imported",
        db_index=False,
    )
    line = models.PositiveIntegerField()

    class Meta:
        constraints = [
            # in this order: it also finds the files that somebody stands in
            models.UniqueConstraint(
                fields=["follower", "job"], name="imported_follower_once_per_file"
            )
        ]


class ImportProblem(models.Model):
    """One row that was refused or lost a cell, with its line number, for the file of problems."""

    job = models.ForeignKey(
        Import, on_delete=models.CASCADE, related_name="problems", db_index=False
    )
    line = models.PositiveIntegerField()
    message = models.CharField(max_length=300)
    row = models.JSONField(default=list)  # its cells, in the order of the file
    taken = models.BooleanField(default=False)  # the row went in without what could not be read

    class Meta:
        ordering = ["line"]
        constraints = [
            models.UniqueConstraint(fields=["job", "line"], name="import_problem_once_per_line")
        ]

"""Signs of life."""

from django.db import models


class SignedMark(models.Model):
    """Something of the site's own that SECRET_KEY signed: it tells when the key is another one."""

    name = models.CharField(max_length=40, unique=True)
    value = models.TextField()

    def __str__(self) -> str:
        return self.name


class LaneHeartbeat(models.Model):
    """One process group under one supervisor, and when it last showed that it works.

    The supervisor writes when and why it started the group; only the group itself writes `beat_at`.
    Whoever has read how often it was replaced, and why, sets that back.
    """

    supervisor = models.CharField(max_length=100)  # host:pid
    lane = models.CharField(max_length=20)  # a queue lane, or "tick"
    started_at = models.DateTimeField()
    beat_at = models.DateTimeField(null=True)
    # since when nothing could leave, and why: the last message or canary failed
    failing_since = models.DateTimeField(null=True)
    fault = models.CharField(max_length=200, blank=True)
    restarts = models.PositiveIntegerField(default=0)
    restart_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["supervisor", "lane"], name="one_heartbeat_per_group")
        ]

    def __str__(self) -> str:
        return f"{self.lane} on {self.supervisor}"

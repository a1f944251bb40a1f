"""Who acts, and what they did."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class Role(models.TextChoices):
    """What a person or key may do; each includes the ones before it (permissions.py says what
    exactly).
    """

    VIEWER = "viewer", pgettext_lazy("role", "Viewer")
    EDITOR = "editor", pgettext_lazy("role", "Editor")
    SENDER = "sender", pgettext_lazy("role", "Sender")
    ADMIN = "admin", pgettext_lazy("role", "Admin")


class User(AbstractUser):
    """A member of staff."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    time_zone = models.CharField(
        max_length=64, default="UTC", help_text=_("An IANA name such as Europe/Berlin.")
    )
    # of the staff pages, one of settings.LANGUAGES; empty: the browser's
    language = models.CharField(max_length=10, blank=True, default="")

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known")
        ]

    @property
    def fact_subject(self) -> Subject:
        return Subject("staff", str(self.uid), self.get_full_name() or self.username)


class ApiKey(models.Model):
    """A program's key: found by its prefix, compared by hash;
    the secret is shown once and never stored.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    hashed = models.CharField(
        max_length=64
    )  # SHA-256 of the secret: 256 random bits need no slow hash
    scopes = models.JSONField(default=list)  # list of permissions.Scope values
    # None: a command issued it. Nobody is deleted from beneath a key, which does what they may do.
    created_by = models.ForeignKey(
        User, null=True, on_delete=models.PROTECT, related_name="api_keys"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def fact_subject(self) -> Subject:
        return Subject("api_key", str(self.uid), str(self))


class AuditEntry(models.Model):
    """One fact as it happened. Append-only: nothing in the product changes or deletes a row, but
    that who was erased is taken out of it (accounts/erased.py).
    """

    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    actor_kind = models.CharField(max_length=10)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_label = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True)
    subject_type = models.CharField(max_length=40)
    subject_id = models.CharField(max_length=255)  # the longest are domains and slugs of tags
    subject_label = models.CharField(max_length=200, blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            # the history on a follower's, template's or campaign's page
            models.Index(fields=["subject_type", "subject_id", "-id"], name="audit_subject"),
            # the audit page filtered by person
            models.Index(fields=["actor_kind", "actor_id", "-id"], name="audit_actor"),
            # the audit page filtered by what happened
            models.Index(fields=["kind", "-id"], name="audit_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.kind} {self.subject_label}"


class LedgerSeal(models.Model):
    """A link of the chain over rows that nobody may change: `hash` is over the link before it and
    over this one's digests. ledger.py is its only writer.

    The digest of what may have to be erased is salted: without the salt nobody can try names
    against it, and it still counts in the chain.
    """

    ledger = models.CharField(max_length=10)  # of settings.LEDGERS
    number = models.PositiveBigIntegerField()  # from 1, without a gap
    row_id = models.PositiveBigIntegerField()
    owner = models.CharField(max_length=36, blank=True)  # uid of the follower whose row it is
    content = models.CharField(max_length=64)  # SHA-256 of what stays
    personal = models.CharField(max_length=64)  # SHA-256 of the salt and what may be erased
    salt = models.CharField(max_length=32, blank=True)  # "" = erased
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ledger", "number"], name="ledger_seal_number_once"),
            models.UniqueConstraint(fields=["ledger", "row_id"], name="ledger_seal_row_once"),
        ]

    def __str__(self) -> str:
        return f"{self.ledger} {self.number}"

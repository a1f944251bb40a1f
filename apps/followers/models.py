"""Whom we may write to, where, and what they said about it.

A foreign key that a constraint begins with has that index and no other (`db_index=False`): the tables grow by millions.
"""

import datetime as dt

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from apps.lib.ids import uuid7


class Channel(models.TextChoices):
    """How a message reaches a person."""

    EMAIL = "email", "Email"
    SMS = "sms", "SMS"
    PUSH = "push", "Mobile push"
    WEB_PUSH = "web_push", "Web push"
    IN_APP = "in_app", "In-app"
    WEBHOOK = "webhook", "Webhook"
    VOICE = "voice", "Voice call"


# Where a person has many addresses of a kind, each of them gets the message.
EVERYWHERE = frozenset({Channel.PUSH, Channel.WEB_PUSH, Channel.WEBHOOK})


def channel_of_address(channel: str) -> str:
    """Which of a person's addresses a channel goes to: a call goes to the number that texts go to."""
    return Channel.SMS if channel == Channel.VOICE else channel


class Follower(models.Model):
    """A person (or program) who lets us write. `subscribed` is the global word on commercial messages."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    language = models.CharField(max_length=35, default="en")  # BCP 47
    time_zone = models.CharField(max_length=64, blank=True)  # IANA name; blank = the site's
    subscribed = models.BooleanField(default=True)
    subscribed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    # may we count whether this person opens and clicks? asked when a mail is made and when a click is stored
    measured = models.BooleanField(default=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags: "models.ManyToManyField[Tag, Tagging]" = models.ManyToManyField(
        "Tag", through="Tagging", related_name="followers"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # list page and API: only subscribed / only unsubscribed, newest first
            models.Index(fields=["subscribed", "-id"], name="follower_subscribed"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(subscribed=False) | Q(subscribed_at__isnull=False), name="follower_subscribed_has_a_time"
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.uid)

    @property
    def email(self) -> str:
        """The primary e-mail address, "" without one. Costs a query unless the addresses were prefetched."""
        return self._primary(Channel.EMAIL)

    @property
    def phone(self) -> str:
        """The primary phone number in E.164, "" without one."""
        return self._primary(Channel.SMS)

    @property
    def label(self) -> str:
        """What people know this follower by: the name, else an address, else an id."""
        return self.name or self.email or self.phone or self.external_id or str(self.uid)

    def _primary(self, channel: Channel) -> str:
        return next((row.value for row in self.addresses.all() if row.primary and row.channel == channel), "")


class AddressState(models.TextChoices):
    UNCONFIRMED = "unconfirmed", "Unconfirmed"  # waiting for the double opt-in click; nothing but that mail is sent
    ACTIVE = "active", "Active"
    BOUNCED = "bounced", "Bounced"  # a hard bounce came back; also in Suppression
    SUPPRESSED = "suppressed", "Suppressed"  # complaint, STOP or a person's decision; also in Suppression
    # a device or browser that is no more: kept because its deliveries refer to it, and as if it were not there
    GONE = "gone", "Gone"
    OFF = "off", "Switched off"  # a webhook: by a person, or because its calls failed for days; see Webhook


class Address(models.Model):
    """One place to reach a follower. `key` is what makes two spellings the same (addresses.py)."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="addresses")
    channel = models.CharField(max_length=10, choices=Channel)
    value = models.CharField(max_length=2000)  # a push token or endpoint is long
    key = models.CharField(max_length=500)
    state = models.CharField(max_length=12, choices=AddressState, default=AddressState.ACTIVE)
    primary = models.BooleanField(default=True)  # never for channels that go EVERYWHERE
    via = models.CharField(max_length=10, blank=True)  # the service that knows the token: fcm, apns; else ""
    # what else is needed to reach it (devices.py): a browser's keys, a webhook's encrypted secret; null for most
    details = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(null=True, blank=True)  # a device: when it last said that it is there

    class Meta:
        ordering = ["channel", "-primary", "id"]
        verbose_name_plural = "addresses"
        indexes = [
            # devices that were not seen for long (devices.forget_idle); no other address has a time there
            models.Index(fields=["seen_at"], condition=Q(seen_at__isnull=False), name="address_idle"),
        ]
        constraints = [
            # one person per address: whoever says STOP there says it for that person
            models.UniqueConstraint(fields=["channel", "key"], name="address_belongs_to_one"),
            # planning joins the primary address of a channel; two would mean two copies
            models.UniqueConstraint(
                fields=["follower", "channel"], condition=Q(primary=True), name="address_one_primary"
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What people read. A token is all that it takes to write to a device, so a device goes by its name."""
        if self.channel not in (Channel.PUSH, Channel.WEB_PUSH):
            return self.value
        details = self.details or {}
        return str(details.get("label") or details.get("platform") or Channel(self.channel).label)


class OffReason(models.TextChoices):
    """Why a webhook is switched off."""

    FAILING = "failing", "Its calls failed for days"
    GONE = "gone", "It answered 410 Gone"
    PERSON = "person", "Switched off by hand"


class Webhook(models.Model):
    """How the calls of an address of the channel webhook went; made with it (webhook_calls.py)."""

    address = models.OneToOneField(Address, on_delete=models.CASCADE, primary_key=True, related_name="webhook")
    succeeded_at = models.DateTimeField(null=True, blank=True)  # to the minute
    answer = models.CharField(max_length=300, blank=True)  # the last one, or why there was none
    answered_at = models.DateTimeField(null=True, blank=True)
    # the first failure since the last success, and on how many days (UTC) there was one since
    failing_since = models.DateTimeField(null=True, blank=True)
    failed_on = models.DateField(null=True, blank=True)
    failed_days = models.PositiveSmallIntegerField(default=0)
    off_at = models.DateTimeField(null=True, blank=True)  # with it the address's state is OFF
    off_reason = models.CharField(max_length=7, choices=OffReason, blank=True)

    class Meta:
        indexes = [
            # the list page: those that are switched off, those that fail; most do neither
            models.Index(fields=["address"], condition=Q(off_at__isnull=False), name="webhook_off"),
            models.Index(fields=["address"], condition=Q(failing_since__isnull=False), name="webhook_failing"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(off_at__isnull=True, off_reason="") | Q(off_at__isnull=False) & ~Q(off_reason=""),
                name="webhook_off_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.address.value


class Tag(models.Model):
    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True, allow_unicode=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(Lower("name"), name="tag_name_any_case")]

    def __str__(self) -> str:
        return self.name


class Tagging(models.Model):
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="taggings")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="taggings", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "follower"], name="tagging_once")]


class Category(models.TextChoices):
    CRITICAL = "critical", "Critical"  # can't be switched off
    ACTION_REQUIRED = "action_required", "Action required"
    INFORMATIONAL = "informational", "Informational"
    MARKETING = "marketing", "Marketing"


class DoubtPolicy(models.TextChoices):
    """What happens to a message that was perhaps handed over when its sender died (RFC 1047)."""

    RESEND = "resend", "Send again with the same Message-ID"
    HOLD = "hold", "Hold for a person"


class NotificationType(models.Model):
    """A message type: what people can have an opinion about."""

    key = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    # {"ru": {"name": ..., "description": ...}} for the preference center
    translations = models.JSONField(default=dict, blank=True)
    category = models.CharField(max_length=16, choices=Category, default=Category.INFORMATIONAL)
    # Commercial messages obey the global opt-out and carry one-click unsubscribe; the others don't.
    commercial = models.BooleanField(default=False)
    channels = models.JSONField(default=list)  # channels it is offered on, e.g. ["email", "in_app"]
    default_channels = models.JSONField(default=list)  # those that are on until the follower says otherwise
    locked_channels = models.JSONField(default=list, blank=True)  # an admin's word: on, and read-only
    doubt_policy = models.CharField(max_length=6, choices=DoubtPolicy, default=DoubtPolicy.RESEND)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=100)
    schema = models.JSONField(null=True, blank=True)  # JSON Schema (2020-12) of the data of a call; null = any
    lifetime = models.PositiveIntegerField(null=True, blank=True)  # seconds after which it is worthless
    digest = models.BooleanField(default=False)  # may wait for a follower's digest and be gathered there
    # at most so many to one follower in so many seconds, for each throttle key of the callers; the rest is skipped
    throttle_count = models.PositiveSmallIntegerField(null=True, blank=True)
    throttle_seconds = models.PositiveIntegerField(null=True, blank=True)
    # one channel after the other, until one reached the follower, instead of all at once: ["push", "sms"]
    fallback = models.JSONField(default=list, blank=True)
    fallback_after = models.PositiveIntegerField(default=300)  # seconds that each of them gets

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(category=Category.MARKETING) | Q(commercial=True), name="type_marketing_is_commercial"
            ),
            models.CheckConstraint(
                condition=~Q(category=Category.CRITICAL) | Q(commercial=False), name="type_critical_is_not_commercial"
            ),
            # a lock goes before the global opt-out (verdict.py), so what it locks must not be commercial
            models.CheckConstraint(
                condition=Q(commercial=False) | Q(locked_channels=[]), name="type_commercial_is_not_locked"
            ),
            models.CheckConstraint(
                condition=~Q(category=Category.CRITICAL) | Q(digest=False), name="type_critical_is_not_digested"
            ),
            models.CheckConstraint(
                condition=Q(throttle_count__isnull=True, throttle_seconds__isnull=True)
                | Q(throttle_count__gt=0, throttle_seconds__gt=0),
                name="type_throttle_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Preference(models.Model):
    """A follower's own word on one cell of the matrix; no row = the default applies."""

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="preferences", db_index=False)
    notification_type = models.ForeignKey(NotificationType, on_delete=models.CASCADE, related_name="preferences")
    channel = models.CharField(max_length=10, choices=Channel)
    allowed = models.BooleanField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["follower", "notification_type", "channel"], name="preference_one_per_cell")
        ]


class ChannelMute(models.Model):
    """The follower switched a whole channel off."""

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="channel_mutes", db_index=False)
    channel = models.CharField(max_length=10, choices=Channel)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["follower", "channel"], name="channel_mute_once")]


class Cadence(models.TextChoices):
    """How often a follower wants what may wait."""

    INSTANT = "instant", "At once"
    HOURLY = "hourly", "Every hour"
    DAILY = "daily", "Once a day"
    WEEKLY = "weekly", "Once a week"


class Rhythm(models.Model):
    """When a follower wants to be written to. No row: at any time, everything at once."""

    follower = models.OneToOneField(Follower, on_delete=models.CASCADE, related_name="rhythm", primary_key=True)
    # {"0": ["22:00", "07:00"]}: by the weekday on which it begins (Monday is 0), in the follower's zone; an end that is
    # not after the start is on the next day
    quiet = models.JSONField(default=dict, blank=True)
    cadence = models.CharField(max_length=7, choices=Cadence, default=Cadence.INSTANT)
    digest_at = models.TimeField(default=dt.time(8))  # of daily and weekly digests
    digest_weekday = models.PositiveSmallIntegerField(default=0)  # of weekly ones; Monday is 0
    snoozed_until = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(digest_weekday__lte=6), name="rhythm_weekday_exists")]


class PhoneCode(models.Model):
    """A number that somebody says is theirs, and the code that was sent there; nobody's address until it is typed."""

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="phone_codes", db_index=False)
    value = models.CharField(max_length=20)  # E.164
    code_hash = models.CharField(max_length=64, blank=True)  # keyed; blank until the code is on its way
    tries = models.PositiveSmallIntegerField(default=0)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True, blank=True)  # no provider took it
    ended_at = models.DateTimeField(null=True, blank=True)  # typed right, or not wanted any more

    class Meta:
        indexes = [
            # the latest one of a follower; and how many were asked for lately, by whom, for which number, from where
            models.Index(fields=["follower", "-created_at"], name="phone_code_latest"),
            models.Index(fields=["value", "created_at"], name="phone_code_of_number"),
            models.Index(fields=["ip", "created_at"], name="phone_code_of_place"),
            # those that are over and go
            models.Index(fields=["created_at"], name="phone_code_old"),
        ]


class ConsentRecord(models.Model):
    """Proof of what a follower agreed to or refused: when, how, under which wording. Append-only."""

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="consent_records")
    at = models.DateTimeField()
    act = models.CharField(max_length=30)  # subscribed, unsubscribed, preferences_changed
    source = models.CharField(max_length=30)  # preference_center, one_click, api, staff, import, command
    scope = models.JSONField(default=dict)  # what exactly: {"all": true} or the cells with before and after
    wording = models.CharField(max_length=40, blank=True)  # version of the text the person saw
    reason = models.CharField(max_length=300, blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_label = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]


class SuppressionReason(models.TextChoices):
    MANUAL = "manual", "Added by staff"
    HARD_BOUNCE = "hard_bounce", "Address does not exist"
    COMPLAINT = "complaint", "Marked as spam"
    STOP = "stop", "Replied STOP"


class Suppression(models.Model):
    """An address nothing is sent to, not even critical messages; kept by key so that imports can't revive it."""

    channel = models.CharField(max_length=10, choices=Channel)
    key = models.CharField(max_length=500)
    reason = models.CharField(max_length=12, choices=SuppressionReason)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="suppression_once")]

    def __str__(self) -> str:
        return self.key


class ImportState(models.TextChoices):
    UPLOADED = "uploaded", "Uploaded"  # the file is here; columns are not mapped yet
    RUNNING = "running", "Running"
    FINISHED = "finished", "Finished"
    FAILED = "failed", "Failed"


class Import(models.Model):
    """One CSV file on its way in; `rows_done` is the checkpoint that a restarted worker goes on from."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    file_name = models.CharField(max_length=200)
    path = models.CharField(max_length=300)  # below MEDIA_ROOT
    state = models.CharField(max_length=10, choices=ImportState, default=ImportState.UPLOADED)
    dialect = models.JSONField(default=dict)  # encoding, delimiter, columns (csv_file.Shape)
    mapping = models.JSONField(default=dict)  # {"Column heading": "email" | "name" | ... | "metadata.<key>"}
    options = models.JSONField(default=dict)  # tags to add, update existing or not, wording of the consent
    rows_total = models.PositiveIntegerField(null=True, blank=True)
    rows_done = models.PositiveIntegerField(default=0)
    offset = models.PositiveBigIntegerField(
        default=0
    )  # byte at which the next row begins, so that no slice reads from the top
    line = models.PositiveIntegerField(default=1)  # and its line number
    attempts = models.PositiveSmallIntegerField(default=0)  # claims since the last slice that succeeded
    created = models.PositiveIntegerField(default=0)
    updated = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
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


class ImportedFollower(models.Model):
    """This file spoke about this follower on that line: its later lines about the same one are refused."""

    job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="imported", db_index=False)
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="imported")
    line = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "follower"], name="imported_follower_once_per_file")]


class ImportProblem(models.Model):
    """One refused row, with its line number, for the error file."""

    job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems", db_index=False)
    line = models.PositiveIntegerField()
    message = models.CharField(max_length=300)
    row = models.JSONField(default=list)  # its cells, in the order of the file

    class Meta:
        ordering = ["line"]
        constraints = [models.UniqueConstraint(fields=["job", "line"], name="import_problem_once_per_line")]

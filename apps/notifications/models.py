"""From "tell them" to "it was handed over": the books every send is kept in."""

from django.db import models
from django.db.models import Q

from apps.content.models import Template, Version
from apps.followers.models import Address, Channel, Follower, NotificationType
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane

LANES = [(lane.value, lane.value) for lane in Lane]


class ProviderAccount(models.Model):
    """One way out: a provider (apps/channels) with its settings, in the order in which it is tried."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)  # key in settings.PROVIDERS
    channel = models.CharField(max_length=10, choices=Channel)
    settings = models.TextField(blank=True)  # encrypted JSON (lib.crypto)
    position = models.PositiveSmallIntegerField(default=10)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    # what may leave through it (limits.py): messages a second, and a UTC day with a slow start for a new sender
    rate = models.FloatField(null=True, blank=True)
    daily = models.PositiveIntegerField(null=True, blank=True)
    warmup_start = models.DateField(null=True, blank=True)
    warmup_first = models.PositiveIntegerField(null=True, blank=True)  # the first day's volume
    warmup_growth = models.FloatField(default=1.5)  # each day as many times the day before
    capped_until = models.DateTimeField(null=True, blank=True)  # today's volume is used up
    # what the last hand-over attempt met; shown on the channel page
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    # an account-level fault (refused password, server gone) keeps everybody away until then
    paused_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    # the circuit breaker (breaker.py): open since, how many times in a row, why; one message tries it at a time
    tripped_at = models.DateTimeField(null=True, blank=True)
    trips = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=200, blank=True)
    probing_until = models.DateTimeField(null=True, blank=True)
    # tries and faults of the last minute; senders add theirs at most every ten seconds, or with a fault
    window_at = models.DateTimeField(null=True, blank=True)
    window_tries = models.PositiveIntegerField(default=0)
    window_faults = models.PositiveIntegerField(default=0)
    # web push (key_refusals.py): when a service last took our key, and the followers for whom it was refused since
    key_taken_at = models.DateTimeField(null=True, blank=True)
    key_refusers = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["channel", "position", "id"]
        constraints = [
            models.CheckConstraint(condition=Q(rate__isnull=True) | Q(rate__gt=0), name="account_rate_moves"),
            models.CheckConstraint(condition=Q(warmup_growth__gte=1), name="account_warmup_grows"),
        ]

    def __str__(self) -> str:
        return self.name


class TypeTemplate(models.Model):
    """Which template speaks for a notification type when the caller names none."""

    notification_type = models.OneToOneField(NotificationType, on_delete=models.CASCADE, related_name="type_template")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+")


class NotificationState(models.TextChoices):
    PLANNING = "planning", "Planning"  # recipients are being frozen; nothing leaves yet
    SENDING = "sending", "Sending"  # deliveries may be claimed
    PAUSED = "paused", "Paused"
    CANCELLED = "cancelled", "Cancelled"
    DONE = "done", "Done"  # no delivery is waiting or in flight


DIGEST = "digest"  # Notification.source of what gathers others (digest.py)


class Notification(models.Model):
    """One intent to tell some people something, pinned to a published version."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    notification_type = models.ForeignKey(NotificationType, on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    channels = models.JSONField(default=list)  # each recipient gets one delivery per channel named here
    data = models.JSONField(default=dict, blank=True)
    # the caller's own name for this intent; the same one twice is one notification
    dedup_key = models.CharField(max_length=255, null=True, blank=True)
    source = models.CharField(max_length=20)  # api, campaign, staff, command, digest
    lane = models.CharField(max_length=13, choices=LANES)
    state = models.CharField(max_length=9, choices=NotificationState, default=NotificationState.PLANNING)
    created_at = models.DateTimeField()
    send_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    # whether its mails carry the open pixel and links that count, to followers who let themselves be measured
    tracked = models.BooleanField(default=False)
    planned_through = models.BigIntegerField(default=0)  # id of the last follower frozen
    planned_at = models.DateTimeField(null=True, blank=True)  # all recipients frozen
    # nothing of it is due before: claims don't look at it until then (sleep.py); null = awake
    wakes_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    rate = models.FloatField(null=True, blank=True)  # at most so many messages a second; null = as fast as it goes
    spread = models.PositiveIntegerField(null=True, blank=True)  # seconds over which it goes out evenly; makes `rate`
    throttle_key = models.CharField(max_length=120, blank=True)  # what the type's throttle counts apart
    # the type's at the time: one channel after the other, and the seconds that each of them gets
    fallback = models.JSONField(default=list, blank=True)
    fallback_after = models.PositiveIntegerField(default=300)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(rate__isnull=True) | Q(rate__gt=0), name="notification_rate_moves"),
            models.UniqueConstraint(
                fields=["notification_type", "dedup_key"],
                condition=Q(dedup_key__isnull=False),
                name="notification_intended_once",
            ),
        ]
        indexes = [
            # those on their way: what the dashboard counts, and plans to go on with
            models.Index(
                fields=["lane", "id"], condition=Q(state__in=["planning", "sending"]), name="notification_live"
            ),
            # which of them a sender may claim from, which are through, and which may sleep
            models.Index(
                fields=["lane", "id"], condition=Q(state="sending", wakes_at__isnull=True), name="notification_awake"
            ),
            # whose hour has come
            models.Index(fields=["wakes_at"], condition=Q(wakes_at__isnull=False), name="notification_asleep"),
            # leftovers: those that expire, asleep or not
            models.Index(
                fields=["expires_at"],
                condition=Q(state="sending", expires_at__isnull=False),
                name="notification_expiring",
            ),
            # cancelled ones that may still have waiting rows
            models.Index(fields=["finished_at"], condition=Q(state="cancelled"), name="notification_cancelled"),
        ]

    def __str__(self) -> str:
        return f"{self.notification_type} {self.uid}"


class Recipient(models.Model):
    """A follower named by the caller of /notify, until planning has turned the name into deliveries."""

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="recipients", db_index=False)
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="+")
    data = models.JSONField(null=True, blank=True)  # this person's own values, over the notification's

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notification", "follower"], name="recipient_named_once")]


class DeliveryStatus(models.TextChoices):
    """One row's way. Only apps/notifications writes it; `sent` and after never go back."""

    PENDING = "pending", "Waiting"  # due at `due_at`, also between two tries
    HELD = "held", "Held for a digest"  # gathered with others at `due_at` (digest.py)
    QUEUED = "queued", "Being sent"  # claimed by a sender, with a lease
    SENT = "sent", "Sent"  # the provider answered that it took the message
    DELIVERED = "delivered", "Delivered"  # the provider reported that it arrived
    FAILED = "failed", "Failed"  # refused for good, or tries used up; `reason` says which
    SKIPPED = "skipped", "Skipped"  # the follower's word or ours; `reason` says whose
    CANCELLED = "cancelled", "Cancelled"  # the notification was cancelled before its turn
    IN_DOUBT = "in_doubt", "In doubt"  # handed over perhaps; held for a person


class Delivery(models.Model):
    """One message to one person on one channel: the outbox, and the truth about it."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    # Written by the million, and no update can be HOT while `status` is in indexes: every index costs three writes in
    # a delivery's life. A foreign key that an index below begins with has no other.
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    follower = models.ForeignKey(
        Follower, null=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False
    )
    address = models.ForeignKey(
        Address, null=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel)
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    reason = models.CharField(max_length=40, blank=True)  # apps.followers.verdict.Reason, or an outcome's class
    error = models.CharField(max_length=500, blank=True)  # what the provider said last
    data = models.JSONField(null=True, blank=True)  # this person's own values, over the notification's
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)  # counted before the work, so a poison row can't loop
    lease_owner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # no index: nobody asks for an account's deliveries, and deleting one rewrites most rows whatever finds them
    account = models.ForeignKey(ProviderAccount, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    provider_id = models.CharField(max_length=255, blank=True)  # the provider's own name for it
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)  # when `status` became final
    # the first time each; track.py writes them and the rows of Engagement they sum up
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            # the address first: the same index finds the rows of an address that is deleted
            models.UniqueConstraint(
                fields=["address", "notification", "channel"],
                condition=Q(address__isnull=False),
                name="delivery_once_per_address",
            ),
            models.UniqueConstraint(
                fields=["notification", "follower", "channel"],
                # not where one person has many addresses: those that are deleted leave many rows behind
                condition=Q(address__isnull=True) & ~Q(channel__in=["push", "web_push", "webhook"]),
                name="delivery_once_per_follower",
            ),
            models.CheckConstraint(condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"),
        ]
        indexes = [
            # the claim: the next rows of one notification that are due on a channel
            models.Index(
                fields=["notification", "channel", "due_at", "id"], condition=Q(status="pending"), name="delivery_due"
            ),
            # digests to be made
            models.Index(fields=["due_at", "id"], condition=Q(status="held"), name="delivery_held"),
            # recovery: leases that ran out
            models.Index(fields=["lease_until"], condition=Q(status="queued"), name="delivery_leased"),
            # the names behind a number of the balance sheet
            models.Index(fields=["notification", "status", "-id"], name="delivery_by_status"),
            # a campaign's list of deliveries, newest first
            models.Index(fields=["notification", "-id"], name="delivery_of_notification"),
            # the list of all deliveries: the rare ones that a person looks for (an index for each, because SQLite
            # does not see that one status is among two)
            models.Index(fields=["-id"], condition=Q(status="failed"), name="delivery_failed"),
            models.Index(fields=["-id"], condition=Q(status="in_doubt"), name="delivery_in_doubt"),
            # a follower's history
            models.Index(fields=["follower", "-id"], name="delivery_of_follower"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.uid}"


class CapOutcome(models.TextChoices):
    """What becomes of a message that would be one too many."""

    DEFER = "defer", "Wait until it may go"
    DIGEST = "digest", "Wait and be gathered"
    DROP = "drop", "Is skipped"


class Cap(models.Model):
    """At most `limit` messages to one follower in a window. Critical ones count and pass."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    channels = models.JSONField(default=list)  # those that are counted together
    commercial = models.BooleanField(default=True)  # only commercial messages count; else all
    limit = models.PositiveSmallIntegerField()
    days = models.PositiveSmallIntegerField(
        null=True, blank=True
    )  # calendar days in the follower's zone, today's first
    seconds = models.PositiveIntegerField(null=True, blank=True)  # or a rolling window
    outcome = models.CharField(max_length=6, choices=CapOutcome, default=CapOutcome.DEFER)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(days__isnull=True, seconds__gt=0) | Q(seconds__isnull=True, days__gt=0),
                name="cap_has_one_window",
            ),
            models.CheckConstraint(condition=Q(limit__gt=0), name="cap_lets_some_pass"),
        ]

    def __str__(self) -> str:
        return self.name


class Use(models.Model):
    """A delivery that counts towards a cap or a throttle, from its claim on. Written under the follower's row lock."""

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="+", db_index=False)
    bucket = models.CharField(max_length=200)  # cap:<id>, or throttle:<type id>:<key>
    delivery = models.ForeignKey("Delivery", on_delete=models.CASCADE, related_name="uses", db_index=False)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # a delivery that is tried again counts once
            models.UniqueConstraint(fields=["delivery", "bucket"], name="use_once"),
        ]
        indexes = [
            # a claim: what its followers have got in a window
            models.Index(fields=["follower", "bucket", "at"], name="use_of_follower"),
            # the schedule: those that are in no window any more
            models.Index(fields=["at"], name="use_by_age"),
        ]


class DeliveryEvent(models.Model):
    """What happened to a delivery on the way, other than the plain hand-over that `finished_at` tells. Append-only."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20)  # deferred, failed, in_doubt, recovered, retried
    detail = models.JSONField(default=dict)
    provider_event_id = models.CharField(max_length=255, null=True, blank=True, unique=True)

    class Meta:
        ordering = ["id"]


class Tally(models.Model):
    """How many deliveries of a notification stand where: moved in the same transaction as the rows themselves.

    Sharded by writer so that senders don't wait for each other; one shard may be negative, the sum never is.
    """

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="tallies")
    channel = models.CharField(max_length=10, choices=Channel)
    status = models.CharField(max_length=9, choices=DeliveryStatus)
    reason = models.CharField(max_length=40, blank=True)
    shard = models.PositiveSmallIntegerField(default=0)
    count = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "channel", "status", "reason", "shard"], name="tally_one_per_place"
            )
        ]
        indexes = [
            # the page of what was not delivered, and a replay's next notification (two, as for the deliveries)
            models.Index(fields=["notification"], condition=Q(status="failed"), name="tally_failed"),
            models.Index(fields=["notification"], condition=Q(status="in_doubt"), name="tally_in_doubt"),
        ]


class Pace(models.Model):
    """How far one limit is used up, for all processes. A row that lies in the past says the same as no row."""

    key = models.CharField(max_length=300, primary_key=True)  # account:3, notification:7, domain:example.com, ...
    free_at = models.FloatField(default=0)  # Unix time at which all that was given out is paid for (GCRA)
    day = models.DateField(null=True, blank=True)  # UTC; what `used` counts
    used = models.PositiveIntegerField(default=0)


class DomainLimit(models.Model):
    """Staff's word on how fast a receiving domain may be written to, by all accounts together."""

    domain = models.CharField(max_length=253, unique=True)
    per_minute = models.FloatField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["domain"]
        constraints = [models.CheckConstraint(condition=Q(per_minute__gt=0), name="domain_limit_moves")]

    def __str__(self) -> str:
        return self.domain


class SlowDomain(models.Model):
    """A domain that asked an account to slow down. The pace rises by itself with every quiet minute (slowing.py)."""

    account = models.ForeignKey(ProviderAccount, on_delete=models.CASCADE, related_name="slow_domains", db_index=False)
    domain = models.CharField(max_length=253)
    rate = models.FloatField()  # messages a second at `heard_at`
    goal = models.FloatField()  # the pace before it was slowed: reached again, the row means nothing any more
    said = models.CharField(max_length=500)
    slowed_at = models.DateTimeField()
    heard_at = models.DateTimeField()  # its last such answer

    class Meta:
        ordering = ["domain"]
        constraints = [models.UniqueConstraint(fields=["account", "domain"], name="slow_domain_once")]

    def __str__(self) -> str:
        return self.domain


class Replay(models.Model):
    """A person's order to send undelivered ones again: those of one notification, or all of a type. Worked off in
    chunks (replay.py); `moved` is true at every moment."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    notification = models.ForeignKey(Notification, null=True, on_delete=models.CASCADE, related_name="replays")
    notification_type = models.ForeignKey(NotificationType, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=9, choices=DeliveryStatus)  # failed or in_doubt
    reason = models.CharField(max_length=40, blank=True)  # '' = whatever the reason
    by = models.CharField(max_length=200)  # the label of who ordered it
    started_at = models.DateTimeField()  # what ended after that is not meant: it may just have failed again
    position = models.BigIntegerField(default=0)  # id of the last notification that is through
    moved = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the tick: orders whose task was lost
            models.Index(fields=["started_at"], condition=Q(finished_at__isnull=True), name="replay_open"),
        ]


class EngagementKind(models.TextChoices):
    OPEN = "open", "Opened"  # the pixel was loaded: by the person's mail program, or by a machine before it
    CLICK = "click", "Clicked"


class Engagement(models.Model):
    """One load of the pixel or one click, as it came in. Append-only.

    Without the IP address: nothing here asks where somebody was, and what is not kept can't get lost.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="engagements")
    kind = models.CharField(max_length=5, choices=EngagementKind)
    link = models.PositiveSmallIntegerField(null=True, blank=True)  # its number in the version, for a click
    at = models.DateTimeField()
    user_agent = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="open", link__isnull=True) | Q(kind="click", link__isnull=False),
                name="engagement_click_has_a_link",
            )
        ]


class EngagementTally(models.Model):
    """How many people opened or clicked, and how often: moved in the transaction of the rows, sharded like Tally.

    Link 0 is the message as a whole.
    """

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="engagement_tallies", db_index=False
    )
    kind = models.CharField(max_length=5, choices=EngagementKind)
    link = models.PositiveSmallIntegerField(default=0)
    shard = models.PositiveSmallIntegerField(default=0)
    people = models.BigIntegerField(default=0)
    times = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "engagement tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "kind", "link", "shard"], name="engagement_tally_one_per_place"
            )
        ]

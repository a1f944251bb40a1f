"""Followers, their addresses and their tags."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.models.channels import Channel
from apps.followers.models.deletion import DeletedAlone, Guarded
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.lib.sql.folding import FoundBy


class Follower(DeletedAlone):
    """A person (or program) who lets us write.

    `subscribed` is the global word on commercial messages.
    """

    FOLLOWER = "pk"
    objects = Guarded()

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=200, blank=True)  # the whole one, as people see it
    first_name = models.CharField(max_length=200, blank=True)  # only where somebody said it
    last_name = models.CharField(max_length=200, blank=True)
    external_id = models.CharField(max_length=200, null=True, blank=True, unique=True)
    language = models.CharField(max_length=35, default="en")  # BCP 47
    time_zone = models.CharField(max_length=64, blank=True)  # IANA name; blank = the site's
    subscribed = models.BooleanField(default=True)
    subscribed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)
    # may we count whether this person opens and clicks? asked when a mail is made and when a click
    # is stored
    measured = models.BooleanField(default=True)
    # links to this person's pages that were made before are worth nothing any more
    links_since = models.DateTimeField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags: "models.ManyToManyField[Tag, Tagging]" = models.ManyToManyField(
        "Tag", through="Tagging", related_name="followers"
    )
    # what a search by name or external id looks at (people/trigrams.py has its index)
    folded = models.GeneratedField(
        expression=FoundBy("name", "external_id"),
        output_field=models.TextField(),
        db_persist=True,
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # list page and API: only subscribed / only unsubscribed, newest first
            models.Index(fields=["subscribed", "-id"], name="follower_subscribed"),
            # the same for a language that few have; and which languages there are
            models.Index(fields=["language"], name="follower_language"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(subscribed=False) | Q(subscribed_at__isnull=False),
                name="follower_subscribed_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.name or str(self.uid)

    @property
    def fact_subject(self) -> Subject:
        return Subject("follower", str(self.uid), self.label)

    @property
    def email(self) -> str:
        """The primary email address, "" without one.

        Costs a query unless the addresses were prefetched.
        """
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
        return next(
            (row.value for row in self.addresses.all() if row.primary and row.channel == channel),
            "",
        )


class AddressState(models.TextChoices):
    # waiting for the double opt-in click; nothing but that mail is sent
    UNCONFIRMED = "unconfirmed", pgettext_lazy("address", "Unconfirmed")
    ACTIVE = "active", pgettext_lazy("address", "Active")
    # a hard bounce came back; also in Suppression
    BOUNCED = "bounced", pgettext_lazy("address", "Bounced")
    # complaint, STOP or a person's decision; also in Suppression
    SUPPRESSED = "suppressed", pgettext_lazy("address", "Suppressed")
    # a device or browser that is no more: kept because its deliveries refer to it,
    # and as if it were not there
    GONE = "gone", pgettext_lazy("address", "Gone")
    # a webhook: by a person, or because its calls failed for days; see Webhook
    OFF = "off", pgettext_lazy("address", "Switched off")


class Address(DeletedAlone):
    """One place to reach a follower. `key` is what makes two spellings the same (addresses.py)."""

    FOLLOWER = "follower_id"
    objects = Guarded()

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="addresses")
    channel = models.CharField(max_length=10, choices=Channel)
    value = models.CharField(max_length=2000)  # a push token or endpoint is long
    key = models.CharField(max_length=500)
    state = models.CharField(max_length=12, choices=AddressState, default=AddressState.ACTIVE)
    primary = models.BooleanField(default=True)  # never for channels that go EVERYWHERE
    via = models.CharField(
        max_length=10, blank=True
    )  # the service that knows the token: fcm, apns; else ""
    # what else is needed to reach it (devices/push_devices.py): a browser's keys,
    # a webhook's encrypted secret; null for most
    details = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True, blank=True)
    # when another was put in its place: whoever lost it can take it back for some days
    replaced_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(
        null=True, blank=True
    )  # a device: when it last said that it is there

    class Meta:
        ordering = ["channel", "-primary", "id"]
        verbose_name_plural = "addresses"
        indexes = [
            # devices that were not seen for long (devices.forget_idle);
            # no other address has a time there
            models.Index(
                fields=["seen_at"], condition=Q(seen_at__isnull=False), name="address_idle"
            ),
        ]
        constraints = [
            # one person per address: whoever says STOP there says it for that person
            models.UniqueConstraint(fields=["channel", "key"], name="address_belongs_to_one"),
            # planning joins the primary address of a channel; two would mean two copies
            models.UniqueConstraint(
                fields=["follower", "channel"],
                condition=Q(primary=True),
                name="address_one_primary",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """What people read.

        A token is all that it takes to write to a device, so a device goes by its name.
        """
        if self.channel not in (Channel.PUSH, Channel.WEB_PUSH):
            return self.value
        details = self.details or {}
        return str(details.get("label") or details.get("platform") or Channel(self.channel).label)


class OffReason(models.TextChoices):
    """Why a webhook is switched off."""

    FAILING = "failing", _("Its calls failed for days")
    GONE = "gone", _("It answered 410 Gone")
    PERSON = "person", _("Switched off by hand")


class Webhook(models.Model):
    """How the calls of an address of the channel webhook went; made with it (webhook_calls.py)."""

    address = models.OneToOneField(
        Address, on_delete=models.CASCADE, primary_key=True, related_name="webhook"
    )
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
            models.Index(
                fields=["address"], condition=Q(failing_since__isnull=False), name="webhook_failing"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(off_at__isnull=True, off_reason="")
                | Q(off_at__isnull=False) & ~Q(off_reason=""),
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

    @property
    def fact_subject(self) -> Subject:
        return Subject("tag", self.slug, self.name)


class Tagging(models.Model):
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="taggings")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="taggings", db_index=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "follower"], name="tagging_once")]

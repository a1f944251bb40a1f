"""Sign-up forms: what staff made, the wording people agreed to, and who signed up."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.models.people import Follower
from apps.followers.models.types import NotificationType
from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class SignUpForm(models.Model):
    """A form with which people sign up by themselves, on our page or on any other.

    Nobody is written to before the address was confirmed.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    key = models.SlugField(max_length=60, unique=True)  # in the address of its page
    name = models.CharField(max_length=100)  # what staff call it
    active = models.BooleanField(default=True)
    # {"en": {"title", "intro", "consent", "button", "thanks"}}
    texts = models.JSONField(default=dict)
    # besides the email address: [{"key": "first_name", "required": false, "labels": {}}, ...]
    questions = models.JSONField(default=list, blank=True)
    # what people get, by email; where there are several, they choose
    types = models.ManyToManyField(NotificationType, related_name="sign_up_forms")
    tags = models.JSONField(default=list, blank=True)  # names, given to whoever joins
    colour = models.CharField(max_length=7, blank=True)  # of the button: #rrggbb; "" = the site's
    thanks_url = models.URLField(max_length=500, blank=True)  # "" = our own page
    approval = models.BooleanField(default=False)  # staff decide about each who confirmed
    # sent once to whoever joins
    welcome = models.ForeignKey(
        NotificationType, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("sign_up_form", self.key, self.name)


class ConsentWording(models.Model):
    """What a form said at one time, as proof of what people agreed to. Append-only."""

    form = models.ForeignKey(SignUpForm, on_delete=models.PROTECT, related_name="wordings")
    number = models.PositiveIntegerField()
    texts = models.JSONField()  # as those of the form
    types = models.JSONField()  # {key: name}
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["form", "number"], name="consent_wording_once")
        ]

    def __str__(self) -> str:
        return f"{self.form.key}/{self.number}"


class SignUpState(models.TextChoices):
    ASKED = "asked", pgettext_lazy("sign-up", "Not mailed yet")
    MAILED = "mailed", pgettext_lazy("sign-up", "Not confirmed yet")
    HELD = "held", pgettext_lazy("sign-up", "No mail was sent")
    CONFIRMED = "confirmed", pgettext_lazy("sign-up", "Waits for approval")
    JOINED = "joined", pgettext_lazy("sign-up", "Joined")
    DECLINED = "declined", pgettext_lazy("sign-up", "Declined")


class HeldBecause(models.TextChoices):
    """Why nobody was asked to confirm."""

    LATELY = "lately", _("A mail went to this address not long ago")
    SUPPRESSED = "suppressed", _("The address is on the suppression list")


class SignUp(models.Model):
    """Somebody typed an address into a form; whether it is theirs shows when they confirm it.

    Nothing of what was typed reaches the follower before that.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    form = models.ForeignKey(SignUpForm, on_delete=models.PROTECT, related_name="sign_ups")
    wording = models.ForeignKey(ConsentWording, on_delete=models.PROTECT, related_name="+")
    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, null=True, related_name="sign_ups", db_index=False
    )
    email = models.CharField(max_length=320)
    key = models.CharField(max_length=500)  # of the address, as in Address
    language = models.CharField(max_length=35)
    answers = models.JSONField(default=dict)  # {question: text}
    types = models.JSONField(default=list)  # keys of what the person chose
    state = models.CharField(max_length=9, choices=SignUpState, default=SignUpState.ASKED)
    held_because = models.CharField(max_length=10, choices=HeldBecause, blank=True)
    ip = models.GenericIPAddressField(null=True)
    network = models.CharField(max_length=50, blank=True)
    user_agent = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    mail_at = models.DateTimeField(null=True, blank=True)  # when the mail went, or is to go
    confirmed_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)  # by staff

    class Meta:
        ordering = ["-id"]
        indexes = [
            # how many came lately: to this address, from this network, through this form
            models.Index(fields=["key", "-mail_at"], name="sign_up_of_address"),
            models.Index(fields=["network", "created_at"], name="sign_up_of_network"),
            models.Index(fields=["form", "created_at"], name="sign_up_of_form"),
            # which one a person confirms, and whether an unconfirmed person may be forgotten
            models.Index(fields=["follower", "-id"], name="sign_up_of_follower"),
            # those that staff decide about
            models.Index(
                fields=["form", "-id"], condition=Q(state="confirmed"), name="sign_up_waiting"
            ),
            # those that nobody confirmed and that go
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["asked", "mailed", "held"]),
                name="sign_up_unconfirmed",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["asked", "mailed", "held"], confirmed_at__isnull=True)
                | Q(state__in=["confirmed", "joined", "declined"], confirmed_at__isnull=False),
                name="sign_up_confirmed_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(state="held") & ~Q(held_because="")
                | ~Q(state="held") & Q(held_because=""),
                name="sign_up_held_has_a_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def fact_subject(self) -> Subject:
        return Subject("sign_up", str(self.uid), self.email)

"""Who somebody is, where they are reached, and what they said."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.analytics.everything.part import Part, Told, columns, rows_of
from apps.followers.consent.wording import words_seen
from apps.followers.models import (
    Address,
    AddressClaim,
    ChannelMute,
    ConsentRecord,
    CustomField,
    Follower,
    ImportedFollower,
    MergedFollower,
    PhoneCode,
    Preference,
    PrivacyCode,
    Rhythm,
    SignUp,
    Suppression,
    Tagging,
    Webhook,
)
from apps.lib.actor import ActorKind
from apps.lib.erasing.person import DataSubject

_SECRETS = {"secret", "old_secret", "auth", "p256dh"}  # keys: nothing about anybody


def _profile(row: Follower) -> dict[str, Any]:
    return columns(
        row,
        "name",
        "first_name",
        "last_name",
        "external_id",
        "language",
        "time_zone",
        "subscribed",
        "subscribed_at",
        "unsubscribed_at",
        "measured",
        "links_since",
        "created_at",
        "updated_at",
        id=row.uid,
    )


def _fields(person: DataSubject, after: int, most: int) -> list[Told]:
    """Tell the custom fields, each with its label; also those that nobody has defined."""
    row = Follower.objects.get(pk=person.pk)
    labels = {field.key: field.label(row.language) for field in CustomField.objects.all()}
    told = []
    for number, (key, value) in enumerate(sorted(row.metadata.items()), start=1):
        said = {"field": key, "label": labels.get(key, key), "value": value}
        told.append((number, said))
    return [each for each in told if each[0] > after][:most]


def _address(row: Address) -> dict[str, Any]:
    details = row.details or {}
    known = {name: value for name, value in details.items() if name not in _SECRETS}
    return columns(
        row,
        "channel",
        "value",
        "state",
        "primary",
        "via",
        "created_at",
        "confirmed_at",
        "replaced_at",
        "seen_at",
        details=known,
    )


def _consent(row: ConsentRecord) -> dict[str, Any]:
    """Tell a record as it stands; of staff not who they are."""
    by = row.actor_kind
    if by == ActorKind.FOLLOWER:
        by = f"{by}: {row.actor_label}"
    return columns(
        row,
        "at",
        "act",
        "source",
        "scope",
        "wording",
        "reason",
        "ip",
        "user_agent",
        words=words_seen(row.wording),
        by=by,
    )


def _sign_up(row: SignUp) -> dict[str, Any]:
    words = row.wording.texts.get(row.language, {})
    return columns(
        row,
        "email",
        "language",
        "answers",
        "types",
        "state",
        "held_because",
        "ip",
        "network",
        "user_agent",
        "created_at",
        "mail_at",
        "confirmed_at",
        "decided_at",
        form=row.form.name,
        words=words.get("consent", ""),
    )


def keys_of(person: DataSubject) -> list[str]:
    """The keys of the person's addresses, by which rows without a follower are theirs."""
    return list(Address.objects.filter(follower=person.pk).values_list("key", flat=True))


def sign_ups(person: DataSubject) -> QuerySet[SignUp]:
    """What was typed into forms with one of the person's addresses, or by them."""
    rows = SignUp.objects.select_related("form", "wording")
    return rows.filter(Q(follower=person.pk) | Q(key__in=keys_of(person)))


def suppressions(person: DataSubject) -> QuerySet[Suppression]:
    """The entries of the suppression list about the person's addresses."""
    return Suppression.objects.filter(key__in=keys_of(person))


def _rhythm(row: Rhythm) -> dict[str, Any]:
    return columns(
        row, "quiet", "cadence", "digest_at", "digest_weekday", "paused_until", "updated_at"
    )


def _webhook(row: Webhook) -> dict[str, Any]:
    return columns(
        row,
        "succeeded_at",
        "answer",
        "answered_at",
        "failing_since",
        "off_at",
        "off_reason",
        address=row.address.value,
    )


def _preference(row: Preference) -> dict[str, Any]:
    kind = row.notification_type
    return columns(row, "channel", "allowed", "updated_at", type=kind.key, name=kind.name)


def _claim(row: AddressClaim) -> dict[str, Any]:
    return columns(
        row, "value", "primary", "ip", "created_at", "mailed_at", "confirmed_at", "voided_at"
    )


def _imported(row: ImportedFollower) -> dict[str, Any]:
    return columns(row, "line", file=row.job.file_name, imported_at=row.job.created_at)


PARTS = (
    Part(
        "profile",
        _("Profile"),
        rows_of(lambda person: Follower.objects.filter(pk=person.pk), _profile),
        ("followers.Follower",),
    ),
    Part(
        "addresses",
        _("Addresses"),
        rows_of(lambda person: Address.objects.filter(follower=person.pk), _address),
        ("followers.Address",),
    ),
    Part(
        "webhooks",
        _("Webhooks"),
        rows_of(
            lambda person: Webhook.objects.filter(address__follower=person.pk).select_related(
                "address"
            ),
            _webhook,
        ),
        ("followers.Webhook",),
    ),
    Part(
        "merged",
        _("Entries that were merged into this one"),
        rows_of(
            lambda person: MergedFollower.objects.filter(follower=person.pk),
            lambda row: columns(row, "external_id", "links_since", "merged_at", id=row.uid),
        ),
        ("followers.MergedFollower",),
    ),
    Part("fields", _("Fields"), _fields),
    Part(
        "tags",
        _("Tags"),
        rows_of(
            lambda person: Tagging.objects.filter(follower=person.pk).select_related("tag"),
            lambda row: columns(row, "created_at", tag=row.tag.name),
        ),
        ("followers.Tagging",),
    ),
    Part(
        "preferences",
        _("Preferences"),
        rows_of(
            lambda person: Preference.objects.filter(follower=person.pk).select_related(
                "notification_type"
            ),
            _preference,
        ),
        ("followers.Preference",),
    ),
    Part(
        "channels_off",
        _("Channels that are switched off"),
        rows_of(
            lambda person: ChannelMute.objects.filter(follower=person.pk),
            lambda row: columns(row, "channel", "created_at"),
        ),
        ("followers.ChannelMute",),
    ),
    Part(
        "rhythm",
        _("Quiet hours, digests and pauses"),
        rows_of(lambda person: Rhythm.objects.filter(follower=person.pk), _rhythm),
        ("followers.Rhythm",),
    ),
    Part(
        "consent",
        _("Consent records"),
        rows_of(lambda person: ConsentRecord.objects.filter(follower=person.pk), _consent),
        ("followers.ConsentRecord",),
    ),
    Part("sign_ups", _("Sign-ups"), rows_of(sign_ups, _sign_up), ("followers.SignUp",)),
    Part(
        "address_claims",
        _("Addresses that wait to be confirmed"),
        rows_of(lambda person: AddressClaim.objects.filter(follower=person.pk), _claim),
        ("followers.AddressClaim",),
    ),
    Part(
        "phone_codes",
        _("Phone numbers that codes were sent to"),
        rows_of(
            lambda person: PhoneCode.objects.filter(follower=person.pk),
            lambda row: columns(row, "value", "ip", "created_at", "failed_at", "ended_at"),
        ),
        ("followers.PhoneCode",),
    ),
    Part(
        "privacy_codes",
        _("Codes for the pages about these data"),
        rows_of(
            lambda person: PrivacyCode.objects.filter(follower=person.pk),
            lambda row: columns(row, "wish", "ip", "created_at", "failed_at", "ended_at"),
        ),
        ("followers.PrivacyCode",),
    ),
    Part(
        "suppressions",
        _("Suppression list"),
        rows_of(
            suppressions,
            lambda row: columns(row, "channel", "reason", "note", "created_at", address=row.key),
        ),
    ),
    Part(
        "imports",
        _("Imports"),
        rows_of(
            lambda person: ImportedFollower.objects.filter(follower=person.pk).select_related(
                "job"
            ),
            _imported,
        ),
        ("followers.ImportedFollower",),
    ),
)

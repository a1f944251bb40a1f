"""Whom we may write to, and what they said. Import from here."""

from apps.followers.models.channels import EVERYWHERE, Channel, channel_of_address
from apps.followers.models.claims import AddressClaim
from apps.followers.models.consent import (
    GUESSED,
    ChannelMute,
    ConsentRecord,
    DigestCadence,
    PhoneCode,
    Preference,
    Rhythm,
    Suppression,
    SuppressionReason,
)
from apps.followers.models.exports import (
    Export,
    ExportChunk,
    ExportEvery,
    ExportPlace,
    ExportSchedule,
    ExportState,
    Shipment,
    ShipmentState,
)
from apps.followers.models.fields import CustomField, FieldKind
from apps.followers.models.imports import Import, ImportedFollower, ImportProblem, ImportState
from apps.followers.models.merged import MergedFollower
from apps.followers.models.people import (
    Address,
    AddressState,
    Follower,
    OffReason,
    Tag,
    Tagging,
    Webhook,
)
from apps.followers.models.privacy import (
    Erasure,
    ErasureState,
    PrivacyCode,
    PrivacyWish,
    Tombstone,
    TombstoneKey,
)
from apps.followers.models.sign_up import (
    ConsentWording,
    HeldBecause,
    SignUp,
    SignUpForm,
    SignUpState,
)
from apps.followers.models.types import Category, DoubtPolicy, NotificationType

__all__ = [
    "EVERYWHERE",
    "GUESSED",
    "Address",
    "AddressClaim",
    "AddressState",
    "Category",
    "Channel",
    "ChannelMute",
    "ConsentRecord",
    "ConsentWording",
    "CustomField",
    "DigestCadence",
    "DoubtPolicy",
    "Erasure",
    "ErasureState",
    "Export",
    "ExportChunk",
    "ExportEvery",
    "ExportPlace",
    "ExportSchedule",
    "ExportState",
    "FieldKind",
    "Follower",
    "HeldBecause",
    "Import",
    "ImportProblem",
    "ImportState",
    "ImportedFollower",
    "MergedFollower",
    "NotificationType",
    "OffReason",
    "PhoneCode",
    "Preference",
    "PrivacyCode",
    "PrivacyWish",
    "Rhythm",
    "Shipment",
    "ShipmentState",
    "SignUp",
    "SignUpForm",
    "SignUpState",
    "Suppression",
    "SuppressionReason",
    "Tag",
    "Tagging",
    "Tombstone",
    "TombstoneKey",
    "Webhook",
    "channel_of_address",
]

"""What only administrators take out: the audit log, staff, API keys, and the ways out."""

from django.utils.translation import gettext_lazy as _

from apps.accounts.models import ApiKey, AuditEntry, LedgerSeal, User
from apps.followers.exports.table import Table
from apps.notifications.models import ProviderAccount


class Audit(Table):
    """The audit log, oldest first."""

    label = _("Audit log")
    needs = "administer"
    model = AuditEntry
    cells = {
        "id": "pk",
        "at": "at",
        "kind": "kind",
        "actor_kind": "actor_kind",
        "actor_id": "actor_id",
        "actor": "actor_label",
        "ip": "ip",
        "subject_type": "subject_type",
        "subject_id": "subject_id",
        "subject": "subject_label",
        "data": "data",
    }
    lookups = {
        "kind": "kind",
        "noun": "kind__startswith",
        "actor_kind": "actor_kind",
        "actor_id": "actor_id",
        "subject_type": "subject_type",
        "subject_id": "subject_id",
    }


class Ledger(Table):
    """The chain over the audit log and the consent records, so that others can follow it."""

    label = _("Seals of the ledgers")
    needs = "administer"
    model = LedgerSeal
    cells = {
        "ledger": "ledger",
        "number": "number",
        "row": "row_id",
        "owner": "owner",
        "content": "content",
        "personal": "personal",
        "salt": "salt",
        "hash": "hash",
        "sealed_at": "sealed_at",
    }


class Staff(Table):
    label = _("Staff")
    needs = "administer"
    model = User
    cells = {
        "id": "uid",
        "username": "username",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "role": "role",
        "active": "is_active",
        "time_zone": "time_zone",
        "last_login": "last_login",
        "created_at": "date_joined",
    }


class ApiKeys(Table):
    """API keys, without what would let somebody use them."""

    label = _("API keys")
    needs = "administer"
    model = ApiKey
    joins = ("created_by",)
    cells = {
        "id": "uid",
        "name": "name",
        "prefix": "prefix",
        "scopes": "scopes",
        "created_by": "created_by.username",
        "created_at": "created_at",
        "expires_at": "expires_at",
        "revoked_at": "revoked_at",
        "last_used_at": "last_used_at",
    }


class Accounts(Table):
    """Accounts with providers, without their settings."""

    label = _("Channels")
    needs = "administer"
    model = ProviderAccount
    cells = {
        "id": "uid",
        "name": "name",
        "provider": "provider",
        "channel": "channel",
        "position": "position",
        "enabled": "enabled",
        "rate": "rate",
        "daily": "daily",
        "last_ok_at": "last_ok_at",
        "last_error": "last_error",
        "last_error_at": "last_error_at",
        "created_at": "created_at",
    }

"""API keys: issued once, found by their prefix, compared by hash, narrowed by scopes,
ended by expiry or revocation.

A key reads `car_live_<8 characters>_<64 hex digits>`: the first part says whose it is in logs and
lists, the last part is 256 random bits. Only the SHA-256 of the whole text is stored.
"""

import datetime as dt
import hashlib
import secrets
from collections.abc import Collection

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from apps.accounts.models import ApiKey, User
from apps.accounts.permissions import Scope, role_of, scopes_of_role
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.refusals import Refused
from apps.lib.sql.compiled_query import Kept

PREFIX = "car_live_"
PREFIX_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # 8 of these: 40 bits
# The exact moment of every call is nobody's business and would be a write per call.
LAST_USED_EVERY = dt.timedelta(minutes=1)
_BY_PREFIX = Kept(
    lambda prefix: ApiKey.objects.filter(prefix=prefix).select_related("created_by"),
    "prefix",
    remembers=True,
)


class BadKeyRequest(Refused):
    """A key can't be issued like this; `field` says which value, the message says what to do."""


class BadKey(ValueError):
    """The key is not one of ours, or is not good any more; the message says which."""


def issue(
    *,
    name: str,
    scopes: Collection[str],
    expires_at: dt.datetime | None = None,
    by: Actor,
    now: dt.datetime,
) -> tuple[ApiKey, str]:
    """Issue a key. Gives it and its text, which can't be read again later.

    Staff give no more scopes than their role has. Raises BadKeyRequest.
    """
    name = name.strip()
    if not name:
        raise BadKeyRequest(
            _("Give the key a name that says which API client uses it."), field="name"
        )
    if len(name) > 100:
        raise BadKeyRequest(_("The name may have 100 characters."), field="name")
    if not scopes:
        raise BadKeyRequest(
            _("Choose at least one scope; a key without any can do nothing."), field="scopes"
        )
    if unknown := sorted(set(scopes) - set(Scope)):
        raise BadKeyRequest(
            _("{name} is not a scope. Scopes are: {scopes}.").format(
                name=repr(unknown[0]), scopes=", ".join(Scope)
            ),
            field="scopes",
        )
    if expires_at is not None and expires_at <= now:
        raise BadKeyRequest(
            _("The key would have expired already. Choose a later time."), field="expires_at"
        )
    creator = None
    if by.kind == ActorKind.STAFF:
        creator = User.objects.filter(uid=by.id).first()
    if creator is not None and (beyond := sorted(set(scopes) - scopes_of_role(role_of(creator)))):
        raise BadKeyRequest(
            _("Your role does not include {scopes}. Leave it out.").format(
                scopes=", ".join(beyond)
            ),
            field="scopes",
        )
    prefix = _free_prefix()
    text = f"{PREFIX}{prefix}_{secrets.token_hex(32)}"
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name,
            prefix=prefix,
            hashed=_hash(text),
            scopes=[scope.value for scope in Scope if scope in set(scopes)],
            created_by=creator,
            created_at=now,
            expires_at=expires_at,
        )
        expiry = None
        if expires_at:
            expiry = expires_at.isoformat()
        data = {"scopes": key.scopes, "expires_at": expiry}
        tell(Kind.API_KEY_CREATED, by=by, now=now, about=key, data=data)
    return key, text


def revoke(*, key: ApiKey, by: Actor, now: dt.datetime) -> ApiKey:
    """End a key at once; the next call with it is refused. Revoking it again changes nothing."""
    with transaction.atomic():
        if ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now):
            tell(Kind.API_KEY_REVOKED, by=by, now=now, about=key)
        return ApiKey.objects.get(pk=key.pk)


def authenticate(secret: str, *, now: dt.datetime) -> ApiKey:
    """Find the key of this text. Raises BadKey: unknown, revoked, expired, or made by somebody
    whose account is switched off.

    `last_used_at` moves at most once a minute.
    """
    key = meant(secret)
    expected = "0" * 64
    if key:
        expected = key.hashed
    # compared even when the prefix is unknown, so that the time taken does not tell
    if not secrets.compare_digest(_hash(secret), expected) or key is None:
        raise BadKey("This API key is not known. Check that it was copied whole.")
    if key.revoked_at is not None:
        raise BadKey("This API key was revoked. Ask an administrator for another one.")
    if key.expires_at is not None and key.expires_at <= now:
        raise BadKey(
            f"This API key expired on {key.expires_at:%Y-%m-%d %H:%M} UTC. "
            "Ask an administrator for another."
        )
    if key.created_by and not key.created_by.is_active:
        raise BadKey(
            "The account of whoever issued this API key is switched off, and the key with it. "
            "Ask an administrator for another."
        )
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=now - LAST_USED_EVERY)
    if key.last_used_at is None or key.last_used_at <= now - LAST_USED_EVERY:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key


def meant(secret: str) -> ApiKey | None:
    """Find the key whose first part this text has; whether it is the key's text is not asked."""
    prefix = secret.removeprefix(PREFIX).partition("_")[0]
    # An over-long prefix (or a NUL, which PostgreSQL refuses) is nobody's; don't ask the database.
    if len(prefix) == 8 and prefix.isascii() and prefix.isalnum():
        return _BY_PREFIX.first(prefix=prefix)
    return None


def rights_of(key: ApiKey) -> frozenset[Scope]:
    """What a key may do now: its scopes, as far as whoever issued it still has them.

    A key that a command issued has them all.
    """
    scopes = frozenset(Scope(scope) for scope in key.scopes)
    if key.created_by:
        return scopes & scopes_of_role(role_of(key.created_by))
    return scopes


def _free_prefix() -> str:
    while True:
        prefix = "".join(secrets.choice(PREFIX_ALPHABET) for _place in range(8))
        if not ApiKey.objects.filter(prefix=prefix).exists():
            return prefix


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

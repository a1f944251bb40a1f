"""DKIM keys made here: one waits until the DNS has its public half, then it signs.

The key before may go from the DNS a week later: until then mails that are under way, and those
that receivers read late, are checked with it (RFC 6376 3.1).
"""

import datetime as dt

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings as site
from django.db import transaction
from django.utils.translation import gettext

from apps.channels.doctor import dkim_record
from apps.channels.doctor.finding import Record, Verdict
from apps.channels.doctor.lookup import Names
from apps.channels.mail.dkim import SMALLEST_RSA
from apps.lib import crypto
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import Refused
from apps.notifications.accounts.doctor import key_of, way_out
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount, WaitingKey


class NotSignedHere(Refused):
    """The provider signs for its customers: a key of ours would never be used."""


class NotPublished(Refused):
    """The DNS does not have the waiting key yet; the text says what it has."""


def make_key(*, account: ProviderAccount, by: Actor, now: dt.datetime) -> WaitingKey:
    """Make a key that waits for its record in the DNS; one that waits already stays.

    Raises NotSignedHere.
    """
    if account.provider != "smtp":
        raise NotSignedHere(
            gettext("This provider signs mails itself. Switch DKIM on in your account there.")
        )
    known = WaitingKey.objects.filter(account=account).first()
    if known:
        return known
    used = settings_of(account).get("dkim_selector")
    selector = f"c{now:%Y%m%d}"
    if selector == used:
        selector = f"c{now:%Y%m%d%H%M%S}"
    key = generate_private_key(public_exponent=65537, key_size=SMALLEST_RSA)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with transaction.atomic():
        waiting, created = WaitingKey.objects.get_or_create(
            account=account,
            defaults={"selector": selector, "key": crypto.encrypt(pem), "made_at": now},
        )
        if created:
            data = {"waiting_key": selector}
            tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=account, data=data)
    return waiting


def record_of(waiting: WaitingKey) -> Record:
    """Give what is to be published for a waiting key."""
    domain = way_out(waiting.account).domain
    key = _key(waiting, domain)
    return Record(dkim_record.name_of(key, domain), key.record)


def use_key(*, account: ProviderAccount, by: Actor, now: dt.datetime) -> str:
    """Sign with the waiting key from now on, once the DNS has it; the selector that signed until
    now, "" where nothing did. Without a waiting key nothing changes.

    Raises NotPublished.
    """
    waiting = WaitingKey.objects.filter(account=account).first()
    before = str(settings_of(account).get("dkim_selector") or "")
    if waiting is None:
        return before
    domain = way_out(account).domain
    found = dkim_record.examine(Names(site.DNS_SERVERS), domain, _key(waiting, domain))
    if found[0].verdict != Verdict.GOOD:
        raise NotPublished(found[0].said)
    with transaction.atomic():
        settings = {"dkim_selector": waiting.selector, "dkim_key": crypto.decrypt(waiting.key)}
        values = AccountValues(settings=settings)
        change_account(account=account, values=values, by=by, now=now)
        waiting.delete()
    return before


def _key(waiting: WaitingKey, domain: str) -> dkim_record.Key:
    return key_of(domain, waiting.selector, crypto.decrypt(waiting.key))

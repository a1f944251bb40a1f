"""The doctor's look at an account for mail: how its domain stands in the DNS, and its server."""

import datetime as dt

from django.conf import settings as site
from django.utils import timezone
from django.utils.translation import gettext

from apps.channels.contract import BadSettings
from apps.channels.doctor import dkim_record
from apps.channels.doctor.examine import Server, WayOut, examine
from apps.channels.doctor.finding import Finding, Verdict, finding_of
from apps.channels.doctor.lookup import Names
from apps.channels.mail.dkim import Signer
from apps.channels.mail.sender import bounce_address_of, sender_of
from apps.followers.models import Channel
from apps.lib.crypto import Undecryptable
from apps.lib.network.host_name import ascii_host
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import Examination, ProviderAccount

DAILY = dt.timedelta(days=1)
RESERVED = {"example", "invalid", "localhost", "test"}


class NotForMail(Refused):
    """The account sends no mail: there is nothing to examine."""


def examine_account(*, account: ProviderAccount, now: dt.datetime) -> Examination:
    """Ask the DNS and the account's server, and keep what they say.

    A person waits: the DNS gets 15 seconds in all, the server 5. Raises NotForMail, and BadSettings
    and crypto.Undecryptable for settings that can't be read.
    """
    found = examine(way_out(account), Names(site.DNS_SERVERS), today=now.date())
    stored = [each.as_json() for each in found]
    examination, _created = Examination.objects.update_or_create(
        account=account, defaults={"at": now, "findings": stored}
    )
    return examination


def announce_due(*, now: dt.datetime) -> None:
    """Schedule: have each account that is on looked at once a day."""
    mails = ProviderAccount.objects.filter(channel=Channel.EMAIL, enabled=True)
    for account in mails.exclude(examination__at__gt=now - DAILY):
        if _may_be_found(account):
            announce(
                "apps.notifications.accounts.doctor.look_again", lane=Lane.BULK, account=account.pk
            )


def look_again(account: int) -> None:
    """Task: examine an account, unless somebody has since."""
    now = timezone.now()
    rows = ProviderAccount.objects.filter(pk=account, enabled=True)
    row = rows.exclude(examination__at__gt=now - DAILY).first()
    if row:
        examine_account(account=row, now=now)


def _may_be_found(account: ProviderAccount) -> bool:
    """Whether the DNS may know the account's domain: nobody asks it for those that are kept for
    examples and tests (RFC 2606). Settings that can't be read are told on the account's page.
    """
    try:
        domain = way_out(account).domain
    except (BadSettings, Undecryptable):
        return False
    return domain.rpartition(".")[2] not in RESERVED


def findings_of(examination: Examination) -> list[Finding]:
    return [finding_of(each) for each in examination.findings]


def faults_in(examination: Examination) -> int:
    return sum(each["verdict"] == Verdict.FAULT for each in examination.findings)


def way_out(account: ProviderAccount) -> WayOut:
    """Describe how mail leaves through an account. Raises as `examine_account` does."""
    if account.channel != Channel.EMAIL:
        raise NotForMail(gettext("This account sends no mail: the doctor has nothing to look at."))
    settings = settings_of(account)
    sender = sender_of(settings)
    domain = ascii_host(sender.domain)
    envelope = domain
    if bounces := bounce_address_of(settings):
        envelope = bounces[1].removeprefix("@")
    server = None
    key = None
    if account.provider == "smtp":
        host = ascii_host(str(settings["host"]))
        server = Server(host, int(settings["port"]), str(settings["security"]))
        if settings["dkim_selector"] and settings["dkim_key"]:
            key = key_of(domain, settings["dkim_selector"], settings["dkim_key"])
    return WayOut(
        domain=domain,
        envelope=envelope,
        contact=sender.address,
        site=site.SITE_URL,
        server=server,
        key=key,
    )


def key_of(domain: str, selector: str, pem: str) -> dkim_record.Key:
    """Give what belongs into the DNS for a private key. Raises BadKey."""
    signer = Signer(domain=domain, selector=selector, key=pem)
    return dkim_record.Key(selector, signer.public_record())

"""Reports about our domains, from the mailbox to the doctor's page."""

import datetime as dt
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from django.db.models import QuerySet

from apps.channels.contract import BadSettings
from apps.channels.doctor.reports.read import reports_in
from apps.channels.doctor.reports.report import Sort
from apps.channels.returned.mail_parts import MailParts
from apps.followers.models import Channel
from apps.lib.crypto import Undecryptable
from apps.lib.erasing.letting_go import AT_ONCE
from apps.notifications.accounts.doctor import way_out
from apps.notifications.models import DomainReport, ProviderAccount

TAKEN = dt.timedelta(days=180)  # what is older when it comes is dropped
SHOWN = dt.timedelta(days=30)
MOST_SOURCES = 50  # on a page
MOST_REPORTS = 2000  # read for a page: a report a day of some sixty receivers


def take(*, parts: MailParts, now: dt.datetime) -> int:
    """Keep the reports in a mail that are about domains of ours; how many are new.

    What can't be read, is from the future or about strangers is dropped: anybody can send one.
    """
    domains = own_domains()
    tomorrow = now + dt.timedelta(days=1)
    taken = 0
    for each in reports_in(parts):
        if is_ours(each.domain, domains) and now - TAKEN < each.end < tomorrow:
            told = asdict(each)
            once = {name: told.pop(name) for name in ("domain", "sort", "organization", "name")}
            _row, new = DomainReport.objects.get_or_create(**once, defaults=told)
            taken += new
    return taken


def old(*, before: dt.datetime) -> QuerySet[DomainReport]:
    """Find the reports about a time that was over before this moment."""
    return DomainReport.objects.filter(end__lt=before)


def forget_old(*, before: dt.datetime) -> int:
    """Delete the oldest reports from before this moment, some at a time; returns how many."""
    chosen = list(old(before=before).order_by("end").values_list("pk", flat=True)[:AT_ONCE])
    DomainReport.objects.filter(pk__in=chosen).delete()
    return len(chosen)


def own_domains() -> set[str]:
    """List the domains that mail leaves from and comes back to."""
    found = set()
    for account in ProviderAccount.objects.filter(channel=Channel.EMAIL):
        try:
            way = way_out(account)
        except (BadSettings, Undecryptable):
            continue
        found |= {way.domain, way.envelope}
    return found


def is_ours(domain: str, domains: Iterable[str]) -> bool:
    """Whether a domain is one of these, or above one: that is where policies are published."""
    return any(own == domain or own.endswith("." + domain) for own in domains)


@dataclass(frozen=True, slots=True)
class SendingServer:
    """A server that sends as our domain, as receivers see it."""

    ip: str
    passed: int
    failed: int
    refused: int  # of the failed ones


@dataclass(frozen=True, slots=True)
class Heard:
    """What receivers reported of a domain in 30 days."""

    receivers: int
    passed: int
    failed: int
    sources: list[SendingServer]  # those with failures first, the largest first
    tls_passed: int
    tls_failed: int
    tls_faults: list[tuple[str, int]]

    @property
    def total(self) -> int:
        return self.passed + self.failed


def heard(*, domain: str, now: dt.datetime) -> Heard | None:
    """Add up the reports of 30 days about a domain and those above it; None without any."""
    labels = domain.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels))]
    rows = DomainReport.objects.filter(domain__in=names, end__gt=now - SHOWN)
    found = list(rows.order_by("-end", "-pk")[:MOST_REPORTS])
    if not found:
        return None
    dmarc = [row for row in found if row.sort == Sort.DMARC]
    tls = [row for row in found if row.sort == Sort.TLS]
    faults: Counter[str] = Counter()
    for row in tls:
        for each in row.rows:
            faults[each["result"]] += each["count"]
    return Heard(
        receivers=len({row.organization for row in found}),
        passed=sum(row.passed for row in dmarc),
        failed=sum(row.failed for row in dmarc),
        sources=_sources(dmarc),
        tls_passed=sum(row.passed for row in tls),
        tls_failed=sum(row.failed for row in tls),
        tls_faults=faults.most_common(MOST_SOURCES),
    )


def _sources(reports: list[DomainReport]) -> list[SendingServer]:
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for report in reports:
        for row in report.rows:
            ip = row["ip"]
            if row["dkim"] or row["spf"]:
                passed[ip] += row["count"]
            else:
                failed[ip] += row["count"]
                refused[ip] += row["count"] * (row["done"] in ("quarantine", "reject"))
    sources = [SendingServer(ip, passed[ip], failed[ip], refused[ip]) for ip in passed | failed]
    sources.sort(key=lambda each: (-each.failed, -each.passed, each.ip))
    return sources[:MOST_SOURCES]

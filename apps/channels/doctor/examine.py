"""All that is asked of one way out for mail."""

import datetime as dt
from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from apps.channels.doctor import bimi, dkim_record, dmarc, mailboxes, relay, spf
from apps.channels.doctor.finding import Finding, Verdict
from apps.channels.doctor.lookup import Names, is_here

NO_HTTPS = _(
    "Readers' pages are at {url}, without https: mailbox providers show no button to unsubscribe"
    " with one click (RFC 8058)."
)
ONE_CLICK = _("Mails carry a link to unsubscribe with one click, under {url}.")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that takes our mail, as its account says."""

    host: str
    port: int
    security: str  # none, starttls or tls


@dataclass(frozen=True, slots=True)
class WayOut:
    """How mail leaves: whose it is, where its bounces go, what signs it.

    `server` is None where a provider's API takes it: its envelope, its addresses and its
    signatures are the provider's.
    """

    domain: str
    envelope: str
    contact: str  # an address of ours, for reports
    site: str  # readers' pages
    server: Server | None = None
    key: dkim_record.Key | None = None


def examine(way: WayOut, names: Names, *, today: dt.date) -> list[Finding]:
    """Ask the DNS and the server, in the order in which one would mend what is found."""
    found: list[Finding] = []
    if way.server:
        found += spf.examine(names, way.envelope, way.server.host)
        found += dkim_record.examine(names, way.domain, way.key)
    found += dmarc.examine(names, way.domain, way.envelope, way.contact)
    for domain in dict.fromkeys([way.domain, way.envelope]):
        found += mailboxes.examine(names, domain)
    if way.server:
        found.append(
            relay.secrecy(way.server.host, way.server.port, way.server.security, today=today)
        )
        if not is_here(way.server.host) and not spf.vendor_of(way.server.host):
            found += relay.reverse(names, way.server.host)
    found += bimi.examine(names, way.domain, enforced=_enforced(found))
    found.append(_one_click(way.site))
    return found


def _enforced(found: list[Finding]) -> bool:
    return any(
        each.sentence == dmarc.GOOD and each.values["policy"] in ("quarantine", "reject")
        for each in found
    )


def _one_click(site: str) -> Finding:
    values = {"url": site}
    if site.startswith("https://"):
        return Finding("one_click", Verdict.GOOD, ONE_CLICK, values)
    return Finding("one_click", Verdict.FAULT, NO_HTTPS, values)

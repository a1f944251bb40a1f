"""Questions to the DNS, each answered once and with a limit on time for all of them."""

import ipaddress
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver
import dns.reversename
from django.utils.translation import gettext_noop as _
from dns.rdatatype import RdataType

from apps.channels.doctor.finding import Finding, Verdict

UNANSWERED = _("The DNS did not answer for {name}. Try again, or look at its name servers.")

EACH_SECONDS = 3.0
ALL_SECONDS = 15.0  # a person waits


class NoReply(Exception):
    """The DNS could not say: a time-out, SERVFAIL, a refusal, or a name that is none."""


def unanswered(topic: str, error: NoReply) -> Finding:
    """Say that nobody can say."""
    return Finding(topic, Verdict.UNKNOWN, UNANSWERED, {"name": str(error)})


def is_here(host: str) -> bool:
    """Whether mail goes to this machine, or one of the same private network."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return not ipaddress.ip_address(host).is_global
    return False


class Names:
    """A resolver. Its questions raise NoReply; where a name has no record of the kind, or there is
    no such name, the answer is empty.
    """

    def __init__(
        self, servers: Sequence[str] = (), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask `servers` ("192.0.2.1" or "192.0.2.1:5353"); those of this machine where none are
        given.
        """
        self._resolver = dns.resolver.Resolver(configure=not servers)
        self._resolver.lifetime = EACH_SECONDS
        # A CNAME of another zone would be tried under the machine's search domains otherwise
        self._resolver.search = []
        if servers:
            self._resolver.nameservers = [
                dns.nameserver.Do53Nameserver(*_place(each)) for each in servers
            ]
        self._clock = clock
        self._ends = clock() + ALL_SECONDS
        self._known: dict[tuple[str, RdataType], list[str] | NoReply] = {}
        self._missing: set[str] = set()

    def texts(self, name: str) -> list[str]:
        return self._ask(name, RdataType.TXT)

    def addresses(self, name: str) -> list[str]:
        """Give the IPv4 and IPv6 addresses."""
        return [*self._ask(name, RdataType.A), *self._ask(name, RdataType.AAAA)]

    def mail_servers(self, name: str) -> list[str]:
        """Name the MX hosts, the preferred one first; "" is the null MX (RFC 7505)."""
        return self._ask(name, RdataType.MX)

    def names_of(self, address: str) -> list[str]:
        """Name what an address is called in reverse."""
        return self._ask(str(dns.reversename.from_address(address)), RdataType.PTR)

    def exists(self, name: str) -> bool:
        """Whether there is such a name, or one below it."""
        self._ask(name, RdataType.SOA)
        return _plain(name) not in self._missing

    def _ask(self, name: str, kind: RdataType) -> list[str]:
        key = (_plain(name), kind)
        if key not in self._known:
            try:
                self._known[key] = self._answer(*key)
            except NoReply as error:
                self._known[key] = error
        known = self._known[key]
        if isinstance(known, NoReply):
            raise known
        return known

    def _answer(self, name: str, kind: RdataType) -> list[str]:
        left = self._ends - self._clock()
        if left <= 0:
            raise NoReply(name)
        try:
            rows = self._resolver.resolve(
                name + ".", kind, lifetime=min(left, EACH_SECONDS), raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            self._missing.add(name)
            return []
        except dns.exception.DNSException as error:
            raise NoReply(name) from error
        if rows.rrset is None:
            return []
        if kind == RdataType.TXT:
            return [b"".join(row.strings).decode("ascii", "replace") for row in rows]
        if kind == RdataType.MX:
            ordered = sorted(rows, key=lambda row: row.preference)
            return [str(row.exchange).rstrip(".") for row in ordered]
        return [str(row).rstrip(".") for row in rows]


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _place(server: str) -> tuple[str, int]:
    host, colon, port = server.rpartition(":")
    if colon and "." in host and port.isdecimal():
        return host, int(port)
    return server, 53

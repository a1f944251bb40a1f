"""SPF (RFC 7208): who may send for a domain, and whether receivers can read it."""

import ipaddress
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Record, Verdict
from apps.channels.doctor.lookup import Names, NoReply, is_here, unanswered

MOST_LOOKUPS = 10  # RFC 7208 4.6.4
MOST_VOID = 2
MOST_SERVERS = 10  # of one mx, RFC 7208 4.6.4

TWO_RECORDS = _("{domain} has {count} SPF records, and receivers then take none. Leave this one.")
NO_RECORD = _("{domain} has no SPF record: receivers can't tell who may send for it.")
BAD_TERM = _("The SPF record of {domain} can't be read: “{term}” is no SPF term.")
TOO_MANY = _(
    "The SPF record of {domain} takes {count} lookups; receivers stop at {most} and treat it as"
    " broken. Take out what you don't send through."
)
TOO_VOID = _(
    "{count} names in the SPF record of {domain} lead nowhere; receivers stop at the third and"
    " treat it as broken."
)
NOTHING_THERE = _(
    "The SPF record of {domain} includes {target}, which has none: receivers treat the whole as"
    " broken. Take it out."
)
LOOP = _("The SPF record of {domain} includes itself by way of {target}. Take that out.")
EVERYBODY = _("The SPF record of {domain} lets everybody send for it. End it with ~all or -all.")
NO_END = _("The SPF record of {domain} says nothing of other senders. End it with ~all or -all.")
SLOW = _("The SPF record of {domain} asks for “ptr”, which many receivers pass over. Take it out.")
NOT_NAMED = _("The SPF record of {domain} does not name {relay}, through which you send.")
FROM_HERE = _(
    "{domain} has an SPF record. Mail leaves through {relay}, on your own network: see to it that"
    " the record names the public address of that server."
)
GOOD = _("{relay} may send for {domain}; receivers need {count} of 10 lookups to see it.")

# Relays that send from other addresses than the one we connect to: the end of the host's name,
# and what the vendor's setup page tells to include
INCLUDES = {
    "amazonaws.com": "amazonses.com",
    "sendgrid.net": "sendgrid.net",
    "mailgun.org": "mailgun.org",
    "brevo.com": "spf.brevo.com",
    "sendinblue.com": "spf.sendinblue.com",
    "postmarkapp.com": "spf.mtasv.net",
    "sparkpostmail.com": "sparkpostmail.com",
    "mailjet.com": "spf.mailjet.com",
    "mandrillapp.com": "spf.mandrillapp.com",
    "gmail.com": "_spf.google.com",
    "google.com": "_spf.google.com",
    "office365.com": "spf.protection.outlook.com",
    "outlook.com": "spf.protection.outlook.com",
    "messagingengine.com": "spf.messagingengine.com",
    "zoho.com": "zoho.com",
    "zoho.eu": "zoho.eu",
    "yandex.com": "_spf.yandex.net",
    "yandex.ru": "_spf.yandex.net",
    "ovh.net": "mx.ovh.com",
}

_TERM = re.compile(
    r"(?P<sign>[+?~-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>[^/]\S*?))?(?P<prefix>(?:/\d{1,3}){0,1}(?://\d{1,3})?)",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
_NEEDS_VALUE = {"include", "ip4", "ip6", "exists"}
_ASKS = {"include", "a", "mx", "ptr", "exists"}


class Broken(Exception):
    """A record that receivers give up on (permerror); the finding says why."""

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.values = values


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class Term:
    sign: str  # "+", "-", "~" or "?"
    name: str
    value: str
    networks: list[Network] = field(default_factory=list)
    inner: "Terms | None" = None


@dataclass(slots=True)
class Terms:
    """A record with all it refers to."""

    text: str
    terms: list[Term]
    redirect: "Terms | None" = None

    def allows(self, address: str) -> str:
        """Give the sign of the first term that fits an IP address: RFC 7208 4.6.2; "" for none."""
        place = ipaddress.ip_address(address)
        for term in self.terms:
            fits = term.name == "all" or any(place in each for each in term.networks)
            if term.inner:
                fits = term.inner.allows(address) == "+"
            if fits:
                return term.sign
        if self.redirect:
            return self.redirect.allows(address)
        return ""

    def every(self) -> list[Term]:
        """List the terms of the record and of those it refers to."""
        found = []
        for term in self.terms:
            found.append(term)
            if term.inner:
                found += term.inner.every()
        if self.redirect:
            found += self.redirect.every()
        return found


class Walk:
    """One way through a record and its includes, counting as receivers do."""

    def __init__(self, names: Names, domain: str) -> None:
        self.names = names
        self.domain = domain
        self.lookups = 0
        self.void = 0

    def read(self, domain: str, path: tuple[str, ...] = ()) -> Terms | None:
        """Read the record of a domain with all it refers to; None where it has none.

        Raises Broken and NoReply.
        """
        if domain in path:
            raise Broken(LOOP, target=domain)
        if len(path) > MOST_LOOKUPS:  # broken already; nothing deeper changes that
            return None
        records = records_of(self.names, domain)
        if not records:
            return None
        if len(records) > 1:
            raise Broken(TWO_RECORDS, count=len(records))
        found = Terms(records[0], [])
        redirect = ""
        for word in records[0].split()[1:]:
            term = _read_term(word)
            modifier = _MODIFIER.fullmatch(word)
            if term is not None:
                found.terms.append(term)
                self._follow(term, word, domain, (*path, domain))
            elif modifier is None:
                raise Broken(BAD_TERM, term=word)
            elif modifier["name"].lower() == "redirect":
                redirect = modifier["value"]
        ends = any(term.name == "all" for term in found.terms)
        if redirect and not ends:  # RFC 7208 6.1: an `all` makes it be passed over
            found.redirect = self._inner(redirect, (*path, domain))
        return found

    def _inner(self, target: str, path: tuple[str, ...]) -> Terms | None:
        self.lookups += 1
        if "%" in target:  # a macro depends on each mail
            return None
        inner = self.read(target.lower().rstrip("."), path)
        if inner is None and len(path) <= MOST_LOOKUPS:
            raise Broken(NOTHING_THERE, target=target)
        return inner

    def _follow(self, term: Term, word: str, domain: str, path: tuple[str, ...]) -> None:
        """Find the networks of a term. Raises Broken and NoReply."""
        if term.name == "include":
            term.inner = self._inner(term.value, path)
            return
        if term.name in ("ip4", "ip6"):
            return
        if term.name not in _ASKS:
            return
        self.lookups += 1
        if term.name in ("ptr", "exists") or "%" in term.value:
            return
        prefixes = _prefixes(word)
        target = term.value or domain
        hosts = [target]
        if term.name == "mx":
            hosts = self._found(self.names.mail_servers, target)[:MOST_SERVERS]
        for host in hosts:
            for address in self._found(self.names.addresses, host):
                place = ipaddress.ip_address(address)
                wide = ipaddress.ip_network((place, prefixes[place.version]), strict=False)
                term.networks.append(wide)

    def _found(self, ask: Callable[[str], list[str]], name: str) -> list[str]:
        """Ask, and count an answer that holds nothing."""
        rows = ask(name)
        if not rows:
            self.void += 1
        return rows


def records_of(names: Names, domain: str) -> list[str]:
    """List the SPF records of a domain. Raises NoReply."""
    texts = names.texts(domain)
    return [text for text in texts if text.lower() == "v=spf1" or text.lower()[:7] == "v=spf1 "]


def _read_term(word: str) -> Term | None:
    """Read a mechanism; None where the word is none. Raises Broken for a bad network."""
    match = _TERM.fullmatch(word)
    if match is None:
        return None
    name = match["name"].lower()
    value = match["value"] or ""
    if bool(value) != (name in _NEEDS_VALUE) and name not in ("a", "mx", "ptr"):
        raise Broken(BAD_TERM, term=word)
    term = Term(match["sign"] or "+", name, value)
    if name in ("ip4", "ip6"):
        try:
            network = ipaddress.ip_network(value + match["prefix"], strict=False)
        except ValueError as error:
            raise Broken(BAD_TERM, term=word) from error
        if network.version != int(name[2]):
            raise Broken(BAD_TERM, term=word)
        term.networks.append(network)
    return term


def _prefixes(word: str) -> dict[int, int]:
    """Read how wide `a` and `mx` are: `/24`, `//64` or both."""
    four = 32
    six = 128
    match = re.search(r"(?:/(\d{1,3}))?(?://(\d{1,3}))?$", word)
    if match and match[1]:
        four = int(match[1])
    if match and match[2]:
        six = int(match[2])
    if four > 32 or six > 128:
        raise Broken(BAD_TERM, term=word)
    return {4: four, 6: six}


def examine(names: Names, domain: str, relay: str) -> list[Finding]:
    """Say whether `relay`, a host that takes our mail, may send for the domain of the envelope."""
    try:
        return _examined(names, domain, relay)
    except NoReply as error:
        return [unanswered("spf", error)]


def _examined(names: Names, domain: str, relay: str) -> list[Finding]:
    wanted = _mechanism(relay)
    walk = Walk(names, domain)
    try:
        record = walk.read(domain)
    except Broken as error:
        publish = None
        records = records_of(names, domain)
        if len(records) > 1:
            publish = Record(domain, _merged(records))
        values = {"domain": domain, **error.values}
        return [Finding("spf", Verdict.FAULT, error.sentence, values, publish)]
    if record is None:
        publish = Record(domain, f"v=spf1 {wanted} ~all")
        return [Finding("spf", Verdict.FAULT, NO_RECORD, {"domain": domain}, publish)]
    found = _limits(walk) + _ends(record, domain)
    relayed = _relay(names, record, domain, relay, wanted)
    if relayed:
        found.append(relayed)
    elif not any(each.verdict == Verdict.FAULT for each in found):
        values = {"domain": domain, "relay": relay, "count": walk.lookups}
        found.insert(0, Finding("spf", Verdict.GOOD, GOOD, values))
    return found


def _limits(walk: Walk) -> list[Finding]:
    found = []
    if walk.lookups > MOST_LOOKUPS:
        values = {"domain": walk.domain, "count": walk.lookups, "most": MOST_LOOKUPS}
        found.append(Finding("spf", Verdict.FAULT, TOO_MANY, values))
    if walk.void > MOST_VOID:
        values = {"domain": walk.domain, "count": walk.void}
        found.append(Finding("spf", Verdict.FAULT, TOO_VOID, values))
    return found


def _ends(record: Terms, domain: str) -> list[Finding]:
    found = []
    last = record
    while last.redirect:
        last = last.redirect
    ends = [term.sign for term in last.terms if term.name == "all"]
    if "+" in ends:
        found.append(Finding("spf", Verdict.FAULT, EVERYBODY, {"domain": domain}))
    elif not ends or "?" in ends:
        found.append(Finding("spf", Verdict.NOTICE, NO_END, {"domain": domain}))
    if any(term.name == "ptr" for term in record.every()):
        found.append(Finding("spf", Verdict.NOTICE, SLOW, {"domain": domain}))
    return found


def _relay(names: Names, record: Terms, domain: str, relay: str, wanted: str) -> Finding | None:
    """Say so where the relay may not send. A vendor's is known by its include, another by its
    addresses; from which address one on this network sends, nobody here knows.
    """
    if is_here(relay):
        return Finding("spf", Verdict.NOTICE, FROM_HERE, {"domain": domain, "relay": relay})
    if target := vendor_of(relay):
        verdict = Verdict.FAULT
        named = any(
            term.name == "include" and term.value.lower() == target for term in record.every()
        )
    else:
        verdict = Verdict.NOTICE
        places = _places(names, relay)
        named = bool(places) and all(record.allows(place) == "+" for place in places)
    if named:
        return None
    words = record.text.split()
    words.insert(1, wanted)
    publish = Record(domain, " ".join(words))
    return Finding("spf", verdict, NOT_NAMED, {"domain": domain, "relay": relay}, publish)


def _places(names: Names, relay: str) -> list[str]:
    with suppress(ValueError):
        return [str(ipaddress.ip_address(relay))]
    return names.addresses(relay)


def vendor_of(relay: str) -> str:
    """Name what a vendor's customers include, for a host of its; "" for any other host."""
    for end, target in INCLUDES.items():
        if relay == end or relay.endswith("." + end):
            return target
    return ""


def _mechanism(relay: str) -> str:
    """Give the term that names a relay."""
    target = vendor_of(relay)
    if target:
        return f"include:{target}"
    if is_here(relay):
        return "mx"
    with suppress(ValueError):
        return f"ip{ipaddress.ip_address(relay).version}:{relay}"
    return f"a:{relay}"


def _merged(records: list[str]) -> str:
    """Make one record of several: each term once, the strictest end last."""
    terms: list[str] = []
    ends: list[str] = []
    for record in records:
        for word in record.split()[1:]:
            if word.lower().endswith("all") and len(word) <= 4:
                ends.append(word)
            elif word not in terms:
                terms.append(word)
    end = next((word for word in ("~all", "-all") if word in ends), "~all")
    return " ".join(["v=spf1", *terms, end])

"""DMARC (RFC 9989): which policy holds for a domain, and do SPF and DKIM speak for it?

Policies and organizations are found by walking the DNS upwards (4.10); pct, rf and ri are gone.
"""

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Record, Verdict
from apps.channels.doctor.lookup import Names, NoReply, unanswered
from apps.channels.doctor.tags import BadTags, tags_of

POLICIES = ("none", "quarantine", "reject")
GONE = ("pct", "rf", "ri")
LONGEST_WALK = 8  # labels; a longer name goes on with its last seven (4.10)

NO_RECORD = _(
    "No DMARC record holds for {domain}. Gmail, Yahoo and Microsoft refuse bulk mail without one."
)
TWO = _("There are {count} DMARC records at {name}, and receivers then take none. Leave one.")
UNREADABLE = _("The DMARC record at {name} can't be read: “{part}” is no tag.")
BAD_POLICY = _("{tag}={given} in the DMARC record at {name} is no policy: receivers take “none”.")
NO_SUCH_DOMAIN = _("{domain} is not in the DNS: receivers refuse mail from it.")
OLD = _("The DMARC record at {name} holds {given}, which RFC 9989 has taken away. Take it out.")
TESTING = _("The DMARC record at {name} says t=y: receivers go easier on what fails.")
WATCHING = _(
    "The policy for {domain} is “none”: forged mail is let through. Once reports show that all of"
    " yours passes, publish quarantine, then reject."
)
NO_REPORTS = _("Nobody gets reports about mail from {domain}. Add rua=mailto: with an address.")
NOT_ASKED = _(
    "Reports for {domain} go to {target}, which has not agreed to that: receivers send none."
)
ENVELOPE_APART = _(
    "Bounces go to {envelope}, which does not belong to {domain} in the eyes of DMARC: only the"
    " DKIM signature speaks for your mails. Take a bounce address below {domain}."
)
GOOD = _("The policy for {domain} is “{policy}”, from the record at {name}.")


@dataclass(frozen=True, slots=True)
class Policy:
    """A DMARC record where it was found."""

    domain: str
    tags: dict[str, str]

    @property
    def name(self) -> str:
        return f"_dmarc.{self.domain}"


class Twice(Exception):
    """More than one record at a name."""

    def __init__(self, name: str, count: int) -> None:
        super().__init__(name)
        self.name = name
        self.count = count


class Unreadable(Exception):
    """A record at a name that is no list of tags."""

    def __init__(self, name: str, part: str) -> None:
        super().__init__(name)
        self.name = name
        self.part = part


def policy_at(names: Names, domain: str) -> Policy | None:
    """Read the record of one domain. Raises NoReply, Twice, Unreadable."""
    name = f"_dmarc.{domain}"
    # 4.7: v comes first and is exactly DMARC1; anything else is no DMARC record
    records = [text for text in names.texts(name) if _begins(text)]
    if len(records) > 1:
        raise Twice(name, len(records))
    if not records:
        return None
    try:
        tags = tags_of(records[0])
    except BadTags as error:
        raise Unreadable(name, str(error)) from error
    return Policy(domain, tags)


def _begins(text: str) -> bool:
    tag, sign, rest = text.partition("=")
    return tag.strip() == "v" and bool(sign) and rest.split(";")[0].strip() == "DMARC1"


def walked(domain: str) -> list[str]:
    """List the names that a walk upwards asks, from the domain itself to its top: 4.10."""
    labels = domain.split(".")
    found = [domain]
    if len(labels) > LONGEST_WALK:
        labels = labels[-LONGEST_WALK:]
    while len(labels) > 1:
        labels = labels[1:]
        found.append(".".join(labels))
    return found


def walk(names: Names, domain: str) -> list[Policy]:
    """Find the records on the way upwards; one that says psd=n, or one above that says psd=y,
    ends the way. Raises NoReply, and for the domain itself Twice and Unreadable.
    """
    found: list[Policy] = []
    for each in walked(domain):
        try:
            policy = policy_at(names, each)
        except (Twice, Unreadable):
            if each == domain:
                raise
            continue  # receivers take none of them, and go on
        if policy is None:
            continue
        found.append(policy)
        psd = policy.tags.get("psd", "u")
        if psd == "n" or (psd == "y" and each != domain):
            break
    return found


def organization(names: Names, domain: str) -> str:
    """Name the organizational domain: 4.10.2. Raises NoReply, Twice, Unreadable."""
    policies = walk(names, domain)
    for policy in policies:
        psd = policy.tags.get("psd", "u")
        if psd == "n":
            return policy.domain
        if psd == "y" and policy.domain != domain:
            labels = domain.split(".")
            return ".".join(labels[-policy.domain.count(".") - 2 :])
    if not policies:
        return domain
    return policies[-1].domain


def examine(names: Names, domain: str, envelope: str, contact: str) -> list[Finding]:
    """Say which policy holds for mail from `domain` whose bounces go to a mailbox of `envelope`;
    `contact` gets the reports of a record we propose.
    """
    publish = Record(f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:{contact}")
    try:
        if not names.exists(domain):
            return [Finding("dmarc", Verdict.FAULT, NO_SUCH_DOMAIN, {"domain": domain})]
        return _examined(names, domain, envelope, publish)
    except Twice as error:
        values = {"name": error.name, "count": error.count}
        return [Finding("dmarc", Verdict.FAULT, TWO, values, publish)]
    except Unreadable as error:
        values = {"name": error.name, "part": error.part}
        return [Finding("dmarc", Verdict.FAULT, UNREADABLE, values, publish)]
    except NoReply as error:
        return [unanswered("dmarc", error)]


def _examined(names: Names, domain: str, envelope: str, publish: Record) -> list[Finding]:
    own = policy_at(names, domain)
    home = organization(names, domain)
    policy = own or policy_at(names, home) or _of_registry(names, domain)
    if policy is None:
        return [Finding("dmarc", Verdict.FAULT, NO_RECORD, {"domain": domain}, publish)]
    found = []
    said, fault = _said(policy, domain)
    if fault:
        found.append(fault)
    else:
        values = {"domain": domain, "policy": said, "name": policy.name}
        found.append(Finding("dmarc", Verdict.GOOD, GOOD, values))
        if said == "none":
            found.append(Finding("dmarc", Verdict.NOTICE, WATCHING, {"domain": domain}))
    if gone := [f"{tag}=" for tag in GONE if tag in policy.tags]:
        values = {"name": policy.name, "given": ", ".join(gone)}
        found.append(Finding("dmarc", Verdict.NOTICE, OLD, values))
    if policy.tags.get("t", "n") == "y":
        found.append(Finding("dmarc", Verdict.NOTICE, TESTING, {"name": policy.name}))
    found += _reports(names, policy, home, domain)
    if not _aligned(names, envelope, domain, home, policy.tags.get("aspf", "r")):
        values = {"envelope": envelope, "domain": domain}
        found.append(Finding("dmarc", Verdict.NOTICE, ENVELOPE_APART, values))
    return found


def _of_registry(names: Names, domain: str) -> Policy | None:
    """The record of the public suffix above, where it says that it is one: 4.10.1."""
    for policy in walk(names, domain):
        if policy.tags.get("psd") == "y":
            return policy
    return None


def _said(policy: Policy, domain: str) -> tuple[str, Finding | None]:
    """Give the policy for a domain that exists; a finding where it is none of the three."""
    tag = "p"
    if policy.domain != domain and "sp" in policy.tags:
        tag = "sp"
    given = policy.tags.get(tag, "none").lower()
    if given in POLICIES:
        return given, None
    values = {"tag": tag, "given": given, "name": policy.name}
    mended = policy.tags | {tag: "none"}
    publish = Record(policy.name, "; ".join(f"{name}={value}" for name, value in mended.items()))
    return "none", Finding("dmarc", Verdict.FAULT, BAD_POLICY, values, publish)


def _reports(names: Names, policy: Policy, home: str, domain: str) -> list[Finding]:
    """Say whether aggregate reports reach somebody: RFC 9990 4."""
    targets = [
        uri.strip()[len("mailto:") :].split("!")[0].rpartition("@")[2].lower()
        for uri in policy.tags.get("rua", "").split(",")
        if uri.strip().lower().startswith("mailto:")
    ]
    if not targets:
        return [Finding("dmarc", Verdict.NOTICE, NO_REPORTS, {"domain": domain})]
    found = []
    for target in dict.fromkeys(targets):
        if organization(names, target) == home:
            continue
        asked = f"{policy.domain}._report._dmarc.{target}"
        if not any(_begins(text) for text in names.texts(asked)):
            values = {"domain": domain, "target": target}
            publish = Record(asked, "v=DMARC1")
            found.append(Finding("dmarc", Verdict.NOTICE, NOT_ASKED, values, publish))
    return found


def _aligned(names: Names, envelope: str, domain: str, home: str, mode: str) -> bool:
    """Whether SPF of the envelope speaks for the domain in From: 4.4.2."""
    if envelope == domain:
        return True
    return mode != "s" and organization(names, envelope) == home

"""The DKIM key in the DNS (RFC 6376 3.6.1): is it the one that signs?"""

from dataclasses import dataclass

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Record, Verdict
from apps.channels.doctor.lookup import Names, NoReply, unanswered
from apps.channels.doctor.tags import BadTags, tags_of

UNSIGNED = _(
    "Carillon does not sign mails of {domain} on this account. Where its server does not either,"
    " receivers refuse bulk mail: let Carillon make a key, or switch signing on there."
)
MISSING = _("The key {selector} of {domain} is not in the DNS: each signature fails.")
TWO = _("There are {count} records at {name}; receivers may read any of them. Leave one.")
UNREADABLE = _("The key at {name} can't be read: “{part}” is no key.")
REVOKED = _("The key at {name} is empty, which says that it was withdrawn: each signature fails.")
OTHER = _("The key at {name} is another one than the account signs with: each signature fails.")
NOT_FOR_MAIL = _("The key at {name} is not for mail (s={given}): receivers pass it over.")
NO_SHA256 = _("The key at {name} allows only {given}; signatures here use sha256 and fail.")
TESTING = _("The key at {name} says t=y, testing: receivers may treat signed mail as unsigned.")
GOOD = _("Mails are signed with the key {selector} of {domain}, and the DNS has it.")


@dataclass(frozen=True, slots=True)
class Key:
    """What signs: the selector, and the record that belongs into the DNS."""

    selector: str
    record: str


def name_of(key: Key, domain: str) -> str:
    return f"{key.selector}._domainkey.{domain}"


def examine(names: Names, domain: str, key: Key | None) -> list[Finding]:
    if key is None:
        return [Finding("dkim", Verdict.NOTICE, UNSIGNED, {"domain": domain})]
    name = name_of(key, domain)
    publish = Record(name, key.record)
    try:
        texts = names.texts(name)
    except NoReply as error:
        return [unanswered("dkim", error)]
    if not texts:
        values: dict[str, object] = {"selector": key.selector, "domain": domain}
        return [Finding("dkim", Verdict.FAULT, MISSING, values, publish)]
    if len(texts) > 1:
        values = {"count": len(texts), "name": name}
        return [Finding("dkim", Verdict.FAULT, TWO, values, publish)]
    try:
        tags = tags_of(texts[0])
    except BadTags as error:
        values = {"name": name, "part": str(error)}
        return [Finding("dkim", Verdict.FAULT, UNREADABLE, values, publish)]
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        values = {"name": name, "part": texts[0][:60]}
        return [Finding("dkim", Verdict.FAULT, UNREADABLE, values, publish)]
    if fault := _fault(tags, tags_of(key.record)):
        sentence, given = fault
        values = {"name": name, "given": given}
        return [Finding("dkim", Verdict.FAULT, sentence, values, publish)]
    values = {"selector": key.selector, "domain": domain}
    found = [Finding("dkim", Verdict.GOOD, GOOD, values)]
    if "y" in _words(tags.get("t", "")):
        found.append(Finding("dkim", Verdict.NOTICE, TESTING, {"name": name}, publish))
    return found


def _fault(tags: dict[str, str], own: dict[str, str]) -> tuple[str, str] | None:
    """Say why receivers can't use the key in the DNS for our signatures."""
    published = "".join(tags.get("p", "").split())
    if not published:
        return REVOKED, ""
    if published != own["p"] or tags.get("k", "rsa") != own["k"]:
        return OTHER, ""
    services = tags.get("s", "*")
    if not {"*", "email"} & set(_words(services)):
        return NOT_FOR_MAIL, services
    hashes = tags.get("h", "sha256")
    if "sha256" not in _words(hashes):
        return NO_SHA256, hashes
    return None


def _words(value: str) -> list[str]:
    return [word.strip().lower() for word in value.split(":")]

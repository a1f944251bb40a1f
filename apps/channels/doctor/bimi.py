"""BIMI: a logo beside the mail, where a policy is enforced (draft-brand-indicators)."""

from urllib.parse import urlsplit

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Verdict
from apps.channels.doctor.lookup import Names, NoReply, unanswered
from apps.channels.doctor.tags import BadTags, tags_of

TWO = _("There are {count} BIMI records at {name}. Leave one.")
UNREADABLE = _("The BIMI record at {name} can't be read: “{part}” is no tag.")
NO_LOGO = _("The BIMI record at {name} names no logo: l= needs an https address of an SVG file.")
NO_CERTIFICATE = _(
    "The BIMI record at {name} names no certificate (a=): Gmail and Apple show no logo without one."
)
NOT_ENFORCED = _("A logo is shown only once DMARC says quarantine or reject for {domain}.")
GOOD = _("The logo of {domain} is at {logo}.")


def examine(names: Names, domain: str, *, enforced: bool) -> list[Finding]:
    """Look at the record; a domain without one lacks nothing."""
    name = f"default._bimi.{domain}"
    try:
        texts = [text for text in names.texts(name) if text.lower().startswith("v=bimi1")]
    except NoReply as error:
        return [unanswered("bimi", error)]
    if not texts:
        return []
    if len(texts) > 1:
        return [Finding("bimi", Verdict.NOTICE, TWO, {"count": len(texts), "name": name})]
    try:
        tags = tags_of(texts[0])
    except BadTags as error:
        values = {"name": name, "part": str(error)}
        return [Finding("bimi", Verdict.NOTICE, UNREADABLE, values)]
    logo = urlsplit(tags.get("l", ""))
    if logo.scheme != "https" or not logo.path.lower().endswith(".svg"):
        return [Finding("bimi", Verdict.NOTICE, NO_LOGO, {"name": name})]
    if not enforced:
        return [Finding("bimi", Verdict.NOTICE, NOT_ENFORCED, {"domain": domain})]
    found = [Finding("bimi", Verdict.GOOD, GOOD, {"domain": domain, "logo": tags["l"]})]
    if not tags.get("a"):
        found.append(Finding("bimi", Verdict.NOTICE, NO_CERTIFICATE, {"name": name}))
    return found

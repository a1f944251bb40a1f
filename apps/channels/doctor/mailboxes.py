"""The mail servers that answers and bounces reach: MX (RFC 5321 5.1), null MX (RFC 7505)."""

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Verdict
from apps.channels.doctor.lookup import Names, NoReply, unanswered

NO_MAIL = _(
    "{domain} says that it takes no mail (a null MX): receivers distrust a sender whom nobody can"
    " answer."
)
NOWHERE = _("{domain} has no mail server: answers and bounces can't arrive. Publish an MX record.")
NO_MX = _("{domain} has no MX record; mail goes to its own address. Publish an MX record.")
NO_ADDRESS = _("The mail server {host} of {domain} has no address in the DNS.")
GOOD = _("Mail for {domain} goes to {host}.")


def examine(names: Names, domain: str) -> list[Finding]:
    try:
        return _examined(names, domain)
    except NoReply as error:
        return [unanswered("mx", error)]


def _examined(names: Names, domain: str) -> list[Finding]:
    hosts = names.mail_servers(domain)
    if hosts == [""]:
        return [Finding("mx", Verdict.FAULT, NO_MAIL, {"domain": domain})]
    if not hosts:
        if names.addresses(domain):
            return [Finding("mx", Verdict.NOTICE, NO_MX, {"domain": domain})]
        return [Finding("mx", Verdict.FAULT, NOWHERE, {"domain": domain})]
    lost = [host for host in hosts if not names.addresses(host)]
    if len(lost) == len(hosts):
        values = {"host": lost[0], "domain": domain}
        return [Finding("mx", Verdict.FAULT, NO_ADDRESS, values)]
    there = [host for host in hosts if host not in lost]
    found = [Finding("mx", Verdict.GOOD, GOOD, {"domain": domain, "host": there[0]})]
    for host in lost:
        values = {"host": host, "domain": domain}
        found.append(Finding("mx", Verdict.NOTICE, NO_ADDRESS, values))
    return found

"""The server that takes our mail: is the way there secret, and does its address have a name?"""

import datetime as dt
import ipaddress
import smtplib
import ssl
from typing import cast

from django.utils.translation import gettext_noop as _

from apps.channels.doctor.finding import Finding, Verdict
from apps.channels.doctor.lookup import Names, NoReply, is_here, unanswered

SECONDS = 5.0
SOON = dt.timedelta(days=14)

CLEAR = _(
    "Mails and the password go to {host} in the clear. Choose STARTTLS, or TLS from the start, in"
    " the account's settings."
)
NO_STARTTLS = _("{host} does not offer STARTTLS on port {port}: {why}")
DISTRUSTED = _("The certificate of {host} can't be trusted: {why}")
UNREACHED = _("{host} did not answer on port {port}: {why}")
ENDS_SOON = _("The certificate of {host} ends on {day}. Renew it.")
SECRET = _("{host} speaks {version}; its certificate is good until {day}.")
NAMELESS = _(
    "{address}, the address of {host}, has no name in reverse. If {host} delivers mail itself,"
    " receivers refuse it: ask whoever runs the network for a PTR record."
)
MISNAMED = _(
    "{address}, the address of {host}, is called {name} in reverse, and {name} does not lead back"
    " to it. If {host} delivers mail itself, receivers distrust it."
)
NAMED = _("{address}, the address of {host}, is called {name}, and {name} leads back to it.")


def secrecy(host: str, port: int, security: str, *, today: dt.date) -> Finding:
    """Connect as a sender does, and look at the certificate."""
    if security == "none":
        verdict = Verdict.FAULT
        if is_here(host):
            verdict = Verdict.NOTICE
        return Finding("tls", verdict, CLEAR, {"host": host})
    place = {"host": host, "port": port}
    try:
        version, until = _certificate(host, port, security)
    except ssl.SSLCertVerificationError as error:
        values = {"host": host, "why": error.verify_message}
        return Finding("tls", Verdict.FAULT, DISTRUSTED, values)
    except smtplib.SMTPNotSupportedError as error:
        return Finding("tls", Verdict.FAULT, NO_STARTTLS, {**place, "why": str(error)})
    except (OSError, smtplib.SMTPException) as error:
        return Finding("tls", Verdict.UNKNOWN, UNREACHED, {**place, "why": str(error)[:200]})
    day = until.isoformat()
    if until - today < SOON:
        return Finding("tls", Verdict.NOTICE, ENDS_SOON, {"host": host, "day": day})
    values = {"host": host, "version": version, "day": day}
    return Finding("tls", Verdict.GOOD, SECRET, values)


def _certificate(host: str, port: int, security: str) -> tuple[str, dt.date]:
    """Give the version of TLS and the last day of the certificate."""
    context = ssl.create_default_context()
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=SECONDS)
    with server:
        if security == "starttls":
            server.starttls(context=context)
        connection = cast(ssl.SSLSocket, server.sock)
        certificate = connection.getpeercert() or {}
        seconds = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        until = dt.datetime.fromtimestamp(seconds, dt.UTC).date()
        return connection.version() or "", until


def reverse(names: Names, host: str) -> list[Finding]:
    """Look whether each public address of the server has a name that leads back (FCrDNS)."""
    try:
        return [
            _named(names, host, address)
            for address in names.addresses(host)
            if ipaddress.ip_address(address).is_global
        ]
    except NoReply as error:
        return [unanswered("ptr", error)]


def _named(names: Names, host: str, address: str) -> Finding:
    values = {"host": host, "address": address}
    called = names.names_of(address)
    if not called:
        return Finding("ptr", Verdict.NOTICE, NAMELESS, values)
    for name in called:
        if address in names.addresses(name):
            return Finding("ptr", Verdict.GOOD, NAMED, {**values, "name": name})
    return Finding("ptr", Verdict.NOTICE, MISNAMED, {**values, "name": called[0]})

"""One Mail as the bytes that go over the wire (RFC 5322, 2045, 2047; RFC 6532 where the server offers SMTPUTF8)."""

import re
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr

from apps.channels.contract import Mail

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class BadHeader(ValueError):
    """A header value carries a line break or another control character; it could smuggle in a second header."""


def needs_smtputf8(address: str) -> bool:
    """True for a non-ASCII local part; a non-ASCII domain has an ASCII form (IDNA) and needs nothing."""
    return not address.rpartition("@")[0].isascii()


def envelope(address: str) -> str:
    """The address as it is written in MAIL FROM and RCPT TO: the domain in its ASCII form."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain if domain.isascii() else domain.encode('idna').decode()}"


def _line(name: str, value: str) -> str:
    """A header that machines read, written in one piece: folding would put encoded words into long URLs."""
    if _UNSAFE.search(value) or not value.isascii():
        raise BadHeader(f"{name} may hold printable ASCII only, got {value!r}.")
    return f"{name}: {value}\r\n"


def _clean(name: str, value: str) -> str:
    if _UNSAFE.search(value):
        raise BadHeader(f"{name} may not hold line breaks or control characters, got {value!r}.")
    return value


def _address(name: str, spec: str) -> Address:
    local, _, domain = envelope(spec).rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


def as_bytes(mail: Mail) -> bytes:
    """Headers and both bodies, CRLF line ends, no line over 998 octets. Raises BadHeader."""
    message = EmailMessage(policy=SMTPUTF8 if needs_smtputf8(mail.to) else SMTP)
    message["From"] = _address(*parseaddr(_clean("From", mail.sender)))
    message["To"] = _address(_clean("To", mail.to_name), _clean("To", mail.to))
    message["Subject"] = _clean("Subject", mail.subject)
    message.set_content(mail.text, cte="quoted-printable")
    if mail.html:
        message.add_alternative(mail.html, subtype="html", cte="quoted-printable")
    machine = _line("Message-ID", mail.message_id)
    if mail.sent_at:
        machine += _line("Date", format_datetime(mail.sent_at))
    machine += "".join(_line(name, value) for name, value in mail.headers.items())
    return machine.encode("ascii") + message.as_bytes()

"""Addresses as people type them, turned into the one spelling we keep and the key that makes two
spellings the same.
"""

import re
import unicodedata

import phonenumbers
from django.utils.translation import gettext
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from email_validator.rfc_constants import CASE_INSENSITIVE_MAILBOX_NAMES, EMAIL_MAX_LENGTH

from apps.followers.models import Channel
from apps.lib.network.host_name import BadHost, ascii_host
from apps.lib.refusals import NOT_FOUND, Refused

# The library's own switch: mail servers of intranets do live in .local (test_environment below
# allows .test).
if "local" in SPECIAL_USE_DOMAIN_NAMES:
    SPECIAL_USE_DOMAIN_NAMES.remove("local")

# The fields in which people type an address, and the channel that goes there.
CHANNEL_OF = {"email": Channel.EMAIL, "phone": Channel.SMS}

_ATOM = r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+"  # RFC 5322 3.2.3
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"  # RFC 1123 2.1
_ORDINARY = re.compile(
    rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+([a-z]{{2,63}}))", re.ASCII | re.IGNORECASE
)
_RESERVED_ENDINGS = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)
_ROLES = frozenset(CASE_INSENSITIVE_MAILBOX_NAMES)  # RFC 2142: the library writes Info@ as info@


class BadAddress(Refused):
    """Nothing can be sent to this value; the text says what is wrong with it."""

    field = "address"


def normalise(channel: str, value: str, *, country: str = "") -> tuple[str, str]:
    """Give `(value, key)` of an email address or a phone number, spelled as people know it.

    `value` is what we show and send to, `key` is what is unique. Email: the domain is compared in
    its ASCII form (IDNA 2008) and the part before the @ in any case; RFC 5321 would allow Anna@ and
    anna@ to differ, no provider does it, and two rows would mean two copies for one person. Phone:
    E.164 for both; without country code it is one of `country` (such as DE), if that is given.
    No network. Raises BadAddress.
    """
    value = unicodedata.normalize("NFC", value).strip().strip("\u200b\ufeff").strip()
    if channel == Channel.EMAIL:
        return _email(value)
    if channel == Channel.SMS:
        return _phone(value, country)
    said = gettext("Addresses for {channel!r} can't be entered by hand.")
    raise BadAddress(said.format(channel=channel))


def _email(value: str) -> tuple[str, str]:
    """Return the value and the key of an email address; few need the library.

    Raises BadAddress.
    """
    return ordinary_email(value) or _any_email(value)


def ordinary_email(value: str) -> tuple[str, str] | None:
    """Return what the library makes of a plain ASCII address, at a small part of its cost.

    None means that this address needs the library: it is odd, or wrong, and the library says why.
    """
    if len(value) > EMAIL_MAX_LENGTH:
        return None
    parts = _ORDINARY.fullmatch(value)
    if parts is None:
        return None
    local, domain, ending = parts.groups()
    local_key = local.lower()
    domain = domain.lower()
    # Two hyphens in a row may be Punycode, which has another spelling.
    if "--" in domain or local_key in _ROLES or ending.lower() in _RESERVED_ENDINGS:
        return None
    return f"{local}@{domain}", f"{local_key}@{domain}"


def _any_email(value: str) -> tuple[str, str]:
    try:
        parsed = validate_email(value, check_deliverability=False, test_environment=True)
        domain = ascii_host(parsed.domain)  # as it is sent to
    except (EmailNotValidError, BadHost) as error:
        said = gettext("{address!r} is not an email address: {error}")
        raise BadAddress(said.format(address=value[:80], error=error)) from error
    local = unicodedata.normalize("NFC", parsed.local_part.casefold())
    return parsed.normalized, f"{local}@{domain}"


def _phone(value: str, country: str) -> tuple[str, str]:
    # 00 is how many countries dial what the world writes as +
    international = value
    if value.startswith("00"):
        international = "+" + value[2:]
    try:
        number = phonenumbers.parse(international, country or None)
    except phonenumbers.NumberParseException as error:
        said = gettext(
            "{number!r} is not a phone number: write it with + and the country code, "
            "for example +49 30 1234567."
        )
        raise BadAddress(said.format(number=value[:80]), cause=NOT_FOUND) from error
    if number.extension:
        said = gettext(
            "{number!r} has an extension: a text message can't reach it. Leave the extension out."
        )
        raise BadAddress(said.format(number=value[:80]))
    # Possible, not valid: number plans change faster than the library's tables do.
    if not phonenumbers.is_possible_number(number):
        said = gettext(
            "{number!r} is not a phone number: it has too few or too many digits for its country."
        )
        raise BadAddress(said.format(number=value[:80]), cause=NOT_FOUND)
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text, text

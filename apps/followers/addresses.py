"""Addresses as people type them, turned into the one spelling we keep and the key that makes two spellings the same."""

import unicodedata

import phonenumbers
from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from apps.followers.models import Channel

# The library's own switch: mail servers of intranets do live in .local (test_environment below allows .test).
if "local" in SPECIAL_USE_DOMAIN_NAMES:
    SPECIAL_USE_DOMAIN_NAMES.remove("local")


class BadAddress(ValueError):
    """Nothing can be sent to this value; the text says what is wrong with it."""


def normalise(channel: str, value: str) -> tuple[str, str]:
    """`(value, key)` for an e-mail address or a phone number in the form other people would recognise.

    `value` is what we show and send to, `key` is what is unique. E-mail: the domain is compared in its ASCII form
    (IDNA 2008) and the part before the @ in any case; RFC 5321 would allow Anna@ and anna@ to differ, no provider
    does it, and two rows would mean two copies for one person. Phone: E.164 for both. No network. Raises BadAddress.
    """
    value = unicodedata.normalize("NFC", value).strip().strip("\u200b\ufeff")
    if channel == Channel.EMAIL:
        return _email(value)
    if channel == Channel.SMS:
        return _phone(value)
    raise BadAddress(f"Addresses for {channel!r} can't be entered by hand.")


def _email(value: str) -> tuple[str, str]:
    try:
        parsed = validate_email(value, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise BadAddress(f"{value[:80]!r} is not an email address: {error}") from error
    local = unicodedata.normalize("NFC", parsed.local_part.casefold())
    return parsed.normalized, f"{local}@{parsed.ascii_domain.lower()}"


def _phone(value: str) -> tuple[str, str]:
    # 00 is how many countries dial what the world writes as +
    international = "+" + value[2:] if value.startswith("00") else value
    try:
        number = phonenumbers.parse(international, None)
    except phonenumbers.NumberParseException as error:
        raise BadAddress(
            f"{value[:80]!r} is not a phone number: write it with + and the country code, for example +49 30 1234567."
        ) from error
    if number.extension:
        raise BadAddress(f"{value[:80]!r} has an extension: a text message can't reach it. Leave the extension out.")
    # Possible, not valid: number plans change faster than the library's tables do.
    if not phonenumbers.is_possible_number(number):
        raise BadAddress(f"{value[:80]!r} is not a phone number: it has too few or too many digits for its country.")
    text = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return text, text

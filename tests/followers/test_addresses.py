"""Two spellings of one address must never become two people."""

import pytest

from apps.followers.addresses import BadAddress, normalise


@pytest.mark.parametrize(
    ("text", "value", "key"),
    [
        ("anna@example.com", "anna@example.com", "anna@example.com"),
        ("  Anna.Weber@Example.COM\u00a0", "Anna.Weber@example.com", "anna.weber@example.com"),
        ("\ufeffanna@example.com\u200b", "anna@example.com", "anna@example.com"),
        ("почта@пример.рф", "почта@пример.рф", "почта@xn--e1afmkfd.xn--p1ai"),
        ("ПОЧТА@XN--E1AFMKFD.xn--p1ai", "ПОЧТА@пример.рф", "почта@xn--e1afmkfd.xn--p1ai"),
        ("jose\u0301@example.com", "jos\u00e9@example.com", "jos\u00e9@example.com"),
        ("ops@shop.test", "ops@shop.test", "ops@shop.test"),
        ("ops@mail.corp.local", "ops@mail.corp.local", "ops@mail.corp.local"),
    ],
)
def test_an_email_address_keeps_its_spelling_and_gets_one_key(text: str, value: str, key: str) -> None:
    assert normalise("email", text) == (value, key)


@pytest.mark.parametrize(
    "text",
    ["", "anna", "anna@", "@example.com", "anna@gmail", "a b@example.com", "anna@example..com", "anna@exam\x00ple.com"],
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress, match="is not an email address"):
        normalise("email", text)


def test_an_address_cannot_smuggle_a_second_header_line() -> None:
    with pytest.raises(BadAddress):
        normalise("email", "anna@example.com\nBcc: all@example.com")


@pytest.mark.parametrize(
    "text", ["+49 30 1234567", "0049301234567", "+49 (0)30 / 1234-567", "\u00a0+49\u00a030\u00a01234567"]
)
def test_a_phone_number_becomes_e164(text: str) -> None:
    assert normalise("sms", text) == ("+49301234567", "+49301234567")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("030 1234567", "country code"),
        ("call me", "country code"),
        ("+1", "country code|digits"),
        ("+1 212 555 01001234", "digits|country code"),
        ("+49 30 1234567 ext. 12", "extension"),
    ],
)
def test_what_is_no_phone_number_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(BadAddress, match=why):
        normalise("sms", text)


def test_addresses_of_devices_are_not_entered_by_hand() -> None:
    with pytest.raises(BadAddress, match="by hand"):
        normalise("push", "token")

"""Two spellings of one address must never become two people."""

import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.followers import addresses
from apps.followers.addresses import BadAddress, normalise, ordinary_email


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
def test_an_email_address_keeps_its_spelling_and_gets_one_key(
    text: str, value: str, key: str
) -> None:
    assert normalise("email", text) == (value, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "anna@",
        "@example.com",
        "anna@gmail",
        "a b@example.com",
        "anna@example..com",
        "anna@exam\x00ple.com",
    ],
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    with pytest.raises(BadAddress, match="is not an email address"):
        normalise("email", text)


def test_an_address_cannot_smuggle_a_second_header_line() -> None:
    with pytest.raises(BadAddress):
        normalise("email", "anna@example.com\nBcc: all@example.com")


_LETTERS = string.ascii_letters + string.digits
_LOCAL = st.text(_LETTERS + "!#$%&'*+/=?^_`{|}~-..", min_size=1, max_size=70)
_LABELS = st.lists(st.text(_LETTERS + "-", min_size=1, max_size=66), min_size=1, max_size=4)
_ENDINGS = st.sampled_from(
    ["com", "DE", "рф", "xn--p1ai", "local", "test", "onion", "invalid", "arpa", "1", "c", "c0"]
)
_ADDRESSES = st.builds(
    lambda local, labels, ending: f"{local}@{'.'.join(labels)}.{ending}",
    _LOCAL | st.sampled_from(["Info", "SALES", "Anna.Weber", "a+b"]), _LABELS, _ENDINGS,
)  # fmt: skip


@given(_ADDRESSES | st.text(_LETTERS + ".@-+é\n", max_size=30))
@example("Anna.Weber+News@Mail.Example.COM")
@example("a" * 190 + "@" + "b" * 59 + ".de")
@example("\u212aarl@example.com")
@example("karl@example.com\n")
def test_what_is_settled_without_the_library_is_what_the_library_says(text: str) -> None:
    settled = ordinary_email(text)
    if settled is not None:
        assert settled == addresses._any_email(text)


@pytest.mark.parametrize(
    "text",
    [
        "anna@example.com",
        "Anna.Weber@Example.COM",
        "a+b@mail.example.co.uk",
        "o'neil@example.org",
        "x_1@a-b.museum",
    ],
)
def test_an_ordinary_address_never_meets_the_library(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(addresses, "validate_email")
    assert normalise("email", text)


@pytest.mark.parametrize(
    "text",
    [
        "почта@example.com", "anna@пример.рф", "anna@xn--e1afmkfd.xn--p1ai", "anna@a--b.com",
        "anna@ab--c.com", "Info@example.com", "postmaster@example.com",
        '"anna weber"@example.com', "anna@[192.0.2.1]", "Anna <anna@example.com>",
        "anna@localhost", "anna@mail.localhost", "anna@shop.test", "anna@x.onion",
        "anna@x.invalid", "anna@x.arpa", "anna@example.c0", "anna@example.1", "anna@example",
        ".anna@example.com", "anna.@example.com", "an..na@example.com", "anna@-a.com",
        "anna@a-.com", "anna@a..com", "anna@a.com.", "anna@" + "a" * 64 + ".com",
        "a" * 250 + "@a.com", "", "@a.com", "anna@", "anna@@a.com", "anna@a.com\n",
        "\u017fam@example.com", "anna@\u212aarl.com",
    ],
)  # fmt: skip
def test_an_odd_address_is_left_to_the_library(text: str) -> None:
    assert ordinary_email(text) is None


@pytest.mark.parametrize(
    "text",
    ["+49 30 1234567", "0049301234567", "+49 (0)30 / 1234-567", "\u00a0+49\u00a030\u00a01234567"],
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

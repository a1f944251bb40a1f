"""The bytes are those of RFC 8291, and other people's libraries read them."""

import os
import time

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from py_vapid import Vapid02

from apps.channels.push.web_push_encryption import (
    CURVE,
    LONGEST,
    BadKeys,
    Browser,
    Vapid,
    base64url,
    encrypt,
    new_private_key,
    unbase64,
)
from tests.fake_push import Browser as FakeBrowser
from tests.fake_push import pem

# RFC 8291, appendix A
PLAINTEXT = b"When I grow up, I want to be a watermelon"
AS_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
UA_PUBLIC = (
    "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
)
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vC"
    "YLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXL"
    "WyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_bytes_are_those_of_the_standards_own_example() -> None:
    made = encrypt(
        PLAINTEXT,
        Browser.read(UA_PUBLIC, AUTH),
        salt=unbase64(SALT),
        key=Vapid.read(AS_PRIVATE).private,
    )
    assert base64url(made) == BODY
    assert len(made) == 144


@pytest.mark.parametrize("size", [1, 100, LONGEST])
def test_another_library_reads_what_we_write_and_writes_the_same(size: int) -> None:
    browser = FakeBrowser("https://push.example/1")
    said = os.urandom(size)
    ours = Browser.read(**browser.keys())
    salt = os.urandom(16)
    key = ec.generate_private_key(CURVE)
    made = encrypt(said, ours, salt=salt, key=key)
    theirs = {"auth_secret": browser.auth, "version": "aes128gcm"}
    assert http_ece.decrypt(made, private_key=browser.key, **theirs) == said
    assert (
        http_ece.encrypt(said, salt=salt, private_key=key, dh=ours.public, rs=4096, **theirs)
        == made
    )
    assert len(made) == size + 103 <= 4096


def test_each_message_has_keys_of_its_own_and_one_byte_more_is_refused() -> None:
    browser = Browser.read(UA_PUBLIC, AUTH)
    assert encrypt(b"x", browser) != encrypt(b"x", browser)
    with pytest.raises(ValueError, match="3,994 bytes"):
        encrypt(b"x" * (LONGEST + 1), browser)


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        (UA_PUBLIC, "c2hvcnQ"),
        (UA_PUBLIC, "ä"),
        ("", AUTH),
        (UA_PUBLIC[:-4], AUTH),
        (base64url(b"\x04" + b"\x01" * 64), AUTH),
        (base64url(b"\x00"), AUTH),
    ],
)
def test_keys_that_are_none_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(BadKeys):
        Browser.read(p256dh, auth)


def test_keys_are_read_with_padding_and_in_the_other_alphabet() -> None:
    other = UA_PUBLIC.replace("-", "+").replace("_", "/") + "="
    assert Browser.read(other, AUTH + "==") == Browser.read(UA_PUBLIC, AUTH)


def test_who_we_are_is_believed_by_another_library_and_a_changed_letter_is_not() -> None:
    key = Vapid.read(new_private_key())
    header = key.signed(
        audience="https://push.example",
        subject="mailto:a@example.com",
        expires=int(time.time()) + 3600,
    )
    header = header.replace(", ", ",")  # RFC 9110 allows the blank, that library does not
    assert Vapid02.verify(header)
    token = header.index("t=") + 40
    changed = header[:token] + ("A" if header[token] != "A" else "B") + header[token + 1 :]
    with pytest.raises(Exception):  # noqa: B017, PT011  (it raises what its parts raise)
        assert Vapid02.verify(changed)


def test_a_private_key_is_read_as_other_tools_write_it() -> None:
    text = new_private_key()
    key = Vapid.read(text)
    assert len(unbase64(text)) == 32
    as_pem = pem(key.private)
    assert Vapid.read(as_pem).public == Vapid.read(as_pem.replace("\n", " ")).public == key.public
    assert len(unbase64(key.public)) == 65
    for wrong in ("", "x", base64url(b"\0" * 32), pem(ec.generate_private_key(ec.SECP384R1()))):
        with pytest.raises(BadKeys):
            Vapid.read(wrong)

"""Signed links: a token names a purpose and a row, never expires unless asked,
and survives key rotation.
"""

import base64
import hmac
from binascii import b2a_base64
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.core import signing

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
SHORT = 8  # bytes of a token of `short` that prove it
HALF = 16  # bytes of a token of `three` that prove it: 128 bits


class BadToken(ValueError):
    """The token was altered, cut, made for another purpose, or is older than allowed."""

    def __init__(
        self,
        text: str = "This link is not complete or was changed. Open it again from the message.",
    ) -> None:
        super().__init__(text)


def make(purpose: str, payload: Any) -> str:
    """URL-safe, signed with SECRET_KEY; old keys stay good through SECRET_KEY_FALLBACKS."""
    return signing.dumps(payload, salt=f"carillon.{purpose}")


def read(purpose: str, token: str, *, max_age: int | None = None) -> Any:
    """The payload of `make`. `max_age` in seconds. Raises BadToken. Compares in constant time."""
    try:
        return signing.loads(token, salt=f"carillon.{purpose}", max_age=max_age)
    except signing.BadSignature as error:
        raise BadToken from error


class Third(IntEnum):
    """Which of `three` a token is."""

    FIRST = 0
    SECOND = 1
    LAST = 2


def three(purpose: str, payload: bytes) -> tuple[str, str, str]:
    """Three tokens of the same payload, none of which tells another:
    for links that different people may hold.

    One HMAC makes all: a mail has three and is made in 100 µs, of which `make` would take 45.
    """
    first, second, last = _proofs(purpose, settings.SECRET_KEY, payload)
    return _text(payload + first), _text(payload + second), _text(payload + last)


def read_three(purpose: str, token: str, which: Third) -> bytes:
    """The payload of `three`, if this is that one of them.

    Raises BadToken. Compares in constant time.
    """
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise BadToken from error
    payload = raw[:-HALF]
    proof = raw[-HALF:]
    if (
        not payload or _text(raw) != token
    ):  # one spelling each: decoding forgives foreign characters and loose bits
        raise BadToken
    keys: Iterable[str] = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    for key in keys:
        if hmac.compare_digest(_proofs(purpose, key, payload)[which], proof):
            return payload
    raise BadToken


def short(purpose: str, payload: bytes) -> str:
    """A token in the letters of hexadecimal numbers, for where the case of letters may get lost and
    room is scarce: 64 bits prove it, and each guess costs who guesses a mail.
    """
    return (payload + _proof(purpose, settings.SECRET_KEY, payload)[:SHORT]).hex()


def read_short(purpose: str, token: str) -> bytes:
    """The payload of `short`. Raises BadToken. Compares in constant time."""
    try:
        raw = bytes.fromhex(token)
    except ValueError as error:
        raise BadToken from error
    payload = raw[:-SHORT]
    keys: Iterable[str] = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    for key in keys:
        if hmac.compare_digest(_proof(purpose, key, payload)[:SHORT], raw[-SHORT:]):
            return payload
    raise BadToken


def _proofs(purpose: str, secret: str, payload: bytes) -> tuple[bytes, bytes, bytes]:
    """The two halves of the HMAC, and a digest of both: who has one of them lacks 128 bits of each
    other.
    """
    proof = _proof(purpose, secret, payload)
    return proof[:HALF], proof[HALF:], sha256(proof).digest()[:HALF]


def _proof(purpose: str, secret: str, payload: bytes) -> bytes:
    # with the key from the start it takes three times as long
    started = _started(purpose, secret).copy()
    started.update(payload)
    return started.digest()


@lru_cache(maxsize=32)
def _started(purpose: str, secret: str) -> hmac.HMAC:
    key = hmac.digest(secret.encode(), f"carillon.{purpose}".encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def _text(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()

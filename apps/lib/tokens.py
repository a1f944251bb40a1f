"""Signed links: a token names a purpose and a row, never expires unless asked,
and survives key rotation.
"""

import base64
import hmac
from binascii import b2a_base64
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.core import signing

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
HALF = 16  # bytes of a token of `pair` that prove it: 128 bits


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


def pair(purpose: str, payload: bytes) -> tuple[str, str]:
    """Two tokens of the same payload, neither of which tells the other:
    for links that different people may hold.

    One HMAC makes both, each with a half of it: a mail has two and is made in 100 µs,
    of which `make` would take 30.
    """
    proof = _proof(purpose, settings.SECRET_KEY, payload)
    return _text(payload + proof[:HALF]), _text(payload + proof[HALF:])


def read_pair(purpose: str, token: str, *, second: bool) -> bytes:
    """The payload of `pair`, if this is the token of that half.

    Raises BadToken. Compares in constant time.
    """
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError as error:
        raise BadToken from error
    payload = raw[:-HALF]
    half = raw[-HALF:]
    if (
        not payload or _text(raw) != token
    ):  # one spelling each: decoding forgives foreign characters and loose bits
        raise BadToken
    if second:
        part = slice(HALF, None)
    else:
        part = slice(HALF)
    keys: Iterable[str] = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    if not any(hmac.compare_digest(_proof(purpose, key, payload)[part], half) for key in keys):
        raise BadToken
    return payload


def _proof(purpose: str, secret: str, payload: bytes) -> bytes:
    proof = _started(
        purpose, secret
    ).copy()  # with the key from the start it takes three times as long
    proof.update(payload)
    return proof.digest()


@lru_cache(maxsize=32)
def _started(purpose: str, secret: str) -> hmac.HMAC:
    key = hmac.digest(secret.encode(), f"carillon.{purpose}".encode(), "sha256")
    return hmac.new(key, digestmod="sha256")


def _text(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE).decode()

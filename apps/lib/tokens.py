"""Signed links: a token names a purpose and a row, never expires unless asked, and survives key rotation."""

from typing import Any

from django.core import signing


class BadToken(ValueError):
    """The token was altered, cut, made for another purpose, or is older than allowed."""


def make(purpose: str, payload: Any) -> str:
    """URL-safe, signed with SECRET_KEY; old keys stay good through SECRET_KEY_FALLBACKS."""
    return signing.dumps(payload, salt=f"carillon.{purpose}")


def read(purpose: str, token: str, *, max_age: int | None = None) -> Any:
    """The payload of `make`. `max_age` in seconds. Raises BadToken. Compares in constant time."""
    try:
        return signing.loads(token, salt=f"carillon.{purpose}", max_age=max_age)
    except signing.BadSignature as error:
        raise BadToken("This link is not complete or was changed. Open it again from the message.") from error

"""Encryption of provider credentials at rest: Fernet with a list of keys,
so that keys can be rotated.
"""

import base64
import hashlib
import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.utils.translation import gettext, gettext_noop

_CLOSED = gettext_noop(
    "None of FIELD_KEYS opens this value. Put the key it was written with back into FIELD_KEYS."
)


class Undecryptable(ValueError):
    """None of FIELD_KEYS opens this value: the key it was written with is missing."""


def _keys() -> list[Fernet]:
    return [_key(key) for key in settings.FIELD_KEYS]


@cache
def _key(secret: str) -> Fernet:
    # SHA-256 turns any long random text into a key of the right size; FIELD_KEYS are secrets,
    # not passwords.
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(secret.encode()).digest()))


def _fernet() -> MultiFernet:
    return MultiFernet(_keys())


def encrypt(value: Any) -> str:
    """A JSON-able value as text that only FIELD_KEYS open."""
    return _fernet().encrypt(json.dumps(value).encode()).decode()


def decrypt(text: str) -> Any:
    """The value given to `encrypt`; {} for empty text. Raises Undecryptable."""
    if not text:
        return {}
    try:
        return json.loads(_fernet().decrypt(text.encode()))
    except InvalidToken as error:
        raise Undecryptable(gettext(_CLOSED)) from error


def rewritten(text: str) -> str | None:
    """A stored value written anew with the first key; None where the first key opens it already,
    or where there is none.

    Raises Undecryptable.
    """
    first, *_ = _keys()
    try:
        if text:
            first.decrypt(text.encode())
        return None
    except InvalidToken:
        pass
    try:
        return _fernet().rotate(text.encode()).decode()
    except InvalidToken as error:
        raise Undecryptable(gettext(_CLOSED)) from error

"""Private keys as people paste them."""

import base64
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key

_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END", re.DOTALL)


class BadPem(ValueError):
    """No private key; the text goes on from “The key …”."""


def private_key(text: str) -> PrivateKeyTypes:
    """The key of a PEM, with or without its line breaks: a form of one line takes them away.
    Raises BadPem.
    """
    found = _PEM.search(text)
    if not found:
        raise BadPem(
            "is not PEM. Paste the whole file, from -----BEGIN PRIVATE KEY----- to the END line."
        )
    try:
        return load_der_private_key(base64.b64decode(found[1]), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadPem(f"can't be read: {error}. Paste it again, without a password.") from error

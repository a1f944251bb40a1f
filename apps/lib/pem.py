"""Private keys as people paste them."""

import base64
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key
from django.utils.translation import gettext as _

_BEGIN = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----")
_END = "-----END"


class BadPem(ValueError):
    """No private key; the text goes on from “The key …”."""


def private_key(text: str) -> PrivateKeyTypes:
    """The key of a PEM, with or without its line breaks: a form of one line takes them away.
    Raises BadPem.
    """
    begin = _BEGIN.search(text)
    end = -1
    if begin:
        end = text.find(_END, begin.end())
    if begin is None or end < 0:
        raise BadPem(
            _("is not PEM. Paste the whole file, from -----BEGIN PRIVATE KEY----- to the END line.")
        )
    try:
        return load_der_private_key(base64.b64decode(text[begin.end() : end]), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        fault = _("can't be read: {error}. Paste it again, without a password.")
        raise BadPem(fault.format(error=error)) from error

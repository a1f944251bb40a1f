"""Refusals of the API itself, whatever act a request is for, and the media type of all."""

import uuid
from typing import ClassVar

from apps.lib.refusals import RefusalKind, Refused

NO_ID = uuid.UUID(int=0)  # what stands in an address where none of our ids does
MEDIA_TYPE = "application/problem+json"
KEY_HEADER = "Idempotency-Key"
KEY_META = "HTTP_IDEMPOTENCY_KEY"  # where the server puts it


class BadIdempotencyKey(Refused):
    """No key: empty, too long, or with characters that can't be seen."""

    field = KEY_HEADER


class KeyReused(Refused):
    """A key that came with another body before."""

    field = KEY_HEADER


class NoSuchAddress(Refused):
    """An address below /api/ that no view has."""

    kind = RefusalKind.MISSING


class Changed(Refused):
    """A change of what is not any more as the caller read it (`If-Match`)."""

    kind = RefusalKind.STATE


class StillRunning(Refused):
    """The first call with this key has not been answered yet."""

    kind = RefusalKind.STATE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}

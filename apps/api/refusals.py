"""What the API itself refuses, whatever act a request is for, and the media type of all refusals."""

from typing import ClassVar

from apps.lib.refusals import RefusalKind, Refused

MEDIA_TYPE = "application/problem+json"
KEY_HEADER = "Idempotency-Key"


class BadIdempotencyKey(Refused):
    """Not a key: empty, too long, or with characters that can't be seen."""

    field = KEY_HEADER


class KeyReused(Refused):
    """The same key came with another body."""

    field = KEY_HEADER


class StillRunning(Refused):
    """The first call with this key has not been answered yet."""

    kind = RefusalKind.STATE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}

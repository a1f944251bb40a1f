"""Refusals of the API itself, whatever act a request is for, and the media type of all."""

from typing import ClassVar

from apps.lib.refusals import RefusalKind, Refused

MEDIA_TYPE = "application/problem+json"
KEY_HEADER = "Idempotency-Key"


class BadIdempotencyKey(Refused):
    """No key: empty, too long, or with characters that can't be seen."""

    field = KEY_HEADER


class KeyReused(Refused):
    """A key that came with another body before."""

    field = KEY_HEADER


class StillRunning(Refused):
    """The first call with this key has not been answered yet."""

    kind = RefusalKind.STATE
    headers: ClassVar[dict[str, str]] = {"Retry-After": "1"}

"""What a provider posts to us, and the refusal where nothing proves that it did."""

from collections.abc import Mapping
from dataclasses import dataclass


class Forged(PermissionError):
    """Nothing proves that the provider sent this; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A request of a provider.

    `url` as the provider knows it, `headers` in any case, `body` to the byte.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes

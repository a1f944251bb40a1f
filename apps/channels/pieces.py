"""A rendered text as the pieces it was put together from:
what is the same for every reader is encoded once.
"""

from collections.abc import Sequence


class Static(str):
    """A piece of a template that is the same for every reader.

    Encoded at most once, whoever asks first.
    """

    __slots__ = ("lines",)
    lines: bytes  # as mail/quoted.py writes it


class ReaderToken(str):
    """What signs a reader's links: the same wherever it stands in one message, of at most 75
    characters that may stand in any URL.
    """

    __slots__ = ()


class Pieces:
    """A rendered text as its pieces: `Static` ones, a `ReaderToken` wherever a link has one and,
    between them, the reader's own words. `str()` is the whole text.
    """

    __slots__ = ("pieces",)

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces

    def __bool__(self) -> bool:
        return any(self.pieces)

    def __str__(self) -> str:
        return "".join(self.pieces)

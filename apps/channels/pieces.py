"""A rendered text as the pieces it was put together from:
what is the same for every reader is encoded once.
"""

from typing import Any

# Where a tracked link's token goes. As long as a token is (messages/links.py),
# so that lines keep their length.
STAMP = "CARILLON-STAMP-".ljust(75, "x")


class Static(str):
    """A piece of a template that is the same for every reader.

    Encoded at most once, whoever asks first.
    """

    __slots__ = ("_quoted", "form")
    _quoted: tuple[bytes, int, int | None, bool]  # as `_measured`, and whether STAMP is in it
    form: Any  # kept for liquid/blank_lines.py


class Pieces:
    """A rendered text as the pieces it was put together from: `Static` ones and, between them,
    the reader's own.

    `str()` is the whole text. `stamp` takes the place of STAMP,
    which stands in the static pieces of tracked links.
    """

    __slots__ = ("pieces", "stamp")

    def __init__(self, pieces: "list[str]", stamp: str = "") -> None:
        self.pieces = pieces
        self.stamp = stamp

    def __bool__(self) -> bool:
        return any(self.pieces)

    def __str__(self) -> str:
        if not self.stamp:
            return "".join(self.pieces)
        stamped = list(self.pieces)
        for place, piece in enumerate(stamped):
            if type(piece) is Static:
                stamped[place] = piece.replace(STAMP, self.stamp)
        return "".join(stamped)


class Joined(str):
    """A text that is written from the pieces it was put together from."""

    __slots__ = ("pieces",)
    pieces: list[str]

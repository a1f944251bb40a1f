"""The body of a mail in quoted-printable (RFC 2045 6.7), put together from pieces.

Each piece is lines of its own: it begins and ends at column 0, with a soft line break where its
words don't end a line. So no piece depends on what stands beside it, and what is the same for every
reader is encoded once.

    Hello {{ name }}!   →   Hello =
                            Zo=C3=AB=
                            !

No line starts with a dot, which SMTP would have to double, and lines end in CRLF only: what one
server takes for a line end and another does not lets a second mail be smuggled in behind a dot.
"""

import re
from binascii import b2a_qp
from functools import lru_cache

from apps.channels.pieces import Pieces, Static

_WIDTH = 75  # octets of a line, one more is for the "=" of a soft line break
SOFT = b"=\r\n"
_END = b"\r\n"
_ANY_END = re.compile(rb"\r\n|\r|\n")
_FIRST_DOTS = re.compile(rb"^\.+", re.MULTILINE)
# The end comes first: looking back from every place in a text would take 0.3 ms.
_LATE_BLANKS = {end: re.compile(end + rb"(?<=[^\r\n]{76}\r\n)") for end in (b"=20\r\n", b"=09\r\n")}


def body(words: str | Pieces) -> bytes:
    """Write a body; a line break of any kind becomes CRLF."""
    if isinstance(words, Pieces):
        return b"".join(map(_lines_of_piece, words.pieces))
    return lines_of(words)


def ended(lines: bytes) -> bytes:
    """End the last line of a body, as a part of a mail has to."""
    if lines.endswith(_END) and not lines.endswith(SOFT):
        return lines
    return lines + _END


def _lines_of_piece(piece: str) -> bytes:
    if type(piece) is not Static:
        return lines_of_value(piece)
    try:
        return piece.lines
    except AttributeError:
        piece.lines = lines_of(piece)
        return piece.lines


def lines_of_value(text: str) -> bytes:
    """Write a text as `lines_of` does; mostly it is short and plain, and that is quick."""
    if len(text) > _WIDTH:
        return lines_of(text)
    if text.isascii() and text.isprintable() and "=" not in text and text[:1] not in ".":
        return text.encode() + SOFT
    return _short(text)


@lru_cache(maxsize=2000)
def _short(text: str) -> bytes:
    """Many readers share their city, the price of an article, their first name."""
    return lines_of(text)


def lines_of(text: str) -> bytes:
    """Write a text as lines of at most 76 octets that begin and end at column 0."""
    if not text:
        return b""
    data = text.encode("utf-8", "replace")
    if len(data) <= _WIDTH and text.isprintable() and text[0] != ".":
        line = b2a_qp(data)
        if len(line) <= _WIDTH:  # it is one, and needs nothing of what follows
            return line + SOFT
    if b"\r" in data:
        data = _ANY_END.sub(_END, data)
    else:
        data = data.replace(b"\n", _END)
    # b2a_qp ends its soft breaks as it finds the first line ended
    lines = b2a_qp(data + _END, istext=True)
    # it writes a blank at a line's end as =20 without asking whether that still fits
    for end, too_late in _LATE_BLANKS.items():
        if end in lines:
            lines = too_late.sub(SOFT + end, lines)
    if lines.startswith(b".") or b"\n." in lines:
        # in a line of its own: the others keep their length
        lines = _FIRST_DOTS.sub(lambda dots: b"=2E=\r\n" * len(dots[0]), lines)
    if data.endswith(_END):
        return lines[:-2]
    return lines[:-2] + SOFT

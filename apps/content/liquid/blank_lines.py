"""Blank lines put in order: what a loop or a condition leaves behind is not shown to anybody.

Mostly that is done piece by piece, and what is the same for every reader once: then it is also
encoded once, which is most of the work.
"""

from functools import lru_cache

from apps.channels.pieces import Joined, Static

_Form = tuple[tuple[Static, ...], int, int]


def tidy(text: str) -> str:
    """Remove blanks where a line has nothing else, and blank lines around the whole.

    One empty line stays where there were more.
    """
    if " \n" in text or "\t\n" in text:
        text = "\n".join(map(_without_blanks, text.split("\n")))
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text.strip()


def _without_blanks(line: str) -> str:
    if line.strip(" \t"):
        return line
    return ""


def tidied(pieces: list[str]) -> str:
    """Tidy the whole, as `Joined`.

    It is a plain str where a reader's own words have line breaks or blanks that matter.
    """
    kept: list[str] = []
    breaks = 2  # line breaks at the end of what is kept; there are none at the beginning
    for piece in pieces:
        if type(piece) is Static:
            try:
                form = piece.form
            except AttributeError:
                form = piece.form = _form(piece)
            if form is None:
                break
            starts, leading, trailing = form
            words = starts[max(0, breaks + leading - 2)]
            if words:
                kept.append(words)
            if len(starts[0]) > leading:
                breaks = trailing
            else:
                breaks = min(2, breaks + leading)
        elif piece:
            if piece.isspace():
                break
            if "\n" not in piece:
                kept.append(piece)
                breaks = 0
                continue
            if " \n" in piece or "\t\n" in piece or "\n\n\n" in piece or piece[-1] in " \t":
                break
            kept.append(piece[max(0, breaks + len(piece) - len(piece.lstrip("\n")) - 2) :])
            breaks = len(piece) - len(piece.rstrip("\n"))
    else:
        while kept and kept[-1][-1].isspace():
            kept[-1:] = filter(None, [_ended(kept[-1])])
        if kept and not kept[0][0].isspace():
            whole = Joined("".join(kept))
            whole.pieces = kept
            return whole
    return tidy("".join(pieces))


def _form(words: Static) -> _Form | None:
    """Tidy fixed words: (the words without 0, 1, 2 … line breaks they start with, the number of
    line breaks at the start, and at the end).

    None where blanks at an end may or may not make a blank line, as the neighbours have it.
    """
    first, *others = words.split("\n")
    if others:
        ends = [end for end in (first, others[-1]) if end]
    else:
        ends = [first]
    if not all(end.strip() for end in ends):
        return None
    inner = map(_without_blanks, others[:-1])
    text = "\n".join([first, *inner, *others[-1:]])
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    leading = len(text) - len(text.lstrip("\n"))
    trailing = len(text) - len(text.rstrip("\n"))
    return tuple(Static(text[cut:]) for cut in range(leading + 1)), leading, trailing


@lru_cache(maxsize=500)
def _static_end(words: Static) -> Static:
    return Static(words.rstrip())


def _ended(piece: str) -> str:
    if isinstance(piece, Static):
        return _static_end(piece)
    return piece.rstrip()

"""Blank lines put in order: what a loop or a condition leaves behind is not shown to anybody.

as_lines.py does the same to the lines of a mail, piece by piece.
"""


def tidy(text: str) -> str:
    """Remove blanks where a line has nothing else, and blank lines around the whole.

    One empty line stays where there were more.
    """
    return inner(text).strip()


def inner(text: str) -> str:
    """Remove blanks and surplus blank lines within a text, not around it."""
    if " \n" in text or "\t\n" in text:
        text = "\n".join(map(_without_blanks, text.split("\n")))
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text


def _without_blanks(line: str) -> str:
    if line.strip(" \t"):
        return line
    return ""

"""What a browser does to show that it is no crowd of them: a little work, or one more press.

The work is a proof of work (hashcash): to find a number with which the SHA-256 of the puzzle, the
address and the number begins with BITS zero bits. It takes a second of a phone, and the thousands
of sign-ups that a robot wants take it hours. It is bound to the address, so that one solution is
good for one address.
"""

import datetime as dt
import hashlib
import secrets

from apps.lib import tokens

BITS = 16  # 65,536 tries on average
LIFE = dt.timedelta(hours=2)  # of a puzzle: somebody may leave a page open
SHORTEST = dt.timedelta(seconds=2)  # in which people read a page and press its button
_PUZZLE = "sign_up_puzzle"
_STEP = "sign_up_step"


def puzzle(form: str, *, now: dt.datetime) -> str:
    """Make a puzzle for the form of this key."""
    return tokens.make(_PUZZLE, [form, int(now.timestamp()), secrets.token_hex(4)])


def is_solved(*, form: str, puzzle: str, email: str, solution: str, now: dt.datetime) -> bool:
    """Whether the number solves a puzzle of ours, for this form and address, that is not old."""
    try:
        of_form, made_at, _salt = tokens.read(_PUZZLE, puzzle)
    except (tokens.BadToken, ValueError, TypeError):
        return False
    if of_form != form or not _within(made_at, dt.timedelta(0), now):
        return False
    if len(solution) > 20:
        return False
    return zero_bits(f"{puzzle}:{email}:{solution}") >= BITS


def zero_bits(text: str) -> int:
    """Count the zero bits with which the SHA-256 of a text begins."""
    digest = hashlib.sha256(text.encode()).digest()
    return 256 - int.from_bytes(digest).bit_length()


def step(form: str, *, now: dt.datetime) -> str:
    """Make what the page with one more button carries."""
    return tokens.make(_STEP, [form, int(now.timestamp())])


def is_pressed(*, form: str, step: str, now: dt.datetime) -> bool:
    """Whether the button was pressed as people do: not at once, and not a day later."""
    try:
        of_form, made_at = tokens.read(_STEP, step)
    except (tokens.BadToken, ValueError, TypeError):
        return False
    return bool(of_form == form) and _within(made_at, SHORTEST, now)


def _within(made_at: int, shortest: dt.timedelta, now: dt.datetime) -> bool:
    age = now - dt.datetime.fromtimestamp(made_at, dt.UTC)
    return shortest <= age <= LIFE

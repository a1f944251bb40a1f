"""SQL expressions that PostgreSQL and SQLite understand alike: lots, moments, public ids.

A lot is drawn from a number and the name of what it decides, so that the same seed gives the same
row whatever was made before. A percent sign is written once; `bulk` doubles it.
"""

import random
from dataclasses import dataclass

PRIME = 2_147_483_647  # 2^31 - 1: a product of two numbers below it fits 63 bits


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database says it; `seed` decides all lots."""

    postgresql: bool
    seed: int

    def lot(self, number: str, about: str, below: int) -> str:
        """Draw a whole number from 0 to `below` - 1, by the number (an SQL expression).

        The square of a line modulo a prime: cheap, and neighbours have nothing in common.
        """
        chance = random.Random(f"{self.seed} {about}")  # noqa: S311  # a story, not a secret
        factor = chance.randrange(PRIME // 2, PRIME)
        start = chance.randrange(PRIME)
        line = f"(CAST({number} AS bigint) % {PRIME} * {factor} + {start}) % {PRIME}"
        return f"(({line}) * ({line}) % {PRIME} % {below})"

    def share(self, number: str, about: str, thousandths: int) -> str:
        """Say yes to so many of a thousand."""
        return f"({self.lot(number, about, 1000)} < {thousandths})"

    def numbers(self, first: int, last: int) -> str:
        """Give rows of one column `n`."""
        if self.postgresql:
            return f"generate_series({first}::bigint, {last}::bigint) AS numbers(n)"
        return (
            f"(WITH RECURSIVE counted(n) AS (SELECT {first} WHERE {first} <= {last}"  # noqa: S608
            f" UNION ALL SELECT n + 1 FROM counted WHERE n < {last}) SELECT n FROM counted)"
            " AS numbers"
        )

    def moment(self, seconds: str) -> str:
        """Give the moment of whole Unix seconds."""
        if self.postgresql:
            return f"to_timestamp({seconds})"
        return f"datetime({seconds}, 'unixepoch')"

    def seconds(self, moment: str) -> str:
        """Give whole Unix seconds of a moment."""
        if self.postgresql:
            return f"CAST(extract(epoch from {moment}) AS bigint)"
        return f"CAST(strftime('%s', {moment}) AS bigint)"

    def json(self, text: str) -> str:
        """Give a JSON column its value."""
        if self.postgresql:
            return f"CAST({text} AS jsonb)"
        return text

    def uid(self, seconds: str, about: str, number: str) -> str:
        """Give a public id (UUID version 7) of that time; the number makes it unique."""
        parts = [
            self._hex(f"CAST({seconds} AS bigint) * 1000", 12),
            "'7'",
            self._hex(self.lot(number, f"{about} a", 0x1000), 3),
            self._hex(f"{0x8000} + {self.lot(number, f'{about} b', 0x4000)}", 4),
            self._hex(self.lot(number, f"{about} c", 0x10000), 4),
            self._hex(number, 8),
        ]
        digits = " || ".join(parts)
        if self.postgresql:
            return f"CAST({digits} AS uuid)"
        return digits

    def _hex(self, number: str, digits: int) -> str:
        if self.postgresql:
            return f"lpad(to_hex(CAST({number} AS bigint)), {digits}, '0')"
        return f"printf('%0{digits}x', {number})"

    def padded(self, number: str, digits: int) -> str:
        """Write a number with zeros before it."""
        if self.postgresql:
            return f"lpad(CAST({number} AS text), {digits}, '0')"
        return f"printf('%0{digits}d', {number})"

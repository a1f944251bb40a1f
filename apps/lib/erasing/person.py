"""A person who is to be forgotten: what names them, and how it is taken out of what others wrote.

A name alone names nobody, for others have it too: a text is about the person where one of their
addresses stands in it. What is theirs by its key (their deliveries, their entries in the audit
log) is emptied whole, so that their name goes with it.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote

MASK = "[erased]"


@dataclass(kw_only=True)
class Person:
    """Somebody, as the rows that are about them say it.

    `addresses` are values and keys of all channels. `subjects` are the things that facts about
    this person are about, by their sort: {"delivery": [id, …]}; who erases a part adds its own.
    """

    pk: int
    uid: str
    addresses: tuple[str, ...]
    external_id: str = ""
    subjects: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        spellings = {each for text in self.addresses if text for each in (text, quote(text))}
        if not spellings:
            return None
        longest_first = sorted(spellings, key=len, reverse=True)
        any_of = "|".join(re.escape(text) for text in longest_first)
        # not within a longer address: hanna@example.com, anna@example.com.au
        return re.compile(rf"(?<![\w.+-])(?:{any_of})(?![\w-]|\.\w)", re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the person's addresses in it."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def is_meant_by(self, value: Any) -> bool:
        """Whether a value names the person: by the id, or by an address in it."""
        return isinstance(value, str) and (value == self.uid or self.is_in(value))

    def masked(self, value: Any, mask: str = MASK) -> Any:
        """Give the value with the person's addresses taken out of its texts, keys among them."""
        match value:
            case str() if self._pattern:
                return self._pattern.sub(mask, value)
            case list():
                return [self.masked(each, mask) for each in value]
            case dict():
                return {
                    self.masked(key, mask): self.masked(each, mask) for key, each in value.items()
                }
        return value

    def emptied(self, value: Any) -> Any:
        """Give the value without what it says of the person: an object that names them keeps its
        keys and nothing else. Others stay as they are.
        """
        match value:
            case list():
                return [self.emptied(each) for each in value]
            case dict():
                if self._is_told_by(value):
                    return {self.masked(key): None for key in value}
                return {self.masked(key): self.emptied(each) for key, each in value.items()}
        return self.masked(value)

    def _is_told_by(self, told: dict[str, Any]) -> bool:
        if self.external_id and told.get("external_id") == self.external_id:
            return True
        return any(self.is_meant_by(each) for each in told.values())

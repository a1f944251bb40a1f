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
_PHONE = re.compile(r"\+\d{7,}")
# What is no part of an address, as a URL writes it: %3A for ":".
_ENCODED = "0[0-9a-f]|2[0-9acf]|3[a-f]|40|5[b-e]|60|7[b-e]"


@dataclass(kw_only=True)
class DataSubject:
    """Somebody, as the rows that are about them say it.

    `addresses` are values and keys of all channels. `subjects` are the things that facts about
    this person are about, by their sort: {"delivery": [id, …]}; who erases a part adds its own.
    """

    pk: int
    uid: str
    addresses: tuple[str, ...]
    external_id: str = ""
    former: tuple[str, ...] = ()  # ids of followers who were merged into this one
    subjects: dict[str, list[str]] = field(default_factory=dict)

    @cached_property
    def spellings(self) -> list[str]:
        """List how the addresses may be written, the longest first; a phone without its plus."""
        texts = {text for text in self.addresses if text}
        texts |= {text[1:] for text in texts if _PHONE.fullmatch(text)}
        return sorted({each for text in texts for each in (text, quote(text))}, key=len)[::-1]

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        if not self.spellings:
            return None
        any_of = "|".join(map(re.escape, self.spellings))
        # not within a longer address: hanna@example.com, anna@example.com.au
        before = rf"(?:(?<![\w.+-])|(?<=%(?:{_ENCODED})))"
        return re.compile(rf"{before}(?:{any_of})(?![\w-]|\.\w|%2[de])", re.IGNORECASE)

    @cached_property
    def _in_key(self) -> re.Pattern[str] | None:
        if not self.spellings:
            return None
        # only a letter, or for a number a digit, makes it another's
        letter = r"[^\W\d_]"
        numbers = [re.escape(text) for text in self.spellings if text.isdecimal()]
        others = [re.escape(text) for text in self.spellings if not text.isdecimal()]
        ways = []
        if others:
            before = rf"(?:(?<!{letter})|(?<=%[0-9a-f][0-9a-f]))"
            ways.append(rf"{before}(?:{'|'.join(others)})(?!{letter}|\.{letter})")
        if numbers:
            ways.append(rf"(?<!\d)(?:{'|'.join(numbers)})(?!\d)")
        return re.compile("|".join(ways), re.IGNORECASE)

    def is_in(self, text: str) -> bool:
        """Whether a text has one of the person's addresses in it."""
        return self._pattern is not None and self._pattern.search(text) is not None

    def is_meant_by(self, value: Any) -> bool:
        """Whether a value names the person: by the id, or by an address in it."""
        return isinstance(value, str) and (
            value == self.uid or value in self.former or self.is_in(value)
        )

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

    def masked_in_key(self, key: str | None, mask: str = MASK) -> str | None:
        """Give a key that a program put together without the addresses in it, to whatever they are
        glued: `welcome-anna@example.com-2026`.
        """
        if key is None or self._in_key is None:
            return key
        return self._in_key.sub(mask, key)

    def emptied(self, value: Any) -> Any:
        """Give the value without what it says of the person: an object that names them keeps its
        keys and nothing else. Others stay as they are.
        """
        match value:
            case list():
                return [self.emptied(each) for each in value]
            case dict():
                if self.is_told_by(value):
                    return {self.masked(key): None for key in value}
                return {self.masked(key): self.emptied(each) for key, each in value.items()}
        return self.masked(value)

    def is_told_by(self, told: dict[str, Any]) -> bool:
        """Whether an object names the person by a value of its own."""
        if self.external_id and told.get("external_id") == self.external_id:
            return True
        return any(self.is_meant_by(each) for each in told.values())

    def said_in(self, value: Any) -> Any:
        """Give of a value what it says about the person, and nothing of others: texts with one of
        their addresses, objects that name them. None where it says nothing.

        Stricter than `masked_in_key`: a key with jo.ann@ in it may lose ann@, and is not told to
        them.
        """
        match value:
            case str():
                if self.is_in(value):
                    return value
            case list():
                found = [self.said_in(each) for each in value]
                return [each for each in found if each is not None] or None
            case dict():
                if self.is_told_by(value):
                    return value
                told = {key: self.said_in(each) for key, each in value.items()}
                return {
                    key: each for key, each in told.items() if each is not None or self.is_in(key)
                } or None
        return None

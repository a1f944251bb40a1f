"""Languages by their names, as people write them into a table: German, Deutsch, немецкий."""

import re
from functools import cache

from babel import Locale
from babel.core import get_global

from apps.followers import profile_fields
from apps.followers.profile_fields import BadFollower

# Whose names of languages are known, and whose own name besides. To read all of them takes seconds.
_SPOKEN = ("en", "ru", "de", "fr", "es", "it", "pt", "pl", "uk", "nl", "cs", "tr")
_OWN = (
    "ar az be bg ca da el et eu fa fi gl he hi hr hu hy id ja ka kk ko lt lv ms nb ro sk sl sr sv "
    "th vi zh"
)
_BESIDE = re.compile(r"\s(язык|мова|language|sprache)$")


def language(text: str) -> str:
    """Give the tag of a language that is written as a tag or by its name. Raises BadFollower."""
    known = _names()
    word = text.strip().casefold()
    bare = _BESIDE.sub("", word.partition("(")[0].strip()).strip()
    for name in (word, bare):
        if name in known:
            return known[name]
    return profile_fields.language(text)


@cache
def _names() -> dict[str, str]:
    """Names in small letters, and the codes of three letters that have one of two."""
    names: dict[str, str] = {}
    for code in (*_SPOKEN, *_OWN.split()):
        _put(names, Locale(code).languages[code], code)
    for code in _SPOKEN:
        for tag, name in Locale(code).languages.items():
            _put(names, name, tag)
    aliases = get_global("language_aliases")
    for alias, tag in aliases.items():
        if len(alias) == 3 and len(tag) == 2:
            names.setdefault(alias, str(tag))
    return names


def _put(names: dict[str, str], name: str, tag: str) -> None:
    try:
        names.setdefault(name.casefold(), profile_fields.language(tag))
    except BadFollower:
        return

"""Find out in which encoding a file is written, from the words that would differ.

UTF-8 and UTF-16 are told by their bytes. Among the eight-bit encodings, each says something else
of the same bytes: each distinct word with such a byte is read in every encoding, and counts for a
language when all its letters are that language's. The encoding wins whose best language knows most
words. Libraries for this judge whole texts; names and towns in a table are too short for them:
they take “Łukasz Żółć” for pounds and fractions.
"""

import codecs
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# What a person may choose, by the name of the codec.
_NAMES = """
utf-8 UTF-8
utf-16 UTF-16
cp1250 Windows-1250 (Central European)
cp1251 Windows-1251 (Cyrillic)
cp1252 Windows-1252 (Western European)
cp1253 Windows-1253 (Greek)
cp1254 Windows-1254 (Turkish)
cp1255 Windows-1255 (Hebrew)
cp1256 Windows-1256 (Arabic)
cp1257 Windows-1257 (Baltic)
cp1258 Windows-1258 (Vietnamese)
iso8859-1 ISO-8859-1 (Western European)
iso8859-2 ISO-8859-2 (Central European)
iso8859-5 ISO-8859-5 (Cyrillic)
iso8859-7 ISO-8859-7 (Greek)
iso8859-9 ISO-8859-9 (Turkish)
iso8859-15 ISO-8859-15 (Western European)
koi8-r KOI8-R (Russian)
koi8-u KOI8-U (Ukrainian)
cp866 DOS 866 (Cyrillic)
mac-roman Mac Roman (Western European)
mac-cyrillic Mac Cyrillic
cp932 Shift JIS (Japanese)
euc-jp EUC-JP (Japanese)
gb18030 GB 18030 (Simplified Chinese)
big5 Big5 (Traditional Chinese)
cp949 EUC-KR (Korean)
cp874 Windows-874 (Thai)
"""
ENCODINGS: dict[str, str] = {}
for _line in _NAMES.strip().splitlines():
    _codec, _, _label = _line.partition(" ")
    ENCODINGS[_codec] = _label

WORDS = 3000  # distinct words that are judged
_SAMPLE = 64 * 1024
_CHUNK = 1 << 20
_WORD = re.compile(rb"(?<![A-Za-z\x80-\xff])[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_SIGNS = str.maketrans(dict.fromkeys("‘’‚“”„«»‹›–—…•€№§™°\xa0\xad", " "))
_IMPOSSIBLE = re.compile(r"ς\B|σ\b|æ\b")  # where these letters never stand in a word


@dataclass(frozen=True, slots=True)
class _Language:
    """The letters of a language beyond a to z, or its alphabet when that is another one.

    `rare` ones say less; `common` are the most frequent of an alphabet: two may fit one byte.
    """

    letters: str
    rare: str = ""
    common: str = ""


def _languages(text: str) -> Sequence[_Language]:
    """Read a language a line: its letters, the rare ones after "/", the common ones after "="."""
    languages = []
    for line in text.split():
        rest, _, common = line.partition("=")
        letters, _, rare = rest.partition("/")
        languages.append(_Language(letters, rare, common))
    return languages


_WESTERN = _languages("""
    äöüß
    éèêëàâçîïôùûœæÿ/æÿ
    áéíóúñü
    áàâãçéêíóôõú/õ
    àèéìòù/èìò
    ëïéèöüó
    åäöé
    æøåé
""")
_ICELANDIC = _languages("áðéíóúýþæö")
_CENTRAL = _languages("""
    ąćęłńóśźż
    áčďéěíňóřšťúůýž
    áäčďéíĺľňóôŕšťúýž
    áéíóöőúüű
    ăâîşţ/ţ
    čćđšž
    äöüß
""")
_TURKISH = _languages("çğıöşüâî")
_BALTIC = _languages("""
    āčēģīķļņšūž
    ąčęėįšųūž
    äõöüšž
""")
_GREEK = _languages("αβγδεζηθικλμνξοπρςστυφχψωάέήίόύώϊϋΐΰ=αοιετσςνηυρπκλόάέήί")
_CYRILLIC = _languages("""
    абвгдеёжзийклмнопрстуфхцчшщъыьэюя=оеаинтсрвлкмд
    абвгґдеєжзиіїйклмнопрстуфхцчшщьюя=оаинтеірвслк
""")

# The first one wins a tie.
_CANDIDATES: dict[str, Sequence[_Language]] = {}
_CANDIDATES["cp1252"] = _WESTERN
_CANDIDATES |= dict.fromkeys(("cp1250", "iso8859-2"), _CENTRAL)
_CANDIDATES["cp1254"] = _TURKISH
_CANDIDATES["cp1257"] = _BALTIC
_CANDIDATES |= dict.fromkeys(("cp1251", "koi8-r", "koi8-u", "cp866"), _CYRILLIC)
_CANDIDATES |= dict.fromkeys(("iso8859-5", "mac-cyrillic"), _CYRILLIC)
_CANDIDATES |= dict.fromkeys(("cp1253", "iso8859-7"), _GREEK)
_CANDIDATES |= dict.fromkeys(("iso8859-15", "mac-roman"), _WESTERN)
_CANDIDATES["latin-1"] = _ICELANDIC


def by_its_mark(head: bytes) -> str:
    """Tell the encoding from the first bytes of a file: a mark, or the NULs of UTF-16; else ""."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # Every comma and digit has its NUL on the same side. A few letters have one on the other.
    even = head[0::2].count(0)
    odd = head[1::2].count(0)
    if max(even, odd) > len(head) // 10:
        if odd > 5 * even:
            return "utf-16-le"
        if even > 5 * odd:
            return "utf-16-be"
    return ""


def is_utf8(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as text:
            while text.read(_CHUNK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def words_of(lines: Iterable[bytes]) -> set[bytes]:
    """Collect up to WORDS distinct words that hold a byte above 0x7F.

    A byte that stands alone says nothing: it may be € as well as a letter.
    """
    found: set[bytes] = set()
    for line in lines:
        found.update(word for word in _WORD.findall(line) if len(word) > 1)
        if len(found) >= WORDS:
            break
    return found


def eight_bit(words: Iterable[bytes]) -> str:
    """Choose the eight-bit encoding in which most of the words are words."""
    raw = sorted(words)
    best = "cp1252"
    most = float("-inf")
    for encoding, languages in _CANDIDATES.items():
        score = _score(raw, encoding, languages)
        if score > most:
            best = encoding
            most = score
    if best == "latin-1":  # Icelandic; the Windows encoding has the same letters, and more signs
        return "cp1252"
    return best


def _score(raw: Sequence[bytes], encoding: str, languages: Sequence[_Language]) -> float:
    """Sum the words of the language that knows most; other languages' words count half."""
    of_language = [0.0] * len(languages)
    for word in raw:
        try:
            text = word.decode(encoding)
        except UnicodeDecodeError:
            return float("-inf")
        values = [_value(text, language) for language in languages]
        known = max(values)
        for place, value in enumerate(values):
            if value > 0 or known <= 0:
                of_language[place] += value
            else:
                of_language[place] += known / 2
    return max(of_language)


def _value(word: str, language: _Language) -> float:
    """Give up to 1 for what is written in the language, -1 for what is not."""
    pieces = word.translate(_SIGNS).split()
    values = [_piece(piece, language) for piece in pieces if not piece.isascii()]
    return min(values, default=0)


def _piece(word: str, language: _Language) -> float:
    if any(before.islower() and after.isupper() for before, after in pairwise(word)):
        return -1
    small = word.replace("İ", "i").lower()
    foreign = [letter for letter in small if not letter.isascii()]
    if _IMPOSSIBLE.search(small) or any(letter not in language.letters for letter in foreign):
        return -1
    if language.common:
        if len(foreign) < len(small):  # half a word is of another alphabet
            return -1
        return sum(letter in language.common for letter in small) / len(small)
    value = 1.0
    if any(letter in language.rare for letter in foreign):
        value = 0.7
    if len(foreign) * 2 > len(small):
        value = value / 2
    return value

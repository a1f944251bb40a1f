"""The name by which a message greets somebody."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TITLES = _words("""
    mr mrs ms miss mister dr prof professor doctor doktor sir lord madam dame herr frau fräulein
    monsieur madame
    mademoiselle mme mlle señor señora señorita signor signora sig.ra senhor senhora pani
    г-н г-жа господин госпожа гражданин гражданка доктор профессор д-р проф пан пані
""")
# Short words that are titles only with their dot.
_DOTTED = _words("""
    m. sr. sra. srta. sig. dott. hr. fr. ing. dipl.-ing. mag. bc. mgr. rev. hon. dr.med.
""")
_SUFFIXES = _words("""
    jr sr ii iii iv phd ph.d md m.d esq mba m.a dds cpa rn ll.m b.sc m.sc мл ст к.м.н д.м.н
""")
# Words of firms and of couples: who is meant is no one person.
_NO_PERSON = re.compile(
    r"\b(gmbh|inc|ltd|llc|llp|corp|company|sarl|s\.?r\.?l|oy|plc|kg|e\.v)\b"
    r"|\b(ооо|оао|зао|пао|ао|ип|тоо)\b"
    r"|\b(familie|family|famille|familia|fam|the|семья)\b"
    r"|[&«»/@\d]|\b(and|und|et|y|и|та)\b",
    re.IGNORECASE,
)
_PARTICLES = _words("abd abdel abdul abu bin bint ibn umm")  # half a name
_FAMILY_FIRST = frozenset(["hu", "zh", "ja", "ko", "vi", "km", "mn"])
# Han, kana, Hangul; letters of Hungarian and Vietnamese.
_FAMILY_FIRST_LETTERS = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]|[őűơưđạảấầẩẫậắằẳẵặẹẻẽếềểễệ]",
    re.IGNORECASE,
)
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_PATRONYMIC = re.compile(r"(вич|ьич|вна|чна|шна|оглы|кызы)$")
_SURNAME = re.compile(
    r"(ов|ова|ев|ева|ёв|ёва|ин|ина|ын|ына|ский|ская|цкий|цкая|ской|енко|чук|щук|юк|ян|дзе|швили"
    r"|их|ых)$"
)
# Given names that end as surnames do.
_GIVEN = _words("""
    марина ирина екатерина карина арина полина алина кристина валентина нина галина регина
    ангелина антонина василина каролина альбина сабина эльвина дина инна ева лев константин
    валентин мартин вениамин севастьян ян
""")


def greeted_as(name: str, *, first_name: str = "", last_name: str = "", language: str = "") -> str:
    """Give the first name, or guess it from the whole name where that is safe.

    The whole name where it is not, because a wrong part is worse; "" where there is no name at all,
    and where the family name is all that is known.
    """
    if first_name:
        return first_name
    whole = " ".join(name.split())
    if "@" in whole or (last_name and whole.casefold() == last_name.casefold()):
        return ""
    if _NO_PERSON.search(whole) or _FAMILY_FIRST_LETTERS.search(whole):
        return whole
    if language.partition("-")[0].casefold() in _FAMILY_FIRST:
        return whole
    words = _without_suffixes(whole)
    head, comma, tail = words.partition(",")
    if comma:
        return _after_the_comma(whole, head, tail)
    return _first_of(whole, words.split())


def _without_suffixes(whole: str) -> str:
    """Drop what stands behind a name: Jr., PhD."""
    rest = whole
    while True:
        before, _, last = rest.rpartition(" ")
        if not before or last.strip(".,").casefold() not in _SUFFIXES:
            return rest.rstrip(" ,")
        rest = before.rstrip(" ,")


def _after_the_comma(whole: str, family: str, given: str) -> str:
    """Read “Smith, Anna”; more commas say something else."""
    words = _without_titles(given.split())
    if "," in given or not family.strip() or not words:
        return whole
    if _is_initial(words[0]):
        return whole
    return words[0]


def _first_of(whole: str, words: list[str]) -> str:
    rest = _without_titles(words)
    if not rest:
        return ""
    if len(rest) == 1:
        return whole  # a family name behind a title, or the only name there is
    if _CYRILLIC.search(whole):
        return _first_of_cyrillic(whole, rest)
    first = rest[0]
    if _is_initial(first) or first.casefold() in _PARTICLES:
        return whole
    if first[0].islower() and not rest[-1].islower():  # van der Berg
        return whole
    if first.isupper() and not rest[-1].isupper():  # DUPONT Jean
        small = [word for word in rest if not word.isupper()]
        return small[0]
    return first.strip("\"'“”„()")


def _first_of_cyrillic(whole: str, words: list[str]) -> str:
    """Find the given name beside a patronymic, or before what can only be the family name."""
    small = [word.casefold() for word in words]
    if len(words) == 3 and _PATRONYMIC.search(small[2]) and not _PATRONYMIC.search(small[1]):
        return words[1]  # Иванов Иван Иванович
    if len(words) == 3 and _PATRONYMIC.search(small[1]):
        return words[0]  # Иван Иванович Иванов
    if len(words) != 2 or _is_initial(words[0]) or _PATRONYMIC.search(small[1]):
        return whole
    if _is_surname(small[1]) and not _is_surname(small[0]):
        return words[0]
    return whole


def _is_surname(word: str) -> bool:
    return bool(_SURNAME.search(word)) and word not in _GIVEN


def _is_initial(word: str) -> bool:
    return len(word) < 2 or "." in word


def _without_titles(words: list[str]) -> list[str]:
    rest = list(words)
    while rest and _is_title(rest[0].casefold()):
        rest.pop(0)
    return rest


def _is_title(word: str) -> bool:
    return word in _DOTTED or word.rstrip(".") in _TITLES

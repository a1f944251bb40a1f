"""What a person chooses for a whole file, beside what each column is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import phonenumbers
from django.utils.translation import gettext

from apps.followers import profile_fields
from apps.followers.imports.columns import CONSENT, BadMapping
from apps.followers.imports.status_words import MEANINGS, unread
from apps.followers.profile_fields import BadFollower

WITHOUT_PLUS = "+"  # phone numbers have their country code, but no plus sign
REFUSE = "refuse"  # what a word can mean besides: the rows with it are refused
DATES = ("", "day", "month")  # what stands first in 03/04/2023; "" refuses to guess
MOST_VALUES = 1000  # words of a file that are given a meaning
_WORD_CHARS = 200

Values = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for the whole file.

    Opt-outs in the file are obeyed even when existing followers are left alone.
    """

    tags: tuple[str, ...] = ()  # put on everybody in the file
    update: bool = True  # False: followers that exist already stay as they are
    wording: str = ""  # which consent text the people in the file saw
    country: str = ""  # of phone numbers without country code, such as DE; or WITHOUT_PLUS
    do_not_contact: bool = False  # suppress each address of the file, and add nobody
    welcome: str = ""  # key of the message type that greets who is new: these are sign-ups
    standing: str = ""  # what all people in the file are: one of MEANINGS, "" as its columns say
    dates: str = ""  # one of DATES
    # {column: {cell in small letters: what is read instead}}; "" reads nothing, REFUSE the cell
    values: Values = field(default_factory=dict)

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "Options":
        """Read choices by the names above; all may be missing. Raises BadMapping."""
        known = [each.name for each in fields(cls)]
        if unknown := set(options) - set(known):
            said = gettext("{option!r} is not an option. There are: {options}.")
            raise BadMapping(said.format(option=unknown.pop(), options=", ".join(known)))
        try:
            tags = profile_fields.tag_names(options.get("tags", ()))
        except BadFollower as error:
            raise BadMapping(str(error)) from error
        return cls(
            tags=tuple(tags),
            update=bool(options.get("update", True)),
            wording=str(options.get("wording", ""))[:40],
            country=_country(str(options.get("country", ""))),
            do_not_contact=bool(options.get("do_not_contact", False)),
            welcome=str(options.get("welcome", ""))[:60],
            standing=_one_of("standing", options, ("", *MEANINGS)),
            dates=_one_of("dates", options, DATES),
            values=_values(options.get("values", {})),
        )

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def instead(self, column: str, cell: str) -> str:
        """Give what is read instead of a cell."""
        said = self.values.get(column, {}).get(cell.casefold(), REFUSE)
        if said == REFUSE:
            return cell
        return said


def check_words(mapping: Mapping[str, str], values: Values, seen: Mapping[str, list[str]]) -> None:
    """Refuse to start while somebody must say what a word about consent means.

    `seen` are the words of columns that may say who opted out. Raises BadMapping.
    """
    for column, words in seen.items():
        target = mapping.get(column, "")
        if target not in CONSENT:
            continue
        said = values.get(column, {})
        for word in unread(target, words):
            if word not in said:
                sentence = gettext(
                    "{word!r} in the column {column!r} may say that somebody opted out. "
                    "Choose what it means."
                )
                raise BadMapping(sentence.format(word=word, column=column))


def _country(text: str) -> str:
    country = text.strip().upper()
    if country and country not in {WITHOUT_PLUS, *phonenumbers.SUPPORTED_REGIONS}:
        said = gettext("{country!r} is not a country. Use a code such as DE.")
        raise BadMapping(said.format(country=country[:40]))
    return country


def _one_of(name: str, options: Mapping[str, Any], choices: tuple[str, ...]) -> str:
    value = str(options.get(name, ""))
    if value not in choices:
        said = gettext("{value!r} is nothing that {option!r} can be. Choose one of: {choices}.")
        names = ", ".join(choice for choice in choices if choice)
        raise BadMapping(said.format(value=value[:40], option=name, choices=names))
    return value


def _values(said: Any) -> dict[str, dict[str, str]]:
    """Read what words mean. Raises BadMapping."""
    wrong = gettext('"values" is {"column": {"word": "what it means"}}.')
    if not isinstance(said, Mapping):
        raise BadMapping(wrong)
    read: dict[str, dict[str, str]] = {}
    count = 0
    for column, words in said.items():
        if not isinstance(words, Mapping):
            raise BadMapping(wrong)
        for word, meaning in words.items():
            count += 1
            if not isinstance(meaning, str) or max(len(str(word)), len(meaning)) > _WORD_CHARS:
                raise BadMapping(wrong)
            read.setdefault(str(column), {})[str(word).strip().casefold()] = meaning.strip()
    if count > MOST_VALUES:
        text = gettext("{count:,} words are given a meaning; {most:,} can be.")
        raise BadMapping(text.format(count=count, most=MOST_VALUES))
    return read

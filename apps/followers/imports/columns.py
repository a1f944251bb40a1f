"""Guess what each column of a file is from its heading, and check what a person made of it."""

from collections.abc import Iterable, Mapping, Sequence

from apps.lib.refusals import Refused

# What a column can be; "metadata.<key>" is possible for any key besides.
TARGETS = {
    "ignore": "Leave out",
    "email": "Email",
    "phone": "Phone",
    "name": "Name",
    "first_name": "First name",
    "last_name": "Last name",
    "external_id": "External id",
    "language": "Language",
    "time_zone": "Time zone",
    "tags": "Tags (separated by ; or ,)",
    "subscribed": "Subscribed (yes or no)",
}
KEYS = ("external_id", "email", "phone")  # what tells one person from another, in this order
METADATA = "metadata."

_HEADINGS = {
    "email": (
        "email emailaddress mail emailaddr почта емейл имейл емаил электроннаяпочта "
        "адресэлектроннойпочты элпочта"
    ),
    "phone": (
        "phone phonenumber mobile mobilephone cell tel telephone sms телефон номертелефона "
        "мобильный сотовый тел"
    ),
    "name": "name fullname displayname contact имя фио полноеимя контакт имяифамилия",
    "first_name": "firstname givenname forename",
    "last_name": "lastname surname familyname фамилия",
    "external_id": (
        "externalid id userid customerid crmid uid внешнийид идентификатор ид кодклиента "
        "номерклиента"
    ),
    "language": "language lang locale язык",
    "time_zone": "timezone tz часовойпояс таймзона",
    "tags": "tags tag labels groups теги тег метки метка группы",
    "subscribed": "subscribed subscription optin consent подписан подписка согласие",
}
_SUGGESTIONS = {
    heading: target for target, headings in _HEADINGS.items() for heading in headings.split()
}


class BadMapping(Refused):
    """The columns can't be read this way."""


def suggest(columns: Iterable[str]) -> dict[str, str]:
    """Guess a target for each column from its heading in English or Russian.

    "ignore" where nothing fits.
    """
    mapping: dict[str, str] = {}
    for column in columns:
        word = "".join(char for char in column.casefold().replace("ё", "е") if char.isalnum())
        target = _SUGGESTIONS.get(word, "ignore")
        if target in mapping.values():
            mapping[column] = "ignore"
        else:
            mapping[column] = target
    found = set(mapping.values())
    if {"name", "first_name"} <= found:  # the full name says it all
        instead = {"first_name": "ignore", "last_name": "ignore"}
    elif {"name", "last_name"} <= found:  # “Имя” beside “Фамилия” is the first name
        instead = {"name": "first_name"}
    else:
        instead = {}
    return {column: instead.get(target, target) for column, target in mapping.items()}


def check_mapping(columns: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Give the mapping without what is left out. Raises BadMapping with what to change."""
    if unknown := [column for column in mapping if column not in columns]:
        raise BadMapping(
            f"The file has no column {unknown[0]!r}. Its columns are: {', '.join(columns)}."
        )
    used = {column: target for column, target in mapping.items() if target and target != "ignore"}
    for column, target in used.items():
        key = target.removeprefix(METADATA)
        if target not in TARGETS and not (
            target.startswith(METADATA) and key.strip() and len(key) <= 60
        ):
            raise BadMapping(
                f"{target!r} is nothing a column can be. "
                f"Choose one of: {', '.join(TARGETS)}, metadata.<key>."
            )
        if twice := [other for other, same in used.items() if same == target and other != column]:
            raise BadMapping(
                f"{column!r} and {twice[0]!r} are both mapped to {target!r}. Leave one out."
            )
    targets = set(used.values())
    if not targets & set(KEYS):
        raise BadMapping(
            "Map a column to email, phone or external_id: "
            "without one of them nobody can be told apart."
        )
    if "name" in targets and targets & {"first_name", "last_name"}:
        raise BadMapping("Map either one column to name, or two to first_name and last_name.")
    return used

"""Guess what each column of a file is, and check what a person made of it.

What the program that wrote the file is known to mean by a heading goes before what the heading says
by itself. A column that may say who opted out is never left out by a guess: it is mapped when
something it says is understood, and waits for a person's word otherwise; so does each of its words
that is not understood (`options.check_words`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.followers.imports import status_words
from apps.followers.imports.status_words import BOUNCED, OPTED_OUT, SMS_OUT, STATUS
from apps.followers.imports.words.systems import KEEP, OBJECT, System
from apps.followers.models import CustomField
from apps.lib.refusals import Refused

# What a column can be; "metadata.<key>" is possible for any key besides.
TARGETS = {
    "ignore": _("Leave out"),
    "email": pgettext_lazy("channel", "Email"),
    "phone": _("Phone"),
    "name": _("Whole name"),
    "first_name": _("First name"),
    "last_name": _("Last name"),
    "external_id": _("External id"),
    "language": _("Language"),
    "time_zone": _("Time zone"),
    "tags": _("Tags (separated by ; or ,)"),
    STATUS: _("Subscription status (yes, no, unsubscribed, cleaned …)"),
    OPTED_OUT: _("Opted out (yes, no or a date)"),
    SMS_OUT: _("Opted out of text messages (yes, no or a date)"),
    BOUNCED: _("Bounced (yes, no or a date)"),
    "subscribed_at": _("Sign-up date"),
    "subscribed_ip": _("Network address at the sign-up"),
    "confirmed_at": _("Confirmed on"),
    "confirmed_ip": _("Network address at the confirmation"),
    "wording": _("Consent text they saw"),
    OBJECT: _("Metadata (a JSON object)"),
}
KEYS = ("external_id", "email", "phone")  # what tells one person from another, in this order
METADATA = "metadata."
UNDECIDED = ""  # looks like an opt-out, and nobody said yet what it is
CONSENT = (STATUS, OPTED_OUT, SMS_OUT, BOUNCED)
SHARED = {*CONSENT, "tags"}  # several columns may be one of these
MOST_GUESSED = 50  # unknown columns that are kept as metadata without being asked for
_KEY_CHARS = 60

_HEADINGS = {
    "email": (
        "email emailaddress mail emailaddr useremail contactemail primaryemail emailadresse "
        "mailadresse adresseemail adressemail correo correoelectronico correoelectrónico "
        "почта емейл имейл емаил электроннаяпочта адресэлектроннойпочты элпочта електроннапошта"
    ),
    "phone": (
        "phone phonenumber mobile mobilephone mobilenumber cell cellphone tel telephone sms "
        "telefon telefonnummer handy mobil mobiltelefon téléphone teléfono телефон номертелефона "
        "мобильный мобильныйтелефон сотовый тел"
    ),
    "name": ("name fullname displayname contact contactname имя фио полноеимя контакт имяифамилия"),
    "first_name": "firstname fname givenname forename vorname prénom prenom nombre имяклиента",
    "last_name": (
        "lastname lname surname familyname secondname nachname familienname nom apellido "
        "apellidos фамилия прізвище"
    ),
    "external_id": "externalid extid customerid crmid внешнийид внешнийid кодклиента номерклиента",
    "language": "language lang locale preferredlanguage sprache langue idioma язык мова",
    "time_zone": "timezone tz zeitzone часовойпояс таймзона",
    "tags": "tags tag labels groups теги тег метки метка группы",
    "subscribed_at": (
        "optintime optindate optinat subscribedat subscribedate subscribeddate subscriptiondate "
        "signupdate signuptime signedupat dateadded addedtime addtime "
        "addedat createdat createdon created datecreated dateofsubscription registered "
        "registeredat anmeldedatum angemeldetam датаподписки датарегистрации датадобавления "
        "подписанс"
    ),
    "subscribed_ip": "optinip signupip subscribedip ipsignup ipoptin ipaddress",
    "confirmed_at": "confirmtime confirmedat confirmationtime confirmedon optinconfirmedat",
    "confirmed_ip": "confirmip confirmedip confirmationip",
    "wording": "consenttext consentwording gdprtext",
    OBJECT: "metadata",
    # what our own files have and an import does not read: of refused rows, and of exports
    "ignore": "line problem followerid",
}
# May be the id that the company gave, or one of the other program that nobody else knows. Only
# where nothing else tells people apart it is taken for the first.
_SOME_ID = frozenset(
    ("id", "userid", "uid", "uuid", "subscriberid", "contactid", "memberid", "ид", "идентификатор")
)
_SUGGESTIONS = {
    heading: target for target, headings in _HEADINGS.items() for heading in headings.split()
}

Words = Collection[str] | None  # the different cells of a column, None when there are many


class BadMapping(Refused):
    """The columns can't be read this way."""


def suggest(
    columns: Sequence[str], words: Sequence[Words] = (), system: System | None = None
) -> dict[str, str]:
    """Guess a target for each column from its heading and the cells that were seen in it.

    UNDECIDED where a person must choose, "metadata.<key>" where nothing fits, "ignore" where there
    is nothing in the column. `system` is the program whose export it is.
    """
    said = [*words, *[None] * (len(columns) - len(words))]
    mapping: dict[str, str] = {}
    unknown: list[str] = []
    for column, cells in zip(columns, said, strict=True):
        target = _of_system(column, system)
        if target is None:
            target = _guess(column, cells)
        if target in mapping.values() and target not in SHARED | {"ignore", UNDECIDED}:
            target = None
        if target in (None, KEEP):
            unknown.append(column)
            target = UNDECIDED
        mapping[column] = target
    found = set(mapping.values())
    if "last_name" in found and "name" in found and "first_name" not in found:
        # “Имя” beside “Фамилия” is the first name
        mapping = {column: _instead(target) for column, target in mapping.items()}
    for column in columns:
        about = status_words.detail_of(column)
        if mapping[column] == UNDECIDED and about and found & {STATUS, about}:
            unknown.append(column)  # the reason of an opt-out that another column tells
    if not found & set(KEYS):
        for column in [name for name in unknown if status_words.squashed(name) in _SOME_ID][:1]:
            unknown.remove(column)
            mapping[column] = "external_id"
    return mapping | _kept(columns, unknown)


def _of_system(column: str, system: System | None) -> str | None:
    if system is None:
        return None
    return system.targets.get(status_words.squashed(column))


def _guess(column: str, cells: Words) -> str | None:
    """Guess one column: a target, UNDECIDED, or None when nothing is known about it."""
    word = status_words.squashed(column)
    if target := _SUGGESTIONS.get(word):
        return target
    if cells is not None and not cells:
        return "ignore"
    target = status_words.target_of(column)
    if target and _reads(target, cells):
        return target
    if target is None or target == STATUS:
        if status_words.is_doubtful(column, cells):
            return UNDECIDED
        if target and cells and len(status_words.unread(target, cells)) < len(cells):
            return target  # a person says what its other words mean
        if cells is not None and status_words.say_out(cells):
            return UNDECIDED
        return None
    return UNDECIDED


def _reads(target: str, cells: Words) -> bool:
    if cells is None:  # many different ones: moments, and no status
        return target != STATUS
    return status_words.reads(target, cells)


def _instead(target: str) -> str:
    if target == "name":
        return "first_name"
    return target


def _kept(columns: Sequence[str], unknown: Collection[str]) -> dict[str, str]:
    """Keep unknown columns as metadata; leave them out where there are more than anybody wants."""
    if len(unknown) > MOST_GUESSED:
        return dict.fromkeys(unknown, "ignore")
    kept: dict[str, str] = {}
    for column in columns:
        if column in unknown:
            target = as_metadata(column)
            if target in kept.values():
                target = "ignore"
            kept[column] = target
    return kept


def into_fields(
    mapping: Mapping[str, str], fields: Iterable[CustomField], *, only_fields: bool
) -> dict[str, str]:
    """Let columns that are kept as metadata fill the custom fields whose key or label they have.

    `only_fields`: the others are left out.
    """
    named: dict[str, str] = {}
    for field in fields:
        for name in (field.key, *field.labels.values()):
            named.setdefault(status_words.squashed(name), as_metadata(field.key))
    found = dict(mapping)
    for column, target in mapping.items():
        if not target.startswith(METADATA):
            continue
        own = named.get(status_words.squashed(column))
        if own and own not in found.values():
            found[column] = own
        elif only_fields and target != own:
            found[column] = "ignore"
    return found


def laid_over(guess: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Give the guess with a caller's own words on top; what they take is left free elsewhere."""
    kept = {}
    for column, target in guess.items():
        if target in SHARED or target not in own.values():
            kept[column] = target
    return kept | dict(own)


def as_metadata(column: str) -> str:
    """Give the target that keeps a column under its own heading."""
    return f"{METADATA}{column.strip()[:_KEY_CHARS].strip()}"


def may_say_out(
    columns: Sequence[str], words: Sequence[Words], system: System | None = None
) -> list[str]:
    """List the columns that may say who opted out: a person, or a sure guess, decides on each."""
    found = []
    for column, cells in zip(columns, words, strict=True):
        target = _of_system(column, system)
        if target is None:
            target = _guess(column, cells)
        if target in {*CONSENT, UNDECIDED}:
            found.append(column)
    return found


def check_mapping(
    columns: Sequence[str], mapping: Mapping[str, str], may_say: Iterable[str] = ()
) -> dict[str, str]:
    """Give the mapping without what is left out. Raises BadMapping with what to change.

    `may_say` are the columns as `may_say_out` lists them: each needs a word, if only "ignore".
    """
    if unknown := [column for column in mapping if column not in columns]:
        said = gettext("The file has no column {column!r}. Its columns are: {columns}.")
        raise BadMapping(said.format(column=unknown[0], columns=", ".join(columns)))
    _refuse_undecided(mapping, may_say)
    used = {column: target for column, target in mapping.items() if target and target != "ignore"}
    by_target: dict[str, str] = {}
    for column, target in used.items():
        _refuse_unknown(target)
        other = by_target.setdefault(target, column)
        if other != column and target not in SHARED:
            said = gettext("{one!r} and {other!r} are both mapped to {target!r}. Leave one out.")
            raise BadMapping(said.format(one=other, other=column, target=target))
    if not set(by_target) & set(KEYS):
        raise BadMapping(
            gettext(
                "Map a column to email, phone or external_id: "
                "without one of them nobody can be told apart."
            )
        )
    return used


def _refuse_undecided(mapping: Mapping[str, str], may_say: Iterable[str]) -> None:
    undecided = [column for column, target in mapping.items() if target == UNDECIDED]
    undecided += [column for column in may_say if column not in mapping]
    if undecided:
        said = gettext(
            "{column!r} may say who opted out. Choose what it is: {status!r}, {out!r}, "
            "{bounced!r}, or leave it out if it says nothing of the kind."
        )
        targets = {
            "status": str(TARGETS[STATUS]),
            "out": str(TARGETS[OPTED_OUT]),
            "bounced": str(TARGETS[BOUNCED]),
        }
        raise BadMapping(said.format(column=undecided[0], **targets))


def _refuse_unknown(target: str) -> None:
    key = target.removeprefix(METADATA)
    if target in TARGETS:
        return
    if target == key or not key.strip() or len(key) > _KEY_CHARS:
        said = gettext(
            "{target!r} is nothing a column can be. Choose one of: {targets}, metadata.<key>."
        )
        raise BadMapping(said.format(target=target, targets=", ".join(TARGETS)))

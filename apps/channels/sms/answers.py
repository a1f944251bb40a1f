"""What SMS providers tell us: what a phone answered, and what became of a message;
believed only with their proof.
"""

import base64
import datetime as dt
import hashlib
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from apps.channels.contract import Remedy, storable
from apps.channels.https.posted import Forged

FRESH = dt.timedelta(minutes=5)  # an older signature may be somebody's copy


@dataclass(frozen=True, slots=True)
class SmsReply:
    """Text that a phone sent: `sender` in E.164; `name` is the provider's id of the text."""

    sender: str
    text: str
    name: str = ""

    def __post_init__(self) -> None:
        # a STOP with a NUL behind it must not be lost
        object.__setattr__(self, "text", storable(self.text))
        object.__setattr__(self, "name", storable(self.name))


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a message of ours: it arrived, or never will.

    What is still on its way is not told.

    `delivery` as we named it to the provider, `name` as the provider names it.
    """

    delivery: UUID
    name: str
    arrived: bool
    said: str = ""
    remedy: Remedy = Remedy.NONE

    @property
    def event(self) -> str:
        """Name of what happened, equal for each copy of this report."""
        if self.arrived:
            return f"{self.name}:delivered"
        return f"{self.name}:failed"

    @property
    def weight(self) -> int:
        """How much it tells, of 4: a lighter report changes nothing that a heavier one said.

        A phone that has the text has it.
        """
        if self.arrived:
            return 4
        return 1


def report(
    delivery: object,
    name: object,
    arrived: bool | None,
    said: str = "",
    remedy: Remedy = Remedy.NONE,
) -> Report | None:
    """The report, or None where it tells nothing final or names no delivery of ours."""
    try:
        ours = UUID(str(delivery))
    except ValueError:
        return None
    if arrived is None or not name:
        return None
    return Report(ours, storable(str(name)), arrived, storable(said), remedy)


class Word(StrEnum):
    STOP = "stop"
    START = "start"
    HELP = "help"


# The words of US carriers and of the FCC (47 CFR 64.1200(a)(10)),
# and what the same is in other languages.
_WORDS = {
    Word.STOP: (
        "stop, stopall, stop all, unsubscribe, cancel, end, quit, revoke, opt out, optout, stopp,"
        " abmelden, abbestellen, arret, arrêt, arreter, arrêter, desabonner, désabonner, baja,"
        " alto, parar, cancelar, sair, annulla, ferma, avsluta, стоп, отписка, отписаться, отмена,"
        " 停止, 退订"
    ),
    Word.START: (
        "start, yes, unstop, subscribe, anmelden, demarrer, démarrer, alta, iniciar, старт,"
        " подписаться, 开始"
    ),
    Word.HELP: "help, info, hilfe, aide, ayuda, ajuda, aiuto, помощь, справка, 帮助",
}
WORDS = {said.strip(): word for word, all_said in _WORDS.items() for said in all_said.split(",")}


def word_of(text: str) -> Word | None:
    """What the whole message means, whatever its case and punctuation; None:
    a person should read it.
    """
    return WORDS.get(" ".join(re.sub(r"[\W_]+", " ", text.casefold()).split()))


def number(said: object) -> str:
    """Providers write numbers with a plus or without."""
    digits = str(said or "").removeprefix("+")
    if digits.isascii() and digits.isdigit():
        return f"+{digits}"
    return ""


def same(ours: bytes, theirs: str) -> bool:
    """Compares base64 signatures without telling by its time how much of them fits."""
    return hmac.compare_digest(base64.b64encode(ours), theirs.encode("utf-8", "replace"))


def check_hmac(secret: str, signed: bytes, given: str, *, how: str) -> None:
    """Raises Forged."""
    if not secret:
        raise Forged("The account has no secret to check signatures with.")
    if not given:
        raise Forged("It has no signature.")
    if not same(hmac.new(secret.encode(), signed, getattr(hashlib, how)).digest(), given):
        raise Forged("Its signature is wrong.")


def check_age(stamp: object, now: dt.datetime) -> None:
    """Refuse an old `stamp`, in seconds since 1970. Raises Forged."""
    try:
        age = now.timestamp() - float(str(stamp))
    except ValueError:
        raise Forged("It does not say when it was signed.") from None
    if not abs(age) <= FRESH.total_seconds():
        raise Forged("It was not signed just now.")

"""A mail that came in, and what it says: the one question that the mailbox asks of each."""

import re
from dataclasses import dataclass
from enum import StrEnum

from apps.channels.blame import Whose
from apps.channels.returned import free_text
from apps.channels.returned.delivery_status import Status, statuses
from apps.channels.returned.feedback import COMPLAINTS, feedback
from apps.channels.returned.mail_parts import MailParts, mail_parts
from apps.channels.returned.verdict import verdict


class Says(StrEnum):
    """What a mail is."""

    BOUNCE = "bounce"  # somebody did not get a mail, and won't
    DELAY = "delay"  # a server goes on trying
    COMPLAINT = "complaint"  # a reader called it spam
    AUTO_REPLY = "auto_reply"  # a program answered for a person
    ARRIVED = "arrived"  # a receipt that somebody got it
    REPORT = "report"  # a receiver tells how mail from a domain fares
    OPT_OUT = "opt_out"  # somebody wrote to the address by which one leaves
    NOTHING = "nothing"  # a mail as people write them


@dataclass(slots=True, frozen=True)
class Of:
    """What is said of one recipient. `recipient` is "" where it was left out or redacted."""

    recipient: str
    status: str = ""
    hard: bool = False
    whose: Whose | None = None
    said: str = ""


@dataclass(slots=True, frozen=True)
class Reading:
    """What a mail says, and of whom."""

    says: Says
    of: tuple[Of, ...] = ()
    parts: MailParts | None = None


MOST_SAID = 1500  # characters of an answer that are weighed
_VACATION_HEADERS = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Vacation")
_VACATION = re.compile(
    r"^\W{0,9}(re: )?(auto(matic|matische|matisch)?[ -]?(reply|response|antwort|respon)"
    r"|out of (the )?office"
    r"|abwesen|away (from|until)|on vacation|vacation|réponse automatique|respuesta automática"
    r"|risposta automatica|автоответ|автоматическ|autoreply|urlaub|ooo\b)",
    re.IGNORECASE,
)


def read(raw: bytes) -> Reading:
    """Say what a mail is, and what it says of whom. Never raises for what a mail holds."""
    mail = mail_parts(raw)
    if told := feedback(mail):
        if told.type not in COMPLAINTS:
            return Reading(Says.NOTHING, parts=mail)
        of = tuple(Of(each, said=told.type) for each in told.recipients or ("",))
        return Reading(Says.COMPLAINT, of, mail)
    if found := statuses(mail):
        return _by_status(mail, found)
    if _is_vacation(mail):
        return Reading(Says.AUTO_REPLY, parts=mail)
    if free_text.looks_like_one(mail) and (of := _by_words(mail)):
        says = Says.BOUNCE
        if free_text.is_delay(mail):
            says = Says.DELAY
        return Reading(says, of, mail)
    answered = mail.header("Auto-Submitted").lower().startswith("auto-replied")
    if answered or mail.header("Precedence").lower() == "auto_reply":
        return Reading(Says.AUTO_REPLY, parts=mail)
    return Reading(Says.NOTHING, parts=mail)


def _is_vacation(mail: MailParts) -> bool:
    if mail.header("X-Failed-Recipients"):
        return False
    if any(mail.header(name) for name in _VACATION_HEADERS):
        return True
    if "VACATION" in mail.header("X-Apple-Action"):
        return True
    return bool(_VACATION.search(mail.header("Subject")))


def _by_status(mail: MailParts, found: list[Status]) -> Reading:
    failed = [one for one in found if _action(one) == "failed"]
    late = [one for one in found if _action(one) == "delayed"]
    if not failed and not late:
        return Reading(Says.ARRIVED, tuple(Of(one.recipient, one.status) for one in found), mail)
    says = Says.BOUNCE
    if not failed:
        says = Says.DELAY
    return Reading(says, tuple(_of(mail, one) for one in failed or late), mail)


def _action(one: Status) -> str:
    if one.action in ("failed", "failure", "delayed", "delivered", "relayed", "expanded"):
        return one.action.replace("failure", "failed")
    first = one.status.strip()[:1]
    return {"2": "delivered", "4": "delayed"}.get(first, "failed")


def _of(mail: MailParts, one: Status) -> Of:
    said = _escaped(one.said)[:MOST_SAID]
    if not said and "(" in one.status:  # some servers say it there
        said = one.status
    elif not said:
        said = f"{one.status} {free_text.said_of(mail, one.recipient)}"
    found = verdict(said, status=one.status)
    return Of(one.recipient, found.status, found.hard, found.whose, said[:500])


def _escaped(said: str) -> str:
    """Words that stand in ISO-2022-JP where only ASCII may."""
    if "\x1b$" not in said:
        return said
    return said.encode("ascii", "replace").decode("iso-2022-jp", "replace")


def _by_words(mail: MailParts) -> tuple[Of, ...]:
    of = []
    named = free_text.recipients(mail)
    for each in named:
        said = free_text.said_of(mail, each, alone=len(named) == 1)
        if not said:
            continue
        found = verdict(said)
        of.append(Of(each, found.status, found.hard, found.whose, said[:500]))
    return tuple(of)

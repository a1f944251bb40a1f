"""Complaints of readers, passed on by their mailbox provider: RFC 5965, and Microsoft's form."""

import re
from dataclasses import dataclass

from apps.channels.returned.mail_parts import ADDRESS, MailParts

_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)$", re.M)
# what a reader does not want; `auth-failure` and `dkim` are about signatures, `not-spam` is praise
COMPLAINTS = ("abuse", "fraud", "opt-out", "opt-out-list", "virus", "other", "miscategorized")


@dataclass(slots=True, frozen=True)
class Feedback:
    """What a report says: its type, and of whom, if it was not redacted."""

    type: str
    recipients: tuple[str, ...]


def feedback(mail: MailParts) -> Feedback | None:
    """What a feedback report says; None where the mail is none."""
    for part in mail.parts:
        if part.kind == "message/feedback-report":
            fields = [(name.lower(), value) for name, value in _FIELD.findall(part.text)]
            kind = next((value for name, value in fields if name == "feedback-type"), "abuse")
            named = ("original-rcpt-to", "removal-recipient")
            found = [value for name, value in fields if name in named]
            return Feedback(kind.strip().lower(), _addresses(found))
    for inner in mail.within:
        if inner.get("X-HmXmrOriginalRecipient") and "complaint" in mail.header("Subject").lower():
            return Feedback("abuse", _addresses([str(inner["X-HmXmrOriginalRecipient"])]))
    return None


def _addresses(values: list[str]) -> tuple[str, ...]:
    found = [match.group() for value in values for match in ADDRESS.finditer(value)]
    return tuple(dict.fromkeys(found))

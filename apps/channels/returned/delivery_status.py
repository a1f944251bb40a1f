"""Delivery status notifications (RFC 3464), also those whose parts are damaged."""

import re
from dataclasses import dataclass

from apps.channels.returned.mail_parts import ADDRESS, MailParts

KINDS = ("message/delivery-status", "message/global-delivery-status")
_FIELD = re.compile(r"^([A-Za-z][A-Za-z0-9-]*)[ \t]*:[ \t]*(.*)$")
_FOLDED = re.compile(r"\n[ \t]+(?=\S)")
_BLOCKS = re.compile(r"\n[ \t]*\n")
_LOOKS_SO = re.compile(r"^(Final-Recipient|Original-Recipient)[ \t]*:", re.M | re.I)
_TYPED = re.compile(r"^\s{0,9}[\w/-]{1,40}\s{0,9};\s{0,9}")


@dataclass(slots=True, frozen=True)
class Status:
    """What a notification says of one recipient, word by word."""

    recipient: str
    action: str  # failed, delayed, delivered, relayed, expanded; "" where it was left out
    status: str
    said: str


def statuses(mail: MailParts) -> list[Status]:
    """What a notification says of each recipient; nothing where the mail is none."""
    texts = [part.text for part in mail.parts if part.kind in KINDS]
    if not texts and _LOOKS_SO.search(mail.text):
        texts = [mail.text]
    found = []
    for text in texts:
        for block in _BLOCKS.split(_FOLDED.sub(" ", text)):
            if one := _status(block):
                found.append(one)
    return found


def _status(block: str) -> Status | None:
    fields: dict[str, str] = {}
    for line in block.split("\n"):
        if match := _FIELD.match(line.strip()):
            fields.setdefault(match.group(1).lower(), match.group(2).strip())
    action = fields.get("action", "").split(" ")[0].lower().strip(";,")
    if not action and "status" not in fields:
        return None
    named = (fields.get("original-recipient"), fields.get("final-recipient"))
    recipient = ""
    for value in (*named, fields.get("x-actual-recipient")):
        if value and not recipient:
            recipient = _address(value)
    if not recipient and not any(named):
        return None
    said = fields.get("diagnostic-code", "")
    for other in ("x-smtp-error", "x-supplementary-info", "x-error"):
        said = said or fields.get(other, "")
    return Status(recipient, action, fields.get("status", ""), _TYPED.sub("", said, count=1))


def _address(value: str) -> str:
    if match := ADDRESS.search(_TYPED.sub("", value)):
        return match.group().strip("'.")
    return ""

"""Accepted mails as files: `<id>.eml` with the bytes as they came,
`<id>.json` with the envelope.
"""

import datetime as dt
import email
import email.policy
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path

from apps.lib.ids import uuid7

KEPT = 5000
_NAME = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a list shows.

    `sender` and `recipients` are the envelope's, `subject` is the header's.
    """

    id: str
    sender: str
    recipients: list[str]
    subject: str
    at: str  # ISO 8601, UTC

    @property
    def came_at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.at)


def keep(
    folder: Path, *, sender: str, recipients: Sequence[str], content: bytes, now: dt.datetime
) -> Letter:
    """Store one mail; when this returns it can be listed.

    Names are time-ordered, so the newest sorts last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    subject = str(parse(content).get("Subject", ""))
    letter = Letter(uuid7().hex, sender, list(recipients), subject, now.isoformat())
    (folder / f"{letter.id}.json").write_text(json.dumps(asdict(letter)), encoding="utf-8")
    part = folder / f"{letter.id}.part"
    part.write_bytes(content)
    part.rename(folder / f"{letter.id}.eml")  # only now it is there, whole
    return letter


def prune(folder: Path, *, kept: int = KEPT) -> int:
    """Throw the oldest away beyond the newest `kept`; how many went."""
    old = sorted(folder.glob("*.eml"))[:-kept]
    for path in old:
        path.unlink(missing_ok=True)
        path.with_suffix(".json").unlink(missing_ok=True)
    return len(old)


def letters(folder: Path, *, text: str = "", before: str = "") -> Iterator[Letter]:
    """Newest first, older than the id `before`; those with `text` in a recipient or the subject,
    in any case.
    """
    wanted = text.casefold()
    for path in sorted(folder.glob("*.eml"), reverse=True):
        if before and path.stem >= before:
            continue
        letter = _envelope(path)
        if letter and (
            not wanted
            or any(wanted in field.casefold() for field in [letter.subject, *letter.recipients])
        ):
            yield letter


def letter(folder: Path, id: str) -> tuple[Letter, bytes] | None:
    """None if there is no such mail (any more)."""
    if not _NAME.fullmatch(id):
        return None
    path = folder / f"{id}.eml"
    found = _envelope(path)
    try:
        if found:
            return found, path.read_bytes()
        return None
    except FileNotFoundError:
        return None


def _envelope(path: Path) -> Letter | None:
    try:
        return Letter(**json.loads(path.with_suffix(".json").read_text(encoding="utf-8")))
    except FileNotFoundError:  # pruned while we looked
        return None


def parse(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def body(content: bytes, subtype: str) -> str | None:
    """The mail's "html" or "plain" part as text; None if it has none."""
    part = parse(content).get_body(preferencelist=(subtype,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset nobody knows: show what can be shown
        return bytes(part.get_payload(decode=True) or b"").decode("utf-8", "replace")

"""A mail as headers and parts, whatever line ends it has and however it is damaged."""

import re
from dataclasses import dataclass, field
from email import message_from_bytes, message_from_string
from email.header import decode_header
from email.message import Message
from functools import cached_property

# a report is short; what follows is the mail that came back, and its pictures
MOST_BYTES = 1_000_000
MOST_PARTS = 50
# As fields of reports have it. It begins where a word does and has an end: what is read here may
# have been written to keep us busy.
ADDRESS = re.compile(r"(?<![^\s<>;,()\"])[^\s<>;,()\"@]{1,320}@[^\s<>;,()\"@]{1,255}")
_RETURN = re.compile(rb"\r\n?")


@dataclass(slots=True, frozen=True)
class Part:
    kind: str  # its media type, lower-case
    text: str
    whole: Message


@dataclass
class MailParts:
    """A mail that came in: its headers, and its parts without those of a mail within it."""

    mail: Message
    parts: list[Part] = field(default_factory=list)

    def header(self, name: str) -> str:
        """The first header of that name in words, "" without one."""
        value = self.mail.get(name)
        if value is None:
            return ""
        return in_words(value)

    @cached_property
    def text(self) -> str:
        """What is to be read, without the mail that came back."""
        plain = [part.text for part in self.parts if part.kind == "text/plain"]
        if not plain:
            plain = [_tags_off(part.text) for part in self.parts if part.kind == "text/html"]
        return "\n".join(plain)

    @cached_property
    def within(self) -> list[Message]:
        """The headers of the mails that it holds."""
        found = []
        for part in self.parts:
            if part.kind in ("message/rfc822", "message/global"):
                inner = part.whole.get_payload()
                if _is_encoded(part.whole):
                    found.append(message_from_string(part.text))
                elif isinstance(inner, list) and inner and isinstance(inner[0], Message):
                    found.append(inner[0])
            elif part.kind in ("text/rfc822-headers", "text/rfc822-header"):
                found.append(message_from_bytes(part.text.encode("utf-8", "replace")))
        return found


def mail_parts(raw: bytes) -> MailParts:
    """Take a mail apart. Line ends may be LF, CRLF or CR alone."""
    raw = _RETURN.sub(b"\n", raw[:MOST_BYTES])
    try:
        mail = message_from_bytes(raw)
        found = MailParts(mail)
        _gather(mail, found.parts)
    except (RecursionError, ValueError):  # parts within parts without end
        head, _, body = raw.partition(b"\n\n")
        mail = message_from_bytes(head + b"\n\n")
        words = body.decode("utf-8", "replace")
        found = MailParts(mail, [Part("text/plain", words, mail)])
    return found


def in_words(value: object) -> str:
    """A header's value, its encoded words decoded, in one line."""
    try:
        pieces = decode_header(str(value))
        words = "".join(_decoded(data, charset) for data, charset in pieces)
    except (ValueError, LookupError):
        words = str(value)
    return " ".join(words.split())


def _decoded(data: bytes | str, charset: str | None) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode(charset or "ascii", "replace")
    except LookupError:
        return data.decode("ascii", "replace")


def _gather(mail: Message, parts: list[Part]) -> None:
    """The parts that are no multipart, in their order; of a mail within, its headers only."""
    if len(parts) >= MOST_PARTS:
        return
    kind = mail.get_content_type().split()[0]
    payload = mail.get_payload()
    if kind.startswith("multipart/") and isinstance(payload, list):
        for each in payload:
            if isinstance(each, Message):
                _gather(each, parts)
    elif isinstance(payload, list):  # message/*: blocks of fields, or a mail
        blocks = [each.as_string() for each in payload if isinstance(each, Message)]
        text = "\n".join(blocks)
        if _is_encoded(mail):
            text = _decoded_text(text, str(mail["Content-Transfer-Encoding"]))
        parts.append(Part(kind, text, mail))
    else:
        if kind.startswith("multipart/"):
            kind = "text/plain"  # its boundary is lost: everything is preamble
        parts.append(Part(kind, _text_of(mail), mail))


def _is_encoded(part: Message) -> bool:
    """Whether a part is encoded that may not be (RFC 2046 5.2.1); some servers do it."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    return part.is_multipart() and encoding in ("base64", "quoted-printable")


def _decoded_text(text: str, encoding: str) -> str:
    """Decode what the parser has taken for a mail as it stands."""
    carrier = Message()
    carrier["Content-Transfer-Encoding"] = encoding.strip()
    carrier.set_payload(text.lstrip("\n"))
    return _RETURN.sub(b"\n", _text_of(carrier).encode()).decode()


def _text_of(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = part.get_content_charset() or "utf-8"
    try:
        return data.decode(charset, "replace")
    except (LookupError, UnicodeError):
        return data.decode("utf-8", "replace")


_TAG = re.compile(r"<(?!\S{1,320}@\S{1,255}>)[^<>]{0,2000}>")
_BREAK = re.compile(r"<(br|/p|/tr|/div|/li|/h\d)\b[^<>]{0,200}>", re.IGNORECASE)


def _tags_off(html: str) -> str:
    """A report's words, roughly: what matters in it are addresses and codes."""
    lines = _TAG.sub(" ", _BREAK.sub("\n", html))
    for name, sign in (("&lt;", "<"), ("&gt;", ">"), ("&nbsp;", " "), ("&amp;", "&")):
        lines = lines.replace(name, sign)
    return lines

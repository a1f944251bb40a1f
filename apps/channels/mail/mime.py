"""One Mail as the bytes that go over the wire (RFC 5322, 2045, 2047;
RFC 6532 where the server offers SMTPUTF8).

Written out by hand, because the `email` package takes 1 to 2 ms for a newsletter of 10 kB and this
takes 0.02 ms: it would be what a campaign waits for. tests/channels/mail/test_mime.py reads every
result back with that package.
"""

import datetime as dt
import re
from binascii import b2a_base64, b2a_qp
from email.utils import format_datetime
from functools import lru_cache

from apps.channels.messages import Mail, Sender
from apps.channels.pieces import STAMP, Joined, Pieces, Static
from apps.lib.network.host_name import BadHost, ascii_host

_UNSAFE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ATOMS = re.compile(rf"{_ATOM}( {_ATOM})*")  # RFC 5322: a phrase that needs no quotes
_DOT_ATOM = re.compile(r"[^\s()<>\[\]:;@\\,\".]+(\.[^\s()<>\[\]:;@\\,\".]+)*")
_FIRST_DOTS = re.compile(rb"^\.+", re.MULTILINE)
_LINE_WITH_DOT = re.compile(rb"\n\.")
_ANY_NEWLINE = re.compile(rb"\r\n|\r|\n")
# The end comes first: looking back from every place in a text would take 0.3 ms.
_LATE_BLANKS = {end: re.compile(end + rb"(?<=[^\r\n]{76}\r\n)") for end in (b"=20\r\n", b"=09\r\n")}
_LONGEST = 900  # octets a header line may have here; RFC 5322 allows 998

# Quoted-printable never holds "=_", so no body can hold this.
_BOUNDARY = b"=_carillon"
_QP = b"; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
_TEXT = b"Content-Type: text/plain" + _QP
_HTML = b"Content-Type: text/html" + _QP


_WIDTH = 75  # octets of a line of a body, one more is for the "=" of a soft line break
_SOFT = b"=\r\n"
_STAMP = STAMP.encode()


class BadHeader(ValueError):
    """A header value carries a line break or another control character;
    it could smuggle in a second header.
    """


def needs_smtputf8(address: str) -> bool:
    """True for a non-ASCII local part; a non-ASCII domain has an ASCII form (IDNA) and needs
    nothing.
    """
    return not address.rpartition("@")[0].isascii()


def envelope(address: str) -> str:
    """The address as it is written in MAIL FROM and RCPT TO: the domain in its ASCII form.

    Raises BadHost.
    """
    local, _, domain = address.rpartition("@")
    return f"{local}@{ascii_host(domain)}"


def as_bytes(mail: Mail) -> bytes:
    """Headers and bodies with CRLF line ends, and nowhere a lone CR or LF;
    bodies in lines of at most 76 octets.

    No line starts with a dot, which SMTP would have to double: to look for them and for line ends
    in every mail took 17 µs, and where one was found 30 more. What one server takes for a line end
    and another does not lets a second mail be smuggled in behind a dot; here there is neither.
    Raises BadHeader.
    """
    lines = [_line("Message-ID", mail.message_id)]
    if mail.sent_at:
        lines.append(f"Date: {_date(int(mail.sent_at.timestamp()))}")
    lines += [_line(name, value) for name, value in mail.headers.items()]
    lines += [
        _from(mail.sender),
        _mailbox("To", mail.to_name, mail.to),
        _words("Subject", mail.subject),
    ]
    lines.append("MIME-Version: 1.0\r\n")
    head = "\r\n".join(lines).encode()
    if isinstance(mail.text, Joined):
        text = _quoted_pieces(mail.text.pieces)
    else:
        text = _quoted(mail.text)
    if not mail.html:
        return b"".join((head, _TEXT, text))
    if isinstance(mail.html, Pieces):
        html = _quoted_pieces(mail.html.pieces, mail.html.stamp)
    else:
        html = _quoted(mail.html)
    return b"".join(
        (
            head, b'Content-Type: multipart/alternative; boundary="', _BOUNDARY, b'"\r\n',
            b"\r\n--", _BOUNDARY, b"\r\n", _TEXT, text,
            b"\r\n--", _BOUNDARY, b"\r\n", _HTML, html,
            b"\r\n--", _BOUNDARY, b"--\r\n",
        )
    )  # fmt: skip


def _wire(text: str) -> bytes:
    data = text.encode("utf-8", "replace")
    if b"\r" in data:
        return _ANY_NEWLINE.sub(b"\r\n", data)
    return data.replace(b"\n", b"\r\n")


def _quoted(text: str) -> bytes:
    """Quoted-printable (RFC 2045 6.7); a line break of any kind becomes CRLF."""
    data = _wire(text)
    if not data.endswith(b"\r\n"):
        data += b"\r\n"
    return _undotted(_in_lines(data))


def _in_lines(data: bytes) -> bytes:
    """Break the lines of `data`, which must end a line: b2a_qp ends its soft breaks as it finds
    the first line ended.
    """
    lines = b2a_qp(data, istext=True)
    # it writes a blank at a line's end as =20 without asking whether that still fits
    for end, too_late in _LATE_BLANKS.items():
        if len(lines) > _WIDTH + 2 and end in lines:
            lines = too_late.sub(b"=\r\n" + end, lines)
    return lines


def _quoted_pieces(pieces: list[str], stamp: str = "") -> bytes:
    """Quoted-printable put together from pieces: a static one is encoded once, and starts a new
    line where it doesn't fit.
    """
    lines: list[bytes] = []
    column = 0
    token = stamp.encode()
    for piece in pieces:
        if type(piece) is Static:
            try:
                data, head, tail, stamped = piece._quoted
            except AttributeError:
                data, head, tail, stamped = piece._quoted = (
                    *_measured(_quoted_static(piece)),
                    STAMP in piece,
                )
            if stamped and token:
                data = data.replace(_STAMP, token)
        elif len(piece) > _WIDTH:
            data, head, tail = _measured(_quoted_part(piece))
        elif (
            piece.isascii()
            and piece.isprintable()
            and "=" not in piece
            and piece[-1:] != " "
            and piece[:1] != "."
        ):
            data = piece.encode()
            head = len(piece)
            tail = None
        else:
            data, head, tail = _quoted_short(piece)
        if column and column + head > _WIDTH:
            lines.append(_SOFT)
            column = 0
        lines.append(data)
        if tail is None:
            column = column + head
        else:
            column = tail
    body = b"".join(lines)
    if body.endswith(b"\r\n") and not body.endswith(_SOFT):
        return body
    return body + b"\r\n"


def _quoted_static(text: str) -> bytes:
    """STAMP has a line for itself: what takes its place may then have any letters in it."""
    return (_SOFT + _STAMP + _SOFT).join(map(_quoted_part, text.split(STAMP)))


def _quoted_part(text: str) -> bytes:
    """Fit to have anything before and after it: a blank at its end is encoded,
    since a line end may follow.
    """
    return _undotted(_in_lines(_wire(text) + b"\r\n"))[:-2]


def _undotted(lines: bytes) -> bytes:
    """Each dot at a line's start stands encoded in a line of its own:
    the others keep their length.
    """
    if lines.startswith(b".") or _LINE_WITH_DOT.search(lines):
        return _FIRST_DOTS.sub(lambda dots: b"=2E=\r\n" * len(dots[0]), lines)
    return lines


@lru_cache(maxsize=2000)
def _quoted_short(text: str) -> tuple[bytes, int, int | None]:
    """Many readers share their city, the price of an article, their first name."""
    return _measured(_quoted_part(text))


def _measured(data: bytes) -> tuple[bytes, int, int | None]:
    """Octets with the lengths of the first line, and of the last if there is more than one."""
    head = data.find(b"\r\n")
    if head < 0:
        return data, len(data), None
    return data, head, len(data) - data.rfind(b"\r\n") - 2


def _line(name: str, value: str) -> str:
    """A header that machines read, written in one piece:
    folding would put encoded words into long URLs.
    """
    if not (value.isascii() and value.isprintable()):
        raise BadHeader(f"{name} may hold printable ASCII only, got {value!r}.")
    return f"{name}: {value}"


def _clean(name: str, value: str) -> str:
    if not value.isprintable() and _UNSAFE.search(value):
        raise BadHeader(f"{name} may not hold line breaks or control characters, got {value!r}.")
    return value


def _words(name: str, value: str) -> str:
    """A header that people read; encoded words (RFC 2047) of at most 75 octets where it is not
    plain ASCII.
    """
    if (
        _clean(name, value).isascii()
        and "=?" not in value
        and len(value) < _LONGEST
        and value == value.strip()
    ):
        return f"{name}: {value}"
    return f"{name}: {_encoded(value, name)}"


def _encoded(value: str, name: str) -> str:
    """Base64 words of whole characters; no line is longer than 76 octets,
    the name of the header counted in.
    """
    words = []
    data = b""
    room = (76 - len(name) - 2 - 12) // 4 * 3
    if len(whole := value.encode("utf-8", "replace")) <= room:  # nearly every name
        return f"=?utf-8?b?{b2a_base64(whole, newline=False).decode()}?="
    for character in value:
        octets = character.encode("utf-8", "replace")
        if len(data) + len(octets) > room:
            words.append(data)
            data = b""
            room = 45
        data += octets
    words.append(data)
    return "\r\n ".join(f"=?utf-8?b?{b2a_base64(word, newline=False).decode()}?=" for word in words)


def _mailbox(name: str, display: str, address: str) -> str:
    """Write `Name <address>`. The name stands as atoms, in quotes, or as encoded words."""
    unfit = f"{name} holds no address that can be written to: {address!r}."
    try:
        spec = envelope(_clean(name, address))
    except BadHost as error:
        raise BadHeader(unfit) from error
    if not _DOT_ATOM.fullmatch(spec.rpartition("@")[0]):
        raise BadHeader(unfit)
    display = _clean(name, display).strip()
    if not display:
        return f"{name}: {spec}"
    if display.isascii() and "=?" not in display:
        quoted = display
        if not _ATOMS.fullmatch(display):
            quoted = '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if len(quoted) < _LONGEST:
            return f"{name}: {quoted} <{spec}>"
    return f"{name}: {_encoded(display, name)}\r\n <{spec}>"


@lru_cache(maxsize=64)
def _date(seconds: int) -> str:
    return format_datetime(dt.datetime.fromtimestamp(seconds, dt.UTC))


@lru_cache(maxsize=32)
def _from(sender: Sender) -> str:
    return _mailbox("From", sender.name, sender.address)

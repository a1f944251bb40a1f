"""A mailbox on an IMAP server (RFC 3501): what is new in it, one mail after the other."""

import imaplib
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Setting
from apps.channels.returned.mail_parts import MOST_BYTES
from apps.lib.network.host_name import BadHost, ascii_host

SECURITY = (("tls", _("TLS from the start")), ("starttls", "STARTTLS"), ("none", _("None")))
SETTINGS = (
    Setting("host", _("Host"), required=True, help=_("For example imap.example.com")),
    Setting("port", _("Port"), kind="integer", default=993, required=True),
    Setting("security", _("Encryption"), kind="choice", default="tls", options=SECURITY),
    Setting("username", _("User name"), required=True),
    Setting("password", _("Password"), kind="secret", required=True),
    Setting("folder", _("Folder"), default="INBOX", required=True),
)
SECONDS = 30.0  # for each answer
_NUMBER = re.compile(rb"\d+")
WINDOW = 50_000  # numbers asked for at once: imaplib reads no line of more than 1,000,000 bytes
_LITERAL = 2  # a part of an answer that has a body: the line before it, and the body


class CannotRead(OSError):
    """The mailbox can't be read now; the text says what its server said."""


class Box:
    """An open folder. Its mails have numbers that grow, as long as `validity` is the same."""

    def __init__(self, client: imaplib.IMAP4, validity: int, next_number: int | None) -> None:
        self._client = client
        self.validity = validity
        self._next_number = next_number

    def after(self, number: int) -> Iterator[int]:
        """Yield the numbers of the mails that came after this one, as they are when the folder is
        opened. Raises CannotRead.
        """
        if self._next_number is None:  # a server need not say it
            yield from self._within(number, "*")
            return
        for start in range(number, self._next_number - 1, WINDOW):
            yield from self._within(start, str(min(start + WINDOW, self._next_number - 1)))

    def _within(self, number: int, last: str) -> list[int]:
        """Ask for the numbers behind one up to the last."""
        found = self._ask("SEARCH", "UID", f"{number + 1}:{last}")
        numbers = {int(each) for each in b" ".join(part for part in found if part).split()}
        # of `9:*` servers give the last one, too, where there is none after it
        return sorted(each for each in numbers if each > number)

    def mail(self, number: int) -> bytes | None:
        """One mail, as far as we read mails; None where somebody took it away meanwhile.

        It stays unseen. Raises CannotRead.
        """
        for part in self._ask("FETCH", str(number), f"(BODY.PEEK[]<0.{MOST_BYTES}>)"):
            if isinstance(part, tuple) and len(part) == _LITERAL:
                return bytes(part[1])
        return None

    def mark(self, number: int) -> None:
        """Mark a mail as read. Raises CannotRead."""
        self._ask("STORE", str(number), "+FLAGS.SILENT", r"(\Seen)")

    def _ask(self, command: str, *said: str) -> list[Any]:
        try:
            answer, found = self._client.uid(command, *said)
        except (imaplib.IMAP4.error, OSError) as error:
            raise CannotRead(_words(error)) from error
        if answer != "OK":
            raise CannotRead(_text(found))
        return list(found)


@contextmanager
def opened(settings: Mapping[str, Any]) -> Iterator[Box]:
    """Log in and open the folder. Raises CannotRead."""
    try:
        client = _connected(settings)
    except (imaplib.IMAP4.error, OSError) as error:
        raise CannotRead(_words(error)) from error
    try:
        yield _box(client, str(settings["folder"]))
    finally:
        with suppress(imaplib.IMAP4.error, OSError):
            client.logout()


def _connected(settings: Mapping[str, Any]) -> imaplib.IMAP4:
    host = str(settings["host"])
    port = int(settings["port"])
    security = settings["security"]
    if security == "tls":
        tls = ssl.create_default_context()
        client: imaplib.IMAP4 = imaplib.IMAP4_SSL(host, port, ssl_context=tls, timeout=SECONDS)
    else:
        client = imaplib.IMAP4(host, port, timeout=SECONDS)
    try:
        if security == "starttls":
            client.starttls(ssl.create_default_context())
        client.login(str(settings["username"]), str(settings["password"]))
    except (imaplib.IMAP4.error, OSError):
        with suppress(imaplib.IMAP4.error, OSError):
            client.shutdown()
        raise
    return client


def _box(client: imaplib.IMAP4, folder: str) -> Box:
    quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
    try:
        answer, found = client.select(quoted)
        if answer != "OK":
            raise CannotRead(_text(found))
        validity = _told(client, "UIDVALIDITY")
        next_number = _told(client, "UIDNEXT")
    except (imaplib.IMAP4.error, OSError) as error:
        raise CannotRead(_words(error)) from error
    if validity is None:
        raise CannotRead("The server does not number its mails (UIDVALIDITY).")
    return Box(client, validity, next_number)


def _told(client: imaplib.IMAP4, name: str) -> int | None:
    """Read a number that the server told when the folder was opened."""
    _name, found = client.response(name)
    if found and found[0] and (match := _NUMBER.search(found[0])):
        return int(match.group())
    return None


def _words(error: Exception) -> str:
    """What an error says; imaplib gives some of the server's words as bytes."""
    if error.args and isinstance(error.args[0], bytes):
        return error.args[0].decode("utf-8", "replace")
    return str(error)


def _text(found: Any) -> str:
    words = [each.decode("utf-8", "replace") for each in found or () if isinstance(each, bytes)]
    return " ".join(words) or "The server refused."


def check(settings: Mapping[str, Any]) -> None:
    """Judge settings without the network. Raises BadSettings."""
    for each in SETTINGS:
        if each.required and not settings.get(each.name):
            raise BadSettings(gettext("The mailbox needs: {name}.").format(name=each.title))
    try:
        ascii_host(str(settings["host"]))
    except BadHost as error:
        said = gettext(
            "The host “{host}” {why}. Write the server's name alone, for example imap.example.com."
        )
        raise BadSettings(said.format(host=settings["host"], why=error), field="host") from error
    if int(settings["port"]) > 65535:
        said = gettext("There is no port {port}. Mailboxes mostly listen on 993 or 143.")
        raise BadSettings(said.format(port=settings["port"]), field="port")
    if settings.get("security") not in dict(SECURITY):
        known = ", ".join(dict(SECURITY))
        said = gettext("Encryption {given!r} is not one of: {known}.")
        raise BadSettings(said.format(given=settings.get("security"), known=known))
    words = f"{settings['username']}{settings['password']}{settings['folder']}"
    if any(letter < " " or letter == "\x7f" for letter in words) or not words.isascii():
        said = gettext("User name, password and folder may hold plain letters and signs only.")
        raise BadSettings(said)

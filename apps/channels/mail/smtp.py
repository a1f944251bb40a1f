"""Any SMTP server: one message after another on a connection that is kept (RFC 5321),
pipelined (RFC 2920).

A session's life is `work`: one write carries the content of a message and the envelope of the next,
so that each message costs one round trip. Never more than one message per connection is without an
answer: that is what bounds duplicates when we or the server die (RFC 1047). smtp_wire.py has the
connection, this has what answers mean.
"""

import ssl
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.blame import Stage, refusal, used_up
from apps.channels.contract import BadSettings, Flow, Outcome, Provider, Result, Session, Setting
from apps.channels.mail.dkim import BadKey, Signer
from apps.channels.mail.mime import BadHeader, as_bytes, envelope
from apps.channels.mail.sender import BOUNCES, FROM, bounce_address_of, sender_of
from apps.channels.mail.smtp_wire import Answer, CutShort, Unwilling, Wire, said
from apps.channels.messages import Mail, Sender
from apps.lib.network.host_name import BadHost, ascii_host

# Whose relay the server is, by the keys of channels/esp/relays.
RELAYS = (
    ("", _("nobody")),
    ("mailjet", "Mailjet"),
    ("mailtrap", "Mailtrap"),
    ("mandrill", "Mandrill"),
    ("sparkpost", "SparkPost"),
)
SECURITY = (("none", _("None")), ("starttls", "STARTTLS"), ("tls", _("TLS from the start")))
CONNECTIONS = 4
MOST_CONNECTIONS = 50
# RFC 5321 4.5.3.2.6: who gives up earlier sends again what the server goes on to accept
DOT_SECONDS = 600.0
# a message whose envelope went along waits that long for the answer to the one before
LONELY_SECONDS = 5.0

_RSET = b"RSET\r\n"
_LONE_DOT = b".\r\n"
_AMENDS = {b"": (), _RSET: (("RSET", range(200, 300)),), _LONE_DOT: (("RSET", range(200, 600)),)}
_ENVELOPE = (("MAIL", (250,)), ("RCPT", (250, 251)), ("DATA", (354,)))


class Smtp(Provider):
    key = "smtp"
    channel = "email"
    label = "SMTP server"
    takes_lines = True
    settings = (
        Setting("host", _("Host"), required=True, help=_("For example smtp.example.com")),
        Setting("port", _("Port"), kind="integer", default=587, required=True),
        Setting("security", _("Encryption"), kind="choice", default="starttls", options=SECURITY),
        Setting("username", _("User name")),
        Setting("password", _("Password"), kind="secret"),
        *FROM,
        BOUNCES,
        Setting("timeout", _("Seconds to wait for each answer"), kind="integer", default=60),
        Setting(
            "per_connection",
            _("Messages per connection"),
            kind="integer",
            default=500,
            help=_("Some servers close a connection after so many."),
        ),
        Setting(
            "connections",
            _("Connections per sender"),
            kind="integer",
            default=CONNECTIONS,
            help=_(
                "How many one sender may have open at once, at most 50; relays often allow 10"
                " to 20."
            ),
        ),
        Setting(
            "relay",
            _("Events from"),
            kind="choice",
            options=RELAYS,
            help=_(
                "The server is a relay of this ESP, which posts what becomes of mails: once saved,"
                " this page shows where to."
            ),
        ),
        Setting(
            "events_key",
            _("Key of the event webhook"),
            kind="secret",
            help=_("Of Mandrill, which signs its events. Empty for the others."),
        ),
        Setting(
            "dkim_selector",
            _("DKIM selector"),
            help=_("The name before ._domainkey in your DNS; empty = not signed here"),
        ),
        Setting(
            "dkim_key",
            _("DKIM private key"),
            kind="secret",
            help=_("PEM, RSA (2048 bits or more) or Ed25519"),
        ),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "SmtpSession":
        if not settings.get("host"):
            raise BadSettings(
                gettext(
                    "The SMTP account has no host. Enter the server's name, for example"
                    " smtp.example.com."
                )
            )
        try:
            ascii_host(str(settings["host"]))
        except BadHost as error:
            said = gettext(
                "The host “{host}” {why}. Write the server's name alone, for example"
                " smtp.example.com."
            )
            raise BadSettings(said.format(host=settings["host"], why=error)) from error
        if int(settings.get("port") or 25) > 65535:
            said = gettext("There is no port {port}. Mail servers mostly listen on 587, 465 or 25.")
            raise BadSettings(said.format(port=settings["port"]))
        if settings.get("security", "none") not in dict(SECURITY):
            said = gettext("Encryption {given!r} is not one of: {known}.")
            known = ", ".join(dict(SECURITY))
            raise BadSettings(said.format(given=settings["security"], known=known))
        sender = sender_of(settings)
        bounce_address_of(settings)
        return SmtpSession(settings, _signer(settings, sender.domain))

    @classmethod
    def connections(cls, settings: Mapping[str, Any]) -> int:
        return max(1, min(int(settings.get("connections") or CONNECTIONS), MOST_CONNECTIONS))


def _signer(settings: Mapping[str, Any], domain: str) -> Signer | None:
    selector = settings.get("dkim_selector")
    key = settings.get("dkim_key")
    if not selector and not key:
        return None
    if not selector or not key:
        raise BadSettings(
            gettext(
                "DKIM needs both its selector and its private key. Fill in the other one, or"
                " empty both."
            )
        )
    try:
        return Signer(domain=domain, selector=selector, key=key)
    except BadKey as error:
        raise BadSettings(str(error)) from error


@dataclass(slots=True)
class _Letter:
    """A mail as it goes out."""

    mail: Mail
    sender: bytes
    recipient: bytes
    content: bytes  # as as_bytes promises: no line starts with a dot, each ends with CRLF
    needs_utf8: bool
    needs_8bit: bool


class _Gone(Exception):
    """The server let go before it looked at the message.

    `outcome`: what that means if it was a fresh connection.
    """

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome


class _Single(Flow[Mail]):
    """A flow of one message."""

    def __init__(self, message: Mail) -> None:
        self._message: Mail | None = message
        self.outcome = Outcome(Result.TRANSIENT, "Nothing was said about it.", charged=False)

    def take(self, *, wait: bool) -> Mail | None:
        message = self._message
        self._message = None
        return message

    def leaving(self, message: Mail) -> None:
        """Whoever sends one message waits for it, and sees a crash."""

    def ended(self, message: Mail, outcome: Outcome) -> None:
        self.outcome = outcome

    def give_back(self, message: Mail) -> None:
        """Stays uncharged."""


@lru_cache(maxsize=32)
def _return_path(sender: Sender) -> bytes:
    return envelope(sender.address).encode()


class SmtpSession(Session[Mail]):
    """Each answer is charged to what it was about."""

    def __init__(self, settings: Mapping[str, Any], signer: Signer | None) -> None:
        self._settings = settings
        self._signer = signer
        self._host = ascii_host(str(settings["host"]))
        self._port = int(settings.get("port") or 25)
        self._where = f"{self._host}:{self._port}"
        self._timeout = float(settings.get("timeout") or 60)
        self._dot_timeout = max(DOT_SECONDS, self._timeout)
        self._most = int(settings.get("per_connection") or 500)
        self._tls: ssl.SSLContext | None = None
        self._wire: Wire | None = None
        self._sent = 0
        self._announced: _Letter | None = (
            None  # its envelope went with the content before it; no answer read yet
        )
        # what must be said before anything else, after a refusal; it has one answer
        self._amends = b""

    def send(self, message: Mail) -> Outcome:
        single = _Single(message)
        self.work(single)
        return single.outcome

    def work(self, flow: Flow[Mail]) -> None:
        following: _Letter | None = None  # its envelope goes with the content of `letter`
        try:
            letter = self._next(flow, wait=True)
            while letter:
                # written while the server is busy with `letter`: then nobody waits for anybody
                after = None
                outcome = self._open(letter)
                if isinstance(outcome, Wire):
                    wire = outcome
                    overlap = self._may_overlap(wire)
                    if overlap and following is None:
                        following = self._next(flow, wait=False)
                    flow.leaving(letter.mail)
                    along = None
                    if overlap:
                        along = following
                    cut = self._hand_over(wire, letter, along)
                    if following and not cut:
                        after = self._next(flow, wait=False)
                        if not wire.speaks_within(LONELY_SECONDS):
                            # their contents are not out: another connection may be faster than this
                            # server
                            self._give_back(flow, after, following)
                            following = after = None
                    outcome = cut or self._answer(
                        wire, drop=following is None and self._announced is not None
                    )
                flow.ended(letter.mail, outcome)
                if outcome.result is Result.ACCOUNT:  # they would fare no better
                    self._give_back(flow, after, following)
                    following = after = None
                    if self._announced:  # its envelope is out, and its content won't come
                        self._drop()
                letter = following or self._next(flow, wait=True)
                following = after
        except (
            BaseException
        ):  # the server may be waiting for content; whoever comes next must not talk into that
            self._drop()
            raise

    def _give_back(self, flow: Flow[Mail], *letters: _Letter | None) -> None:
        for letter in letters:
            if letter:
                flow.give_back(letter.mail)

    def close(self) -> None:
        if self._wire is not None:
            self._wire.quit(self._amends)
            self._drop()

    # ---- connection
    def _connect(self) -> Wire | Outcome:
        """The connection, or why there is none: that is nothing about the recipient,
        so nothing is charged.
        """
        settings = self._settings
        security = self._settings.get("security", "none")
        if security != "none" and not self._tls:
            self._tls = ssl.create_default_context()  # reads the certificates of the system: slow
        tls = None
        if security == "tls":
            tls = self._tls
        try:
            wire = Wire(
                self._host,
                self._port,
                timeout=self._timeout,
                tls=tls,
            )
            self._wire = wire
            self._sent = 0
            wire.greet()
            if security == "starttls" and self._tls:
                wire.start_tls(self._tls)
            if settings.get("username"):
                wire.log_in(str(settings["username"]), str(settings.get("password") or ""))
        except Unwilling as error:
            return self._account_fault(f"{self._where} {error}")
        except OSError as error:
            why = getattr(error, "strerror", None) or error or type(error).__name__
            return self._account_fault(f"{self._where} can't be reached: {why}")
        return wire

    def _account_fault(self, detail: str) -> Outcome:
        self._drop()
        return Outcome(Result.ACCOUNT, detail, charged=False)

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.close()
        self._wire = None
        self._announced = None
        self._amends = b""

    def _may_overlap(self, wire: Wire) -> bool:
        return wire.pipelining and self._sent + 1 < self._most

    # ---- one message
    def _next(self, flow: Flow[Mail], *, wait: bool) -> _Letter | None:
        while (mail := flow.take(wait=wait)) is not None:
            try:
                return self._letter(mail)
            except (BadHeader, ValueError) as error:
                flow.ended(
                    mail, Outcome(Result.PERMANENT_CONTENT, f"The mail can't be written: {error}")
                )
        return None

    def _letter(self, mail: Mail) -> _Letter:
        content = as_bytes(mail)
        if self._signer:
            content = self._signer.sign(content)
        recipient = envelope(mail.to)
        return _Letter(
            mail,
            mail.return_path.encode() or _return_path(mail.sender),
            recipient.encode(),
            content,
            not recipient.isascii(),
            not content.isascii(),
        )

    def _open(self, letter: _Letter) -> Wire | Outcome:
        """The connection on which the server waits for its content, or how it ended before that."""
        wire = self._wire
        if wire and self._announced is not letter:
            if self._sent >= self._most:
                self.close()
            elif wire.spoke_unasked:  # mostly 421: it has waited long enough
                self._drop()
        if wire := self._wire:
            try:
                return self._announce(wire, letter) or wire
            except (
                _Gone
            ):  # a kept connection may have been closed by the server: then nothing was said on it
                self._drop()
        opened = self._connect()
        if isinstance(opened, Outcome):
            return opened
        try:
            return self._announce(opened, letter) or opened
        except _Gone as gone:
            self._drop()
            return gone.outcome

    def _announce(self, wire: Wire, letter: _Letter) -> Outcome | None:
        """MAIL, RCPT and DATA, unless they are on their way already,
        and what the server says to them.

        Raises _Gone where nothing was learned about the message.
        """
        writes: list[bytes] = []
        steps: tuple[tuple[str, Container[int]], ...] = _ENVELOPE
        if self._announced is not letter:
            commands = self._commands(wire, letter)
            if isinstance(commands, Outcome):
                return commands
            steps = (*_AMENDS[self._amends], *_ENVELOPE)
            commands = self._amends + commands
            if wire.pipelining:
                writes = [commands]
            else:
                writes = commands.splitlines(keepends=True)
        self._announced = None
        self._amends = b""
        agreed: list[str] = []
        refused: Outcome | None = None
        stage = ""
        try:
            for stage, good in steps:
                if writes:
                    wire.write(writes.pop(0))
                answer = wire.answer()
                if answer[0] in good and answer[0] != 421:
                    agreed.append(stage)
                    continue
                refused = refused or _refused(stage, answer)
                if stage == "RSET" or (stage == "MAIL" and answer[0] == 421):
                    raise _Gone(refused)
                if not _goes_on(answer):
                    self._drop()
                    return refused
                if not wire.pipelining:
                    break
        except OSError as error:
            self._drop()
            if refused:
                return refused
            if stage in ("RSET", "MAIL"):
                fault = f"{self._where} closed the connection before the first command."
                raise _Gone(self._account_fault(fault)) from error
            return Outcome(
                Result.TRANSIENT, f"{self._where} broke off at {stage}: {error}", charged=False
            )
        if refused:
            self._make_amends(agreed)
        elif (
            wire.spoke_unasked
        ):  # its answers and our commands are out of step: the next yes may not be for this mail
            self._drop()
            return Outcome(
                Result.TRANSIENT, f"{self._where} answered what was not asked.", charged=False
            )
        return refused

    def _make_amends(self, agreed: list[str]) -> None:
        """What ends a transaction that was refused.

        It goes with what is said next, so it costs no round trip.

        RFC 2920 3.1: a server may answer 354 though it refused the recipient, and now waits for
        content. It gets a lone dot; as nobody is left to get that mail, whatever it answers is
        ignored. If it refused the sender and took the recipient, the dot could make an empty mail:
        then the connection ends here, and with it the transaction.
        """
        if "DATA" not in agreed:
            self._amends = _RSET
        elif "RCPT" not in agreed:
            self._amends = _LONE_DOT
        else:
            self._drop()

    def _commands(self, wire: Wire, letter: _Letter) -> bytes | Outcome:
        """The envelope as this server wants it, or what it can't take."""
        options = b""
        if letter.needs_utf8:
            if "SMTPUTF8" not in wire.offers:
                return Outcome(
                    Result.PERMANENT_RECIPIENT,
                    f"The address {letter.mail.to} has letters outside ASCII before the @, and"
                    f" {self._where} does not offer SMTPUTF8 (RFC 6531), which it needs.",
                )
            options = b" SMTPUTF8"
        # only where it is true: a relay that must turn 8 bits into 7 for the next one breaks the
        # signature
        if letter.needs_8bit and "8BITMIME" in wire.offers:
            options += b" BODY=8BITMIME"
        if wire.largest is not None:
            size = len(letter.content)
            if 0 < wire.largest < size:
                return Outcome(
                    Result.PERMANENT_CONTENT,
                    f"The mail has {size} bytes and {self._where} takes at most {wire.largest}."
                    " Make it smaller.",
                )
            options += b" SIZE=%d" % size
        return b"MAIL FROM:<%b>%b\r\nRCPT TO:<%b>\r\nDATA\r\n" % (
            letter.sender,
            options,
            letter.recipient,
        )

    def _hand_over(self, wire: Wire, letter: _Letter, following: _Letter | None) -> Outcome | None:
        """The content and behind it the envelope of the following one;
        how it ended if it could not be said whole.
        """
        envelope: bytes | Outcome = b""
        if following:
            envelope = self._commands(wire, following)
        if isinstance(envelope, Outcome):
            envelope = b""
        elif envelope:
            self._announced = following
        try:
            wire.write(b"".join((letter.content, _LONE_DOT, envelope)))
        except CutShort as cut:
            if cut.taken < len(letter.content) + len(
                _LONE_DOT
            ):  # the final dot never left: safe to try again
                self._drop()
                return Outcome(
                    Result.TRANSIENT, f"{self._where} broke off at body: {cut}", charged=False
                )
        return None

    def _answer(self, wire: Wire, *, drop: bool) -> Outcome:
        """What the server says to the content.

        `drop`: it waits for another content that won't come.
        """
        try:
            answer = wire.answer(self._dot_timeout)
        except OSError as error:
            self._drop()
            return Outcome(
                Result.IN_DOUBT, f"{self._where} got the whole mail and did not answer: {error}"
            )
        if drop or (answer[0] != 250 and not _goes_on(answer)):
            self._drop()
        if answer[0] == 250:
            self._sent += 1
            words = said(answer)
            return Outcome(Result.ACCEPTED, words, provider_id=words[4:])
        return _refused("dot", answer)


def _goes_on(answer: Answer) -> bool:
    """A refusal after which the connection lives. 421 closes it; an answer that is no answer:
    don't go on talking.
    """
    return 400 <= answer[0] <= 599 and answer[0] != 421


def _refused(stage: str, answer: Answer) -> Outcome:
    """Meaning of a refusal; 421 closes the connection and is nobody's fault."""
    words = said(answer)
    place = stage
    if stage == Stage.DOT:
        place = "the end of the mail"
    detail = f"{words} (at {place})"
    if _goes_on(answer):
        about = Stage.MAIL
        if stage in (Stage.RCPT, Stage.DATA, Stage.DOT):
            about = Stage(stage)
        return refusal(words, stage=about, detail=detail)
    if answer[0] != 421 and stage == Stage.DOT:
        return Outcome(Result.IN_DOUBT, detail)
    if used_up(words):
        return Outcome(Result.ACCOUNT, detail, charged=False)
    return Outcome(Result.TRANSIENT, detail, charged=False)

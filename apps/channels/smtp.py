"""Any SMTP server: one message after another on a connection that is kept (RFC 5321)."""

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any

from apps.channels.contract import BadSettings, Mail, Outcome, Provider, Result, Session, Setting
from apps.channels.dkim import BadKey, Signer
from apps.channels.mime import BadHeader, as_bytes, envelope, needs_smtputf8

SECURITY = (("none", "None"), ("starttls", "STARTTLS"), ("tls", "TLS from the start"))
_BARE_NEWLINE = re.compile(rb"(?:\r\n|\n|\r(?!\n))")
_LEADING_DOT = re.compile(rb"(?m)^\.")


class Smtp(Provider):
    key = "smtp"
    channel = "email"
    label = "SMTP server"
    settings = (
        Setting("host", "Host", required=True, help="For example smtp.example.com"),
        Setting("port", "Port", kind="integer", default=587, required=True),
        Setting("security", "Encryption", kind="choice", default="starttls", options=SECURITY),
        Setting("username", "User name"),
        Setting("password", "Password", kind="secret"),
        Setting("sender", "From", required=True, help="For example News <news@example.com>"),
        Setting("timeout", "Seconds to wait for each answer", kind="integer", default=60),
        Setting(
            "per_connection",
            "Messages per connection",
            kind="integer",
            default=500,
            help="Some servers close a connection after so many.",
        ),
        Setting(
            "dkim_selector", "DKIM selector", help="The name before ._domainkey in your DNS; empty = not signed here"
        ),
        Setting("dkim_key", "DKIM private key", kind="secret", help="PEM, RSA (2048 bits or more) or Ed25519"),
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "SmtpSession":
        if not settings.get("host"):
            raise BadSettings("The SMTP account has no host. Enter the server's name, for example smtp.example.com.")
        if int(settings.get("port") or 25) > 65535:
            raise BadSettings(f"There is no port {settings['port']}. Mail servers mostly listen on 587, 465 or 25.")
        if settings.get("security", "none") not in dict(SECURITY):
            raise BadSettings(f"Encryption {settings['security']!r} is not one of: {', '.join(dict(SECURITY))}.")
        sender = parseaddr(str(settings.get("sender", "")))[1]
        try:
            ready = envelope(sender).isascii()
        except UnicodeError:  # a domain that IDNA can't write
            ready = False
        if not ready or "@" not in sender:
            raise BadSettings(
                f"The From address “{sender}” can't be used: it needs a domain, and plain letters before the @."
            )
        return SmtpSession(settings, _signer(settings))


def _signer(settings: Mapping[str, Any]) -> Signer | None:
    selector, key = settings.get("dkim_selector"), settings.get("dkim_key")
    if not selector and not key:
        return None
    if not selector or not key:
        raise BadSettings("DKIM needs both its selector and its private key. Fill in the other one, or empty both.")
    domain = parseaddr(str(settings.get("sender", "")))[1].rpartition("@")[2]
    try:
        return Signer(domain=domain, selector=selector, key=key)
    except (BadKey, UnicodeError) as error:
        raise BadSettings(str(error)) from error


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {' '.join(words.split())}"[:500]


class SmtpSession(Session[Mail]):
    """Each step of the conversation is its own, so that an answer is charged to what it was about."""

    def __init__(self, settings: Mapping[str, Any], signer: Signer | None) -> None:
        self._settings = settings
        self._signer = signer
        self._where = f"{settings['host']}:{settings.get('port') or 25}"
        self._smtp: smtplib.SMTP | None = None
        self._sent = 0

    # ---- connection
    def _connect(self) -> smtplib.SMTP | Outcome:
        """The connection, or why there is none: that is nothing about the recipient, so nothing is charged."""
        settings = self._settings
        timeout = float(settings.get("timeout") or 60)
        security = settings.get("security", "none")
        host, port = settings["host"], int(settings.get("port") or 25)
        try:
            if security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout, context=ssl.create_default_context())
            else:
                smtp = smtplib.SMTP(host, port, timeout=timeout)
            self._smtp = smtp
            smtp.ehlo_or_helo_if_needed()
            if security == "starttls":
                smtp.starttls(context=ssl.create_default_context())
                smtp.ehlo()
            if settings.get("username"):
                smtp.login(str(settings["username"]), str(settings.get("password") or ""))
        except smtplib.SMTPAuthenticationError as error:
            return self._account_fault(
                f"{self._where} refused user name and password: {_said(error.smtp_code, error.smtp_error)}"
            )
        except smtplib.SMTPNotSupportedError as error:
            return self._account_fault(f"{self._where}: {error} Check the encryption and the user name.")
        except smtplib.SMTPResponseException as error:
            return self._account_fault(f"{self._where} refused us: {_said(error.smtp_code, error.smtp_error)}")
        except (OSError, smtplib.SMTPException, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error or type(error).__name__
            return self._account_fault(f"{self._where} can't be reached: {why}")
        self._sent = 0
        return smtp

    def _account_fault(self, detail: str) -> Outcome:
        self._drop()
        return Outcome(Result.ACCOUNT, detail[:500], charged=False)

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    def close(self) -> None:
        if self._smtp is not None:
            try:
                self._smtp.quit()
            except (OSError, smtplib.SMTPException):
                self._drop()
            self._smtp = None

    # ---- one message
    def send(self, message: Mail) -> Outcome:
        try:
            content = as_bytes(message)
            if self._signer:
                content = self._signer.sign(content)
        except (BadHeader, ValueError) as error:
            return Outcome(Result.PERMANENT_CONTENT, f"The mail can't be written: {error}"[:500])
        if self._smtp is not None and self._sent >= int(self._settings.get("per_connection") or 500):
            self.close()
        outcome = None
        if self._smtp is not None:  # a kept connection may have been closed by the server: then nothing was said on it
            outcome = self._converse(self._smtp, message, content)
        if outcome is None:
            smtp = self._connect()
            if isinstance(smtp, Outcome):
                return smtp
            outcome = self._converse(smtp, message, content)
        return outcome or self._account_fault(f"{self._where} closed the connection before the first command.")

    def _converse(self, smtp: smtplib.SMTP, mail: Mail, content: bytes) -> Outcome | None:
        """None if the connection was gone before our first command got through."""
        options = []
        if smtp.has_extn("8bitmime"):
            options.append("BODY=8BITMIME")
        if needs_smtputf8(mail.to):
            if not smtp.has_extn("smtputf8"):
                return Outcome(
                    Result.PERMANENT_RECIPIENT,
                    f"The address {mail.to} has letters outside ASCII before the @, and {self._where} "
                    "does not offer SMTPUTF8 (RFC 6531), which it needs.",
                )
            options.append("SMTPUTF8")
            smtp.command_encoding = "utf-8"
        else:
            smtp.command_encoding = "ascii"
        if smtp.has_extn("size"):
            options.append(f"size={len(content)}")
        stage = "MAIL"
        try:
            code, text = smtp.mail(envelope(parseaddr(mail.sender)[1]), options)
            if code != 250:
                return self._refused(stage, code, text)
            stage = "RCPT"
            code, text = smtp.rcpt(envelope(mail.to))
            if code not in (250, 251):
                return self._refused(stage, code, text)
            stage = "DATA"
            code, text = smtp.docmd("DATA")
            if code != 354:
                return self._refused(stage, code, text)
            stage = "body"
            # if this raises, the kernel did not take all bytes, so the final dot never left: safe to try again
            smtp.send(_LEADING_DOT.sub(b"..", _BARE_NEWLINE.sub(b"\r\n", content)) + b".\r\n")
            stage = "dot"
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            if stage == "MAIL" and isinstance(error, smtplib.SMTPServerDisconnected | ConnectionError):
                return None
            if stage == "dot":
                what = "time-out" if isinstance(error, TimeoutError | socket.timeout) else str(error)
                return Outcome(Result.IN_DOUBT, f"{self._where} got the whole mail and did not answer: {what}"[:500])
            return Outcome(Result.TRANSIENT, f"{self._where} broke off at {stage}: {error}"[:500], charged=False)
        if code != 250:
            return self._refused(stage, code, text)
        self._sent += 1
        said = _said(code, text)
        return Outcome(Result.ACCEPTED, said, provider_id=said[4:][:255])

    def _refused(self, stage: str, code: int, text: bytes) -> Outcome:
        """RFC 5321 4.2.1: 4yz may work later, 5yz never will; 421 closes the connection and is nobody's fault."""
        detail = f"{_said(code, text)} (at {'the end of the mail' if stage == 'dot' else stage})"[:500]
        if code == 421 or not 400 <= code <= 599:  # an answer that is no answer: don't go on talking to it
            self._drop()
            if stage == "dot" and code != 421:
                return Outcome(Result.IN_DOUBT, detail)
            return Outcome(Result.TRANSIENT, detail, charged=False)
        try:
            if self._smtp is not None:
                self._smtp.rset()
        except (OSError, smtplib.SMTPException):
            self._drop()
        if code < 500:
            return Outcome(Result.TRANSIENT, detail, charged=stage in ("RCPT", "dot"))
        if stage == "MAIL" and code not in (552, 554):  # our sender is refused: no other recipient would fare better
            return Outcome(Result.ACCOUNT, detail, charged=False)
        return Outcome(Result.PERMANENT_RECIPIENT if stage == "RCPT" else Result.PERMANENT_CONTENT, detail)

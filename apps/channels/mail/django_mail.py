"""Any of Django's email backends (console, file, or a third party's), one message per call."""

import smtplib
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formataddr
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.message import BadHeaderError
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.blame import Stage, refusal
from apps.channels.contract import BadSettings, Outcome, Provider, Result, Session, Setting
from apps.channels.mail.mime import envelope, needs_smtputf8
from apps.channels.mail.sender import FROM, sender_of
from apps.channels.messages import Mail


class DjangoMail(Provider):
    key = "django_mail"
    channel = "email"
    label = "Django email backend"
    settings = (
        Setting(
            "backend",
            _("Backend"),
            default="django.core.mail.backends.smtp.EmailBackend",
            required=True,
            help=_("Dotted path of the class; it reads Django's own EMAIL_… settings."),
        ),
        *FROM,
    )

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "DjangoMailSession":
        sender_of(settings)
        try:
            return DjangoMailSession(get_connection(settings["backend"]))
        except (ImportError, KeyError) as error:
            said = gettext("There is no email backend {backend!r}: {error}.")
            backend = settings.get("backend")
            raise BadSettings(said.format(backend=backend, error=error)) from error


class DjangoMailSession(Session[Mail]):
    """One message per `send_messages`: given several, Django does not tell which of them failed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def send(self, message: Mail) -> Outcome:
        if needs_smtputf8(message.to):
            # Django 5.2 rewrites such a local part into an encoded word,
            # which is somebody else's mailbox.
            return Outcome(
                Result.PERMANENT_RECIPIENT,
                f"Django's email backends can't write to {message.to}: it has letters outside"
                " ASCII before the @.",
            )
        mail = EmailMultiAlternatives(
            message.subject,
            message.text,
            formataddr((message.sender.name, envelope(message.sender.address))),
            [formataddr((message.to_name, envelope(message.to)))],
            headers={**message.headers, "Message-ID": message.message_id},
            connection=self._connection,
        )
        if message.html:
            mail.attach_alternative(str(message.html), "text/html")
        try:
            opened = self._connection.open()
        except OSError as error:  # smtplib's own errors, too: nothing was said about a mail yet
            self.close()
            return Outcome(
                Result.ACCOUNT, f"The mail server can't be used: {error}"[:500], charged=False
            )
        try:
            return self._sent(mail)
        finally:
            if opened:
                self.close()

    def _sent(self, mail: EmailMultiAlternatives) -> Outcome:
        try:
            sent = self._connection.send_messages([mail])
        except BadHeaderError as error:
            return Outcome(Result.PERMANENT_CONTENT, str(error)[:500])
        except smtplib.SMTPRecipientsRefused as error:
            code, text = next(iter(error.recipients.values()))
            return refusal(_said(code, text), stage=Stage.RCPT)
        except smtplib.SMTPSenderRefused as error:
            return refusal(_said(error.smtp_code, error.smtp_error), stage=Stage.MAIL)
        except smtplib.SMTPResponseException as error:
            return refusal(_said(error.smtp_code, error.smtp_error), stage=Stage.DOT)
        except smtplib.SMTPServerDisconnected as error:
            return Outcome(Result.IN_DOUBT, str(error)[:500])
        except OSError as error:
            return Outcome(
                Result.ACCOUNT, f"The mail server can't be reached: {error}"[:500], charged=False
            )
        if sent:
            return Outcome(Result.ACCEPTED)
        return Outcome(Result.TRANSIENT, "The backend sent nothing.")

    def close(self) -> None:
        """Close the backend's connection, if it has one."""
        with suppress(OSError):
            self._connection.close()


def _said(code: int, words: bytes | str) -> str:
    """An answer in one line."""
    if isinstance(words, bytes):
        words = words.decode("utf-8", "replace")
    return f"{code} {' '.join(words.split())}"

"""Reports in the forms of mail systems, with nobody's names; and ordinary mails."""

import base64
from collections.abc import Iterator

OURS = "bounce+x@news.example.com"
HEAD = "From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\nTo: " + OURS + "\n"
ANNA = "anna@example.org"


def dsn(*fields: str, action: str = "failed", words: str = "It was not delivered.") -> bytes:
    """A delivery status notification (RFC 3464) about Anna, with more fields."""
    block = "\n".join((f"Final-Recipient: rfc822; {ANNA}", f"Action: {action}", *fields))
    return f"""{HEAD}Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain

{words}

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

{block}

--b1
Content-Type: message/rfc822

From: News <news@example.com>
To: {ANNA}
Subject: Our week

Hello.
--b1--
""".encode()


def encoded(raw: bytes, kind: str) -> bytes:
    """The mail with its part of that kind in base64."""
    before, sign, rest = raw.partition(f"Content-Type: {kind}\n\n".encode())
    part, border, after = rest.partition(b"\n--b")
    assert sign
    assert border
    head = sign[:-1] + b"Content-Transfer-Encoding: base64\n\n"
    return before + head + base64.encodebytes(part) + border + after


def diagnosed(said: str, status: str = "5.0.0") -> bytes:
    return dsn(f"Status: {status}", f"Diagnostic-Code: smtp; {said}")


def in_words(text: str, *, subject: str = "failure notice", head: str = HEAD) -> bytes:
    """A bounce that only says in words what happened."""
    return f"{head}Subject: {subject}\n\n{text}\n".encode()


COPY = """
--- Below this line is a copy of the message.

Return-Path: <news@example.com>
From: News <news@example.com>
To: anna@example.org
Subject: Our week
"""

# What each report is, and of the first recipient: hard, whose fault.
REPORTS: dict[str, tuple[bytes, str]] = {
    "nobody there": (
        diagnosed("550 5.1.1 <anna@example.org>: User unknown", "5.1.1"),
        "hard recipient",
    ),
    "words before a vague code": (diagnosed("550 No such user here"), "hard recipient"),
    "moved": (diagnosed("551 5.1.6 no longer on this server", "5.1.6"), "hard recipient"),
    "no such domain": (
        diagnosed(
            "Host or domain name not found. Name service error for name=example.org type=A:"
            " Host not found",
            "5.4.4",
        ),
        "hard recipient",
    ),
    "takes no mail": (diagnosed("556 5.1.10 Recipient has null MX", "5.1.10"), "hard recipient"),
    "Exchange Online": (
        diagnosed("550 5.4.1 Recipient address rejected: Access denied. [AM0.example]", "5.4.1"),
        "hard recipient",
    ),
    "full": (diagnosed("552 5.2.2 Mailbox full", "5.2.2"), "soft recipient"),
    "full, said of a user that is there": (
        diagnosed("550 5.1.1 mailbox anna is over quota temporarily"),
        "soft recipient",
    ),
    "switched off": (diagnosed("550 5.2.1 The account is disabled", "5.2.1"), "soft recipient"),
    "too large": (diagnosed("552 5.3.4 Message too big for system", "5.3.4"), "soft content"),
    "a virus": (diagnosed("550 5.7.0 Virus detected", "5.7.0"), "soft content"),
    "a list of senders": (
        diagnosed("554 5.7.1 Client host rejected: blocked using bl.example.net", "5.7.1"),
        "soft domain",
    ),
    "a DMARC policy": (
        diagnosed("550-5.7.26 Unauthenticated email is not accepted due to domain's DMARC policy"),
        "soft domain",
    ),
    "no connection": (
        diagnosed("connect to mx.example.org[192.0.2.1]:25: Connection timed out", "4.4.1"),
        "soft domain",
    ),
    "our sender": (diagnosed("501 5.1.8 Sender address rejected", "5.1.8"), "soft account"),
    "the domain of our sender": (
        diagnosed("553 5.1.8 Domain of sender address news@example.com does not exist"),
        "soft account",
    ),
    "a mailbox for some, tried in vain": (
        diagnosed("450 4.1.1 <anna@example.org>: User unknown in virtual alias table", "4.1.1"),
        "soft recipient",
    ),
    "without words": (
        dsn("Status: 5.1.1", words="550 5.1.1 <anna@example.org>... User unknown"),
        "hard recipient",
    ),
    "its status in words": (
        dsn("Status: 5.1.10 (host/domain does not accept mail)"),
        "hard recipient",
    ),
    "Domino": (
        in_words(
            "because: User anna (anna@example.org) not listed in Domino Directory",
            subject="DELIVERY FAILURE",
        ),
        "hard recipient",
    ),
    "qmail": (
        in_words(
            "Hi. This is the qmail-send program at mx.example.net.\n\n<anna@example.org>:\n"
            "192.0.2.7 does not like recipient.\nRemote host said: 550 5.1.1 No such mailbox\n"
            "Giving up on 192.0.2.7.\n" + COPY
        ),
        "hard recipient",
    ),
    "Exim": (
        in_words(
            "This message was created automatically by mail delivery software.\nThe following"
            " address failed:\n\n  anna@example.org\n    retry timeout exceeded\n",
            head=HEAD + "X-Failed-Recipients: anna@example.org\n",
        ),
        "soft domain",
    ),
    "Postfix, in one part": (
        in_words(
            "For further assistance, please contact <postmaster@mx.example.net>\n\n"
            "<anna@example.org>: host mx[192.0.2.2] said: 550 <anna@example.org>: User unknown"
            "\n    (in reply to RCPT TO command)\n" + COPY
        ),
        "hard recipient",
    ),
    "a report whose boundary is lost": (
        in_words(
            "Reporting-MTA: dsn; mx.example.net\n\nFinal-Recipient: rfc822; anna@example.org\n"
            "Action: failed\nDiagnostic-Code: smtp; 550 5.2.2 Mailbox Full\nStatus: 5.2.2\n"
        ),
        "soft recipient",
    ),
}

LATE = dsn("Status: 4.4.7", "Diagnostic-Code: smtp; 451 Try again later", action="delayed")
LATE_IN_WORDS = in_words(
    "THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.\n\n"
    "  anna@example.org\n\nMessage will be retried for 2 more days",
    subject="Delivery Status Notification (Delay)",
)
ARRIVED = dsn("Status: 2.1.5", action="delivered")

COMPLAINT = f"""From: <fbl@mail.example.net>
To: abuse@example.com
Subject: FW: Our week
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b2"

--b2
Content-Type: text/plain

This is an abuse report.

--b2
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Example/1.0
Version: 1
Original-Rcpt-To: {ANNA}

--b2
Content-Type: message/rfc822

From: News <news@example.com>
To: {ANNA}
Subject: Our week
Message-ID: <0@example.com>

Hello.
--b2--
""".encode()

PERSON = "From: Boris <boris@example.org>\nTo: news@example.com\n"
AUTO_REPLIES = (
    PERSON.encode()
    + b"Subject: Automatic reply: Our week\n\nI am away. Write to anna@example.org.\n",
    PERSON.encode() + b"Subject: Away\nAuto-Submitted: auto-replied\n\nBack on Monday, room 550.\n",
    PERSON.encode() + b"Subject: Thank you\nX-Autoreply: yes\n\nWe got your mail.\n",
    # a postmaster who lets a program answer, without a word that can be relied on
    b"From: postmaster@example.org\nTo: bounce+x@news.example.com\nAuto-Submitted: auto-replied\n"
    b"Subject: Your mail\n\nYour message was rejected: anna@example.org\n",
)

_SUBJECTS = (
    "Lunch", "Re: Our week", "Order 550 is on its way", "Warning: could not send?", "Invoice 5.1.1",
    "Re: Undelivered Mail Returned to Sender", "Fwd: Delivery Status Notification (Failure)",
    "Mail delivery failed again", "Delivery report for May", "Newsletter: 5 mailboxes compared",
)  # fmt: skip
_BODIES = (
    "See you at noon.",
    "My mailbox was full yesterday, anna@example.org works again.",
    "> 550 5.1.1 <anna@example.org>: User unknown\n\nCan you tell me what this means?",
    "The user does not exist in our shop. Ask boris@example.org.",
    "Final call: 552 seats, 4.5.0 release, write to anna@example.org.",
)
_FROM = (
    "Boris <boris@example.org>", "Delivery Hero <orders@example.net>",
    "Returns <returns@shop.example>", '"Mail, Selma" <selma@example.org>',
)  # fmt: skip


def ordinary_mails() -> Iterator[bytes]:
    """200 mails as people and shops write them, some of which speak of bounces."""
    for sender in _FROM:
        for subject in _SUBJECTS:
            for body in _BODIES:
                head = f"From: {sender}\nTo: news@example.com\nSubject: {subject}\n"
                yield f"{head}Return-Path: <boris@example.org>\n\n{body}\n".encode()

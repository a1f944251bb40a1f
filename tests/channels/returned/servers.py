"""Reports in the published forms of mail servers and providers that the rules were not made on:
written from their documentation and from what operators quote, with nobody's names.
"""

from tests.channels.returned.letters import ANNA, COPY

TO = "bounce+x@news.example.com"


def report(
    sender: str, subject: str, words: str, fields: str, *, mta: str = "dns; mx.example.net"
) -> bytes:
    """A report of parts (RFC 3462) by a server of this name."""
    return f"""From: {sender}
To: {TO}
Subject: {subject}
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"

--=_b
Content-Type: text/plain; charset=utf-8

{words}

--=_b
Content-Type: message/delivery-status

Reporting-MTA: {mta}

{fields}

--=_b
Content-Type: text/rfc822-headers

From: News <news@example.com>
To: {ANNA}
Subject: Our week

--=_b--
""".encode()


def plain(sender: str, subject: str, words: str, *, more: str = "") -> bytes:
    """A report in words alone."""
    return f"From: {sender}\nTo: {TO}\nSubject: {subject}\n{more}\n{words}\n".encode()


def fields(status: str, said: str, *, action: str = "failed", more: str = "") -> str:
    final = f"Final-Recipient: rfc822;{ANNA}\nAction: {action}\nStatus: {status}\n{more}"
    if said:
        return f"{final}Diagnostic-Code: smtp;{said}"
    return final.rstrip("\n")


def exchange(status: str, said: str, words: str) -> bytes:
    return report(
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.org>",
        "Undeliverable: Our week",
        words,
        fields(status, said),
        mta="dns;AM0PR01MB0001.eurprd01.prod.example",
    )


def google(status: str, said: str, words: str) -> bytes:
    return report(
        "Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
        "Delivery Status Notification (Failure)",
        words,
        fields(status, said, more="Remote-MTA: dns; mx.example.org. (192.0.2.7, the server)\n"),
        mta="dns; googlemail.com",
    )


def postfix(status: str, said: str) -> bytes:
    words = f"""This is the mail system at host mx.example.net.

I'm sorry to have to inform you that your message could not
be delivered to one or more recipients. It's attached below.

For further assistance, please send mail to postmaster.

                   The mail system

<{ANNA}>: host mx.example.org[192.0.2.25] said:
    {said} (in reply to RCPT TO command)"""
    return report(
        "MAILER-DAEMON@mx.example.net (Mail Delivery System)",
        "Undelivered Mail Returned to Sender",
        words,
        fields(status, said),
    )


def qmail(said: str, *, name: str = "qmail-send program at mx.example.net") -> bytes:
    return plain(
        "MAILER-DAEMON@mx.example.net",
        "failure notice",
        f"""Hi. This is the {name}.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{ANNA}>:
{said}
{COPY}""",
    )


def exim(said: str) -> bytes:
    return plain(
        "Mail Delivery System <Mailer-Daemon@mx.example.net>",
        "Mail delivery failed: returning message to sender",
        f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {ANNA}
    {said}

------ This is a copy of the message, including all the headers. ------

Return-path: <news@example.com>
From: News <news@example.com>
""",
        more=f"X-Failed-Recipients: {ANNA}\nAuto-Submitted: auto-replied\n",
    )


def sendmail(said: str, status: str, *, transcript: str = "") -> bytes:
    if not transcript:
        talk = f">>> RCPT To:<{ANNA}>\n<<< {said}"
        transcript = f"... while talking to mx.example.org.:\n{talk}"
    words = f"""The original message was received at Tue, 1 Dec 2026 10:00:00 +0100
from news.example.com [192.0.2.1]

   ----- The following addresses had permanent fatal errors -----
<{ANNA}>
    (reason: {said})

   ----- Transcript of session follows -----
{transcript}"""
    return report(
        "Mail Delivery Subsystem <MAILER-DAEMON@mx.example.net>",
        "Returned mail: see transcript for details",
        words,
        fields(status, said, more="Remote-MTA: DNS; mx.example.org\n"),
    )


def notes(said: str, status: str = "5.0.0") -> bytes:
    words = f"""Your message

  Subject: Our week

was not delivered to:

  {ANNA}

because:

  {said}"""
    return report(
        "Mail Router <postmaster@notes.example.net>",
        "DELIVERY FAILURE: " + said[:60],
        words,
        fields(status, f"X-Notes; {said}").replace("smtp;X-Notes", "X-Notes"),
        mta="dns;notes.example.net",
    )


# What each is, and of the recipient: hard or soft, and whose fault it is.
SERVERS: dict[str, tuple[bytes, str]] = {
    "Exchange: not found in Exchange Online": (
        exchange(
            "5.1.10",
            "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient anna@example.org not found by"
            " SMTP address lookup",
            "Your message to anna@example.org couldn't be delivered.\nanna wasn't found at"
            " example.org.",
        ),
        "hard recipient",
    ),
    "Exchange: over quota": (
        exchange(
            "5.2.2",
            "554 5.2.2 mailbox full; STOREDRV.Deliver; delivery result banned",
            "The recipient's mailbox is full and can't accept messages now.",
        ),
        "soft recipient",
    ),
    "Exchange: restricted group": (
        exchange(
            "5.7.133",
            "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required;"
            " Delivery restriction check failed because the sender was not authenticated when"
            " sending to this group",
            "The group only accepts messages from people in its organization.",
        ),
        "soft recipient",
    ),
    "Exchange: blocked IP": (
        exchange(
            "5.7.606",
            "550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this"
            " list please visit https://sender.office.com/",
            "The server refused the connection.",
        ),
        "soft domain",
    ),
    "Exchange: message too large": (
        exchange(
            "5.2.3",
            "550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient",
            "The message is too large.",
        ),
        "soft content",
    ),
    "Exchange: loop": (
        exchange(
            "5.4.14",
            "554 5.4.14 Hop count exceeded - possible mail loop ATTR34",
            "A mail loop was detected.",
        ),
        "soft domain",
    ),
    "Google: nobody": (
        google(
            "5.1.1",
            " 550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
            " 550-5.1.1 double-checking the recipient's email address for typos or\n"
            " 550 5.1.1  https://support.google.com/mail/?p=NoSuchUser a1-20si.1 - gsmtp",
            "** Address not found **\n\nYour message wasn't delivered to anna@example.org because"
            " the address couldn't be found.",
        ),
        "hard recipient",
    ),
    "Google: over quota": (
        google(
            "4.2.2",
            " 452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n"
            " 452 4.2.2 recipient to https://support.google.com/mail/?p=OverQuotaTemp x - gsmtp",
            "** Recipient inbox full **",
        ),
        "soft recipient",
    ),
    "Google: disabled": (
        google(
            "5.2.1",
            " 550 5.2.1 The email account that you tried to reach is inactive. For more"
            " information, go to https://support.google.com/mail/?p=DisabledUser y - gsmtp",
            "** Message blocked **",
        ),
        "soft recipient",
    ),
    "Google: domain does not resolve": (
        google(
            "4.0.0",
            "",
            "** Address not found **\n\nYour message wasn't delivered to anna@example.org because"
            " the domain example.org couldn't be found.\n\nThe response was:\n\nDNS Error:"
            " DNS type 'mx' lookup of example.org responded with code NXDOMAIN\nDomain name not"
            " found: example.org",
        ),
        "hard recipient",
    ),
    "Google: unauthenticated": (
        google(
            "5.7.26",
            " 550-5.7.26 Your email has been blocked because the sender is unauthenticated.\n"
            " 550-5.7.26 Gmail requires all senders to authenticate with either SPF or DKIM.\n"
            " 550 5.7.26 z - gsmtp",
            "** Message blocked **",
        ),
        "soft domain",
    ),
    "Postfix: virtual table": (
        postfix(
            "5.1.1",
            "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown in virtual"
            " mailbox table",
        ),
        "hard recipient",
    ),
    "Postfix: verification": (
        postfix(
            "5.1.1",
            "550 5.1.1 <anna@example.org>: Recipient address rejected: undeliverable address: host"
            " lmtp.example.org[private/dovecot-lmtp] said: 550 5.1.1 <anna@example.org> User"
            " doesn't exist: anna@example.org (in reply to RCPT TO command)",
        ),
        "hard recipient",
    ),
    "Postfix: relay": (
        postfix("5.7.1", "554 5.7.1 <anna@example.org>: Relay access denied"),
        "soft account",
    ),
    "Postfix: greylist until the end": (
        postfix("4.2.0", "450 4.2.0 <anna@example.org>: Recipient address rejected: Greylisted"),
        "soft domain",
    ),
    "Postfix: dovecot quota": (
        postfix("5.2.2", "552 5.2.2 <anna@example.org> Quota exceeded (mailbox for user is full)"),
        "soft recipient",
    ),
    "Postfix: spamhaus": (
        postfix(
            "5.7.1",
            "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org;"
            " https://www.spamhaus.org/query/ip/192.0.2.1",
        ),
        "soft domain",
    ),
    "qmail: no mailbox": (
        qmail("Sorry, no mailbox here by that name. (#5.1.1)"),
        "hard recipient",
    ),
    "qmail: remote": (
        qmail(
            "192.0.2.25 does not like recipient.\nRemote host said: 550 5.1.1 unknown or illegal"
            " alias: anna@example.org\nGiving up on 192.0.2.25."
        ),
        "hard recipient",
    ),
    "qmail: no host": (
        qmail("Sorry, I couldn't find any host named example.org. (#5.1.2)"),
        "hard recipient",
    ),
    "qmail: vpopmail quota": (
        qmail("user is over quota"),
        "soft recipient",
    ),
    "qmail: too long in queue": (
        qmail(
            "Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try"
            " again; this message has been in the queue too long."
        ),
        "soft domain",
    ),
    "qmail: inactive": (
        qmail("This address no longer accepts mail."),
        "hard recipient",
    ),
    "Exim: unrouteable": (exim("Unrouteable address"), "hard recipient"),
    "Exim: no such person": (
        exim(
            "SMTP error from remote mail server after RCPT TO:<anna@example.org>:\n    host"
            " mx.example.org [192.0.2.25]: 550 No Such User Here"
        ),
        "hard recipient",
    ),
    "Exim: retry timeout": (
        exim(
            "SMTP error from remote mail server after initial connection:\n    host mx.example.org"
            " [192.0.2.25]: 421 Service not available:\n    retry timeout exceeded"
        ),
        "soft domain",
    ),
    "Exim: mailbox quota": (
        exim("mailbox is full (MTA-imposed quota exceeded while writing to file)"),
        "soft recipient",
    ),
    "Exim: all hosts failed": (
        exim(
            "all hosts for 'example.org' have been failing for a long time (and retry time not"
            " reached)"
        ),
        "soft domain",
    ),
    "Exim: after data": (
        exim(
            "SMTP error from remote mail server after end of data:\n    host mx.example.org"
            " [192.0.2.25]: 550 High probability of spam"
        ),
        "soft content",
    ),
    "sendmail: user unknown": (
        sendmail("550 5.1.1 <anna@example.org>... User unknown", "5.1.1"),
        "hard recipient",
    ),
    "sendmail: host unknown": (
        sendmail(
            "550 Host unknown",
            "5.1.2",
            transcript="550 5.1.2 <anna@example.org>... Host unknown (Name server: example.org:"
            " host not found)",
        ),
        "hard recipient",
    ),
    "sendmail: local mailer": (
        sendmail(
            "can't create (user) output file",
            "5.2.0",
            transcript="procmail: Quota exceeded while writing\n550 5.0.0 <anna@example.org>..."
            " Can't create output",
        ),
        "soft recipient",
    ),
    "sendmail: deferred for days": (
        sendmail(
            "timed out",
            "4.4.7",
            transcript="Deferred: Connection timed out with mx.example.org.\nMessage could not be"
            " delivered for 5 days\nMessage will be deleted from queue",
        ),
        "soft domain",
    ),
    "Notes: not listed": (
        notes("User Anna (anna@example.org) not listed in Domino Directory"),
        "hard recipient",
    ),
    "Notes: no route": (
        notes("No route found to domain example.org from server MX/EXAMPLE. Check DNS settings"),
        "soft domain",
    ),
    "Notes: quota": (
        notes("Cannot route mail to user. Database disk quota exceeded"),
        "soft recipient",
    ),
    "Notes: too many hops": (
        notes("Maximum hop count exceeded. Message probably in a routing loop."),
        "soft domain",
    ),
    "Yandex: nobody": (
        postfix("5.7.1", "550 5.7.1 No such user! 1669880000-AbCdEfGhIj"),
        "hard recipient",
    ),
    "Yandex: policy": (
        postfix(
            "5.7.1",
            "554 5.7.1 Message rejected under suspicion of SPAM; https://ya.cc/1IrBc 1669880000-x",
        ),
        "soft content",
    ),
    "Yandex: in Russian": (
        report(
            "mailer-daemon@yandex.ru",
            "Недоставленное сообщение",
            "Это письмо отправлено почтовым сервером yandex.ru.\n\nК сожалению, мы вынуждены"
            " сообщить Вам о том, что Ваше письмо не может быть отправлено одному или нескольким"
            " адресатам. Технические подробности можно найти ниже.\n\n<anna@example.org>: host"
            " mx.example.org[192.0.2.25] said: 550 5.1.1 <anna@example.org>: Recipient address"
            " rejected: User unknown (in reply to RCPT TO command)",
            fields(
                "5.1.1", "550 5.1.1 <anna@example.org>: Recipient address rejected: User unknown"
            ),
        ),
        "hard recipient",
    ),
    "Mail.ru: nobody": (
        exim(
            "SMTP error from remote mail server after end of data:\n    host mxs.mail.ru"
            " [192.0.2.31]: 550 Message was not accepted -- invalid mailbox.  Local mailbox"
            " anna@example.org is unavailable: user not found"
        ),
        "hard recipient",
    ),
    "Mail.ru: terminated": (
        exim(
            "SMTP error from remote mail server after end of data:\n    host mxs.mail.ru"
            " [192.0.2.31]: 550 Message was not accepted -- invalid mailbox.  Local mailbox"
            " anna@example.org is unavailable: user is terminated"
        ),
        "hard recipient",
    ),
    "Mail.ru: full": (
        exim(
            "SMTP error from remote mail server after end of data:\n    host mxs.mail.ru"
            " [192.0.2.31]: 550 Message was not accepted -- invalid mailbox.  Local mailbox"
            " anna@example.org is unavailable: mailbox is full (Mailbox storage is full)"
        ),
        "soft recipient",
    ),
    "Mail.ru: spam": (
        exim(
            "SMTP error from remote mail server after end of data:\n    host mxs.mail.ru"
            " [192.0.2.31]: 550 spam message rejected. Please visit"
            " https://help.mail.ru/notspam-support/id?c=x or report details to abuse"
        ),
        "soft content",
    ),
    "GMX: nobody": (
        plain(
            "GMX Mailer Daemon <mailer-daemon@gmx.example>",
            "Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\nA message that"
            " you sent could not be delivered to one or more of\nits recipients. This is a"
            " permanent error. The following address\nfailed:\n\nanna@example.org:\nSMTP error"
            " from remote server for RCPT TO command, host: mx00.gmx.example (192.0.2.4) reason:"
            " 550 Requested action not taken: mailbox unavailable\n\n--- The header of the original"
            " message is following. ---\n\nReceived: from x\n",
        ),
        "hard recipient",
    ),
    "GMX: full": (
        plain(
            "Mailer Daemon <mailer-daemon@gmx.example>",
            "Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\nA message that"
            " you sent could not be delivered to one or more of\nits recipients. This is a"
            " permanent error. The following address\nfailed:\n\nanna@example.org:\nSMTP error"
            " from remote server for RCPT TO command, host: mx00.gmx.example (192.0.2.4) reason:"
            " 552 Requested mail action aborted: exceeded storage allocation\nFor explanation visit"
            " https://postmaster.gmx.example/error-messages?ip=192.0.2.1&c=quot\n\n--- The header"
            " of the original message is following. ---\n\nReceived: from x\n",
        ),
        "soft recipient",
    ),
    "GMX: no PTR": (
        postfix(
            "5.0.0",
            "554-gmx.example (mxgmx101) Nemesis ESMTP Service not available 554-No SMTP service"
            " 554-Bad DNS PTR resource record. 554 For explanation visit https://postmaster.gmx",
        ),
        "soft domain",
    ),
    "Orange: nobody": (
        postfix(
            "5.1.1",
            "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient."
            " OFR_416 [416]",
        ),
        "hard recipient",
    ),
    "Orange: full": (
        postfix(
            "5.2.2", "552 5.2.2 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]"
        ),
        "soft recipient",
    ),
    "Orange: too many": (
        postfix(
            "4.0.0",
            "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre"
            " configuration. Too many connections, slow down. OFR004_104 [104]",
        ),
        "soft domain",
    ),
    "Orange: in French": (
        plain(
            "MAILER-DAEMON@orange.example",
            "Échec de la remise de votre message",
            "Votre message n'a pas pu être remis au destinataire suivant :\n\n"
            "<anna@example.org>\n\n550 5.1.1 destinataire inconnu\n",
            more="Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n",
        ),
        "hard recipient",
    ),
    "iCloud: nobody": (
        postfix("5.1.1", "550 5.1.1 unknown or illegal alias: anna@example.org"),
        "hard recipient",
    ),
    "iCloud: full": (
        postfix("5.2.2", "552 5.2.2 <anna@example.org>: user is over quota (in reply to RCPT)"),
        "soft recipient",
    ),
    "iCloud: policy": (
        postfix(
            "5.7.1",
            "550 5.7.1 [CS01] Message rejected due to local policy. Please visit"
            " https://support.apple.com/en-us/HT204137",
        ),
        "soft domain",
    ),
    "Proton: nobody": (
        postfix(
            "5.1.1",
            "550 5.1.1 <anna@example.org>: Recipient address rejected: Address does not exist",
        ),
        "hard recipient",
    ),
    "Proton: full": (
        postfix(
            "5.2.2", "552 5.2.2 <anna@example.org>: Recipient address rejected: Mailbox is full"
        ),
        "soft recipient",
    ),
    "Zoho: nobody": (
        plain(
            "mailer-daemon@mail.zoho.example",
            "Undelivered Mail Returned to Sender",
            "This message was created automatically by mail delivery software.\n A message that you"
            " sent could not be delivered to one or more of its recipients. This is a permanent"
            " error. \n\nanna@example.org Invalid Recipients, ERROR_CODE :550, ERROR_CODE :5.1.1"
            " <anna@example.org>: Email address could not be found, or was misspelled (G8)\n",
        ),
        "hard recipient",
    ),
    "Zoho: policy": (
        plain(
            "mailer-daemon@mail.zoho.example",
            "Undelivered Mail Returned to Sender",
            "This message was created automatically by mail delivery software.\n A message that you"
            " sent could not be delivered to one or more of its recipients. This is a permanent"
            " error. \n\nanna@example.org, ERROR CODE :554 - 5.2.3 MailPolicy violation. Error"
            " delivering to mailboxes\n",
        ),
        "soft content",
    ),
    "OVH: nobody": (
        qmail(
            "user does not exist, but will deliver to /homez.12/vpopmail/domains/example.org/\n"
            "Remote host said: 550 5.1.1 <anna@example.org>: Recipient address rejected: User"
            " unknown",
            name="qmail-send program at mo7.mail-out.ovh.net",
        ),
        "hard recipient",
    ),
    "OVH: full": (
        qmail(
            "mail is undeliverable: mailbox is over quota (#5.2.2)",
            name="qmail-send program at mo7.mail-out.ovh.net",
        ),
        "soft recipient",
    ),
}

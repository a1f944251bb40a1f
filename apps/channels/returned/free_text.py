"""Bounces that are told in words: whether a mail is one, of whom it speaks, and what it says."""

import re
from email.message import Message

from flufl.bounce import all_failures

from apps.channels.returned.mail_parts import MailParts

_DAEMON = re.compile(
    r"mailer-?_?daemon|post_?master|mail ?(delivery|er) (sub)?system|mail-daemon|mdaemon|mrelay"
    r"|delivery (agent|subsystem|system)|mail administrator|bounce@|symantec.{0,60}security"
    r"|mail gateway",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"undeliver|returned mail|return(ed)? to sender|delivery[ -](status|failure|notification"
    r"|report"
    r"|has failed|problem|error|delayed)|failure (notice|delivery)|mail (delivery )?fail"
    r"|delivery fail"
    r"|not (be )?delivered|non-?deliver|mail system error|mail could not|message (status"
    r"|delivery)"
    r"|mail error|undelivered|permanent (delivery )?fail|rejected|unzustell|nicht zugestellt"
    r"|non remis|échec|no entregad|недоставлен|не доставлен|warning: |could not send"
    r"|delivery report"
    r"|送信|配信",
    re.IGNORECASE,
)
_SURELY = re.compile(r"mailer-?_?daemon|mail delivery (sub)?system", re.IGNORECASE)
_ANSWER = re.compile(r"^\W*(re|fwd?|aw|wg|tr|rv)\s*:", re.IGNORECASE)
_FAILED = re.compile(
    r"undeliver|(could|can|was|did|has)( ?not|n't| not be|n't be) (be(en)? )?(deliver|reach"
    r"|sen[dt])"
    r"|unable to deliver|delivery .{0,40}(fail|error)|returned|permanent(ly)? (error|fail)"
    r"|rejected"
    r"|wasn't able to|not able to deliver|delayed|aborted",
    re.IGNORECASE,
)
# where the mail that came back begins
_COPY = re.compile(
    r"^[-=>#* ]{0,8}(original message|message headers) (follow|is|was)"
    r"|^[-=]{2,}.{0,30}(original|undelivered|returned|unsent|copy|header|below|message (header"
    r"|text))"
    r"|^ *(the (original|following|header of)|here is (a|your|the)) .{0,30}(message|mail"
    r"|header)s?\b.{0,40}:$"
    r"|^ *(return-path|received|x-received|dkim-signature|arc-seal|message-id|mime-version): ?"
    r"|^ *begin message header",
    re.IGNORECASE | re.MULTILINE,
)
_ADDRESS = re.compile(
    r"(?<![\w=./+-])[A-Za-z0-9_.+=%$&'*#!?{}~/-]{1,200}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"
)
_CODED = re.compile(
    r"(?<![\d.:/@-])[45][0-5]\d(?=[ \-:,#)\]])(?!-?\d{0,9}\.\d{1,9}\.\d{1,9}\.)"
    r"|(?<![\d.])#?[45]\.\d{1,3}\.\d{1,3}(?![\d.]{0,20}\d)"
)
_DELAY = re.compile(
    r"delayed|delay\b|(will|shall) (be )?(continue|keep|re-?tr|try)|not (yet )?been delivered yet"
    r"|could not send message for past|(still|being) (trying|retried)|no action is required"
    r"|warning message|this is a warning|temporary (problem|delay)|do not need to resend"
    r"|verzögert|retardé|задерж",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"permanent|giv(ing|en) up|gave up|has failed|returned|fatal|undeliver|failed", re.IGNORECASE
)
# lines whose addresses are those of others
_OWN = re.compile(
    r"^[ >]*(from|reply-to|mail from|sender|envelope-from|message-id|to)\b.{0,3}[:<]|contact"
    r"|assist"
    r"|\bask\b|>>> ?(mail|helo|ehlo)|support@|abuse@",
    re.IGNORECASE,
)
# Postfix and qmail begin what they say of a recipient so
_LED = re.compile(r"^ *<([^\s<>@]+@[^\s<>@]+)>(?: \(.{1,200}\))?:", re.MULTILINE)
_TELLING = re.compile(r"unknown|not found|no such|\bfull\b|quota|timed out", re.IGNORECASE)
_HOP = re.compile(r"\bsmtp id\b", re.IGNORECASE)  # a line of Received, folded
_TO = re.compile(r"^to: ?.{0,200}$", re.IGNORECASE | re.MULTILINE)


def looks_like_one(mail: MailParts) -> bool:
    """Whether a mail is a bounce in words: a mail system wrote it, and says that something failed.

    A person who writes about bounces, or sends one on, is a person.
    """
    if mail.header("X-Failed-Recipients"):
        return True
    subject = mail.header("Subject")
    wrote = f"{mail.header('From')} {mail.header('Sender')}"
    path = mail.header("Return-Path").strip()
    if _ANSWER.match(subject):
        # two mail systems begin their subject so, and sign with their own name
        return bool(_DAEMON.search(wrote)) and bool(_CODED.search(report(mail)))
    answered = mail.header("Auto-Submitted").lower()
    by_machine = bool(_DAEMON.search(f"{wrote} {path}")) or path == "<>"
    if not by_machine and not (answered.startswith("auto-") and _SUBJECT.search(subject)):
        return False
    words = report(mail)
    if _CODED.search(words):
        return True
    if answered.startswith("auto-replied") and not _SURELY.search(f"{wrote} {path}"):
        # of a postmaster who has it answered by a program: it says nothing that can be relied on
        return False
    return bool(_SUBJECT.search(subject) or _FAILED.search(words))


def is_delay(mail: MailParts) -> bool:
    """Whether a report says that a mail is late, and not that it was given up."""
    subject = mail.header("Subject")
    words = report(mail)[:2000]
    if re.search(r"delayed|warning: could not send|\(delay\)|verzögert", subject, re.I):
        return True
    return bool(_DELAY.search(words)) and not _OVER.search(f"{subject} {words}")


def report(mail: MailParts) -> str:
    """The words of the report, without the mail that came back."""
    text = mail.text
    match = _COPY.search(text)
    while match and not text[: match.start()].strip():
        match = _COPY.search(text, match.end())
    if match and len(text[: match.start()].strip()) > 40:
        return text[: match.start()]
    return text


def recipients(mail: MailParts) -> list[str]:
    """Of whom a bounce speaks, the surest way first: its header, flufl.bounce, its words."""
    if named := mail.header("X-Failed-Recipients"):
        return _unique(_ADDRESS.findall(named))
    words = report(mail).lower()
    if found := [each for each in _flufl(mail.mail) if each.lower() in words]:
        return found
    ours: set[str] = set()
    for name in ("To", "From", "Delivered-To", "Envelope-To", "Return-Path"):
        ours.update(each.lower() for each in _ADDRESS.findall(mail.header(name)))
    found = _LED.findall(mail.text)
    if found:
        return _unique(found)
    for line in report(mail).split("\n"):
        if not _OWN.match(line):
            found += [each for each in _ADDRESS.findall(line) if each.lower() not in ours]
    if found:
        return _unique(found[:1])
    for inner in mail.within:
        if back := _ADDRESS.findall(str(inner.get("To") or "")):
            return _unique(back[:1])
    copied = mail.text[len(report(mail)) :]
    return _unique([each for line in _TO.findall(copied) for each in _ADDRESS.findall(line)][:1])


def said_of(mail: MailParts, recipient: str, *, alone: bool = True) -> str:
    """What the report says, in one line: from its first code on, or all of its words.

    `alone`: it speaks of no other recipient.
    """
    words = report(mail)
    lines = [line.strip(" \t>|*") for line in words.split("\n")]
    coded = [at for at, line in enumerate(lines) if _CODED.search(line) and not _HOP.search(line)]
    if coded:
        near = [at for at in coded if recipient and recipient.lower() in lines[at].lower()]
        best = (near or coded)[0]
        around = []
        if alone:
            around = [lines[at] for at in coded if at != best][:4]
        following = lines[best + 1 : best + 4]
        whole = " ".join([lines[best], *_until_blank(following), *around])
        return whole[:1000]
    named = [at for at, line in enumerate(lines) if recipient and recipient in line]
    if named and any(lines[at].strip("<>: ") != recipient or at + 1 < len(lines) for at in named):
        told = " ".join(" ".join(lines[at : at + 6]) for at in named)
        if len(told.split()) > 3:
            words = told
    subject = mail.header("Subject")
    if _TELLING.search(subject):
        words = f"{words} {subject}"
    return " ".join(words.split())[:1500]


def _until_blank(lines: list[str]) -> list[str]:
    kept = []
    for line in lines:
        if not line:
            break
        kept.append(line)
    return kept


def _flufl(mail: Message) -> list[str]:
    try:
        temporary, permanent = all_failures(mail)
    except Exception:  # noqa: BLE001  # its detectors meet mails that nobody meant for them
        return []
    found = []
    for each in (*sorted(permanent), *sorted(temporary)):
        found += _ADDRESS.findall(each.decode("utf-8", "replace"))
    return _unique(found)


def _unique(values: list[str]) -> list[str]:
    return list(dict.fromkeys(value.strip("'.") for value in values))

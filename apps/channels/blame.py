"""Who is to blame for a refusal, by the answer's words and codes: a pure decision and its table.

A reply code alone does not tell: 550 is said of an address that nobody has, of a quota that is
used up, and of an IP address on a block list. What was said in words decides first, then the
enhanced code (RFC 3463, and the IANA registry of RFC 5248), then what was being said when the
refusal came (RFC 5321 4.2.2).
"""

import re
from enum import StrEnum
from typing import NamedTuple

from apps.channels.contract import Outcome, Remedy, Result


class Whose(StrEnum):
    """Whose fault a refusal is."""

    RECIPIENT = "recipient"  # this address
    CONTENT = "content"  # this message
    ACCOUNT = "account"  # our account, our sender or its server: nobody would fare better
    # the receiving domain takes nothing from us now, through this account at least
    DOMAIN = "domain"


class Stage(StrEnum):
    """What was said last when the answer came."""

    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "dot"  # the end of the content
    CALL = "call"  # all at once, to an HTTP API


class Rule(NamedTuple):
    """Words and whose fault they tell."""

    whose: Whose
    words: re.Pattern[str]


def _said(whose: Whose, *words: str) -> Rule:
    return Rule(whose, re.compile("|".join(words), re.IGNORECASE))


# Limits of what one account may send. Said with a 4xx, they are the account's as well.
# Gmail 550 5.4.5 (support.google.com/a/answer/3726730), Exim under cPanel, Yandex, mail.ru,
# Microsoft 365 5.1.90 and 5.7.705, Amazon SES 454, GoDaddy, OVH, Postfix with a policy daemon.
QUOTA = _said(
    Whose.ACCOUNT,
    r"exceed\w* the max(imum)? (e-?mails|messages|defers)",
    r"\b(daily|hourly|monthly|weekly)\b.{0,40}\b(limit|quota|rate|volume|maximum)",
    r"\b(limit|quota|rate|maximum)\b.{0,60}\b(per|an?|in) ?(the )?(last )?(\d+ )?(hour|day|month)",
    r"\d ?((e-?)?mails?|messages?|recipients?)? ?/ ?(hour|day|h|d)\b",
    r"\b(limit|quota|rate)\b.{0,20}/ ?(hour|day|h|d)\b",
    r"(sending|outgoing|outbound|sender|relay|submission|sent)[ -](e-?mail |mail |message |user )?"
    r"(limit|quota|rate|volume)",
    r"(too many|number of) (e-?mails|messages|mails) (sent|per|were|have|from|for)",
    r"you (have |'ve )?(exceeded|reached|hit) (your|the)",
    r"tenant (has )?exceeded|monthly (plan|credit)|(no|not enough|insufficient|out of) credits?",
    r"credits? (exceeded|used)|insufficient (funds|balance)|has sent too many",
    r"limit (on|for) (the )?(number of )?(outgoing|allowed|sent|allowable)",
    r"\bquota (is |has been |was )?(exceeded|used up|reached).{0,60}\b(sender|account|sasl|client)",
    r"sender.{0,60}\bquota (is |has been |was )?(exceeded|reached)",
    r"(versand|sende|tages|stunden)-?limit|limit .{0,40}(ausgehende|pro (stunde|tag))",
    r"(limite|quota) (d['’]envoi|horaire|quotidien|journali)|(límite|limite|cuota) (diari|de env)",
    r"(лимит|квот|ограничени)\w* .{0,30}(отправ|исходящ|рассыл)|превышен\w* .{0,30}лимит",
)
# a mailbox's own limits. Gmail 4.2.1 and 5.2.1 (…/mail/answer/6592), Microsoft 5.2.2
_FULL = _said(
    Whose.RECIPIENT,
    r"(mailbox|user|recipient|inbox|account)\W+(\w+\W+){0,6}"
    r"(full|over[ -]?quota|out of storage)",
    r"mailbox (quota|size|storage)|disk quota|over[ -]quota|quota exceeded \(mailbox",
    r"trying to contact is receiving|receiving (mail|messages) (at a rate|too quickly)",
    r"postfach .{0,30}voll|bo[iî]te .{0,30}pleine|buz[oó]n .{0,30}lleno|ящик\w* .{0,30}полн",
    r"(лимит|квот|размер)\w* .{0,20}ящик|ящик\w* .{0,20}(лимит|квот|размер)",
)

# Limits of any kind, which no code says as well: the first that fits decides.
LIMITS = (
    _FULL,
    # a message's size and shape: 5.3.4 and 5.2.3 of RFC 3463
    _said(
        Whose.CONTENT,
        r"\bsize (limit|of)|(message|maximum|mail|fixed)[ -]size|exceed\w* (the )?size",
        r"too (large|big)\b|(message|line|headers?) (is )?too long|oversized",
        r"\bvirus|malware|trojan|infected|phish|executable|attachment|duplicate header",
        r"multiple .{0,20}addresses in from|missing .{0,20}header|content (was |is )?reject",
        r"because its content|spam content|message content|unsupported charset|bare (lf|cr)\b",
    ),
    QUOTA,
)
# the sender's address is not liked: Postfix, Exim's callback
_SENDER = _said(
    Whose.ACCOUNT,
    r"sender (address )?(is )?(rejected|refused|denied|not (allowed|valid|verified|local))",
    r"sender (address )?verif|(domain of )?sender address .{0,60}does not (exist|resolve)",
    r"(invalid|bad|unknown|unverified|outbound) (sender|from|return)|from address",
    r"sender (domain|address) (must|not|does)",
    r"sender (is )?(not found|unknown|blocked|disabled)",
)
# a mailbox or a list that takes mail from some senders only: Exchange, Google Groups
_RESTRICTED = _said(
    Whose.RECIPIENT,
    r"resolver\.rst\.|permission to post|members[ -]only",
    r"only accepts? (mail|messages|e-?mails?) from|to receive (mail )?from external",
    r"not (allowed|authori[sz]ed|permitted) to send (\w+ )?to (this|the) (recipient|group|list)",
)
# nobody there: RFC 3463 5.1.x in words
_NOBODY = _said(
    Whose.RECIPIENT,
    r"(unknown|no such|invalid|bad|illegal|nonexist\w*|unrouteable)\W+(\w+\W+)?"
    r"(user|mailbox|recipient|addres|account|destination|person|alias|domain)",
    # words between blanks: another way to read the same row of signs would be tried for each
    r"(user|mailbox|recipient|address\w*|account|alias|person)\W{1,9}(\S+\s+){0,8}\W{0,2}"
    r"(unknown|not (be )?found|does ?n[o']t exist|not exist|no longer|rejected|disabled"
    r"|inactive|discontinued|unavailable|suspended|closed|expired|deactivated|moved)",
    r"no mailbox|not our customer|not a registered|does ?n[o']t have an? \S+ account",
    r"recipient preferences|null mx|doesn't receive e-?mail|not known here|user doesn't",
)

# Words that decide where neither a limit nor one of CERTAIN does; the first that fit.
RULES = (
    _RESTRICTED,
    _SENDER,
    # who we are: RFC 4954 6 (530, 535, 538), RFC 5248 (5.7.8), relaying (RFC 5321 3.6.2), a From
    # that is not ours: Exchange 5.7.60 and 5.7.57, Gmail 5.7.0, Amazon SES 554, Postfix 5.7.1
    _said(
        Whose.ACCOUNT,
        r"relay(ing)? (access )?(is |was |mail )?(denied|not|prohibited|refused|disallowed)",
        r"(unable|not permitted|not allowed|not authori[sz]ed|refus\w*) to relay|do(es)? not relay",
        r"(no|open) relay|relay (recipient|not)|not (a|an) (open|allowed) relay",
        r"authenticat\w+ (is )?(required|needed|failed|unsuccessful|first)|must (first )?authent",
        r"(not|un)[ -]?authenticated (sender|user|client|to send)|unauthenticated senders",
        r"(please|need to|must|have to) (be )?(log ?in|authenticat)|\bauth\w* credentials",
        r"invalid (credentials|login)|bad (credentials|password)|smtp auth",
        r"sendas ?denied|send(ing)? (mail )?(as|on behalf)|not owned by|not allowed to send as",
        r"(address|identity|domain|sender) (is |are )?not verified|sender identit",
        r"your (e-?mail |mail |smtp |sender |user )?account (has been|is|was) ?(\w+ )?"
        r"(suspended|blocked|disabled|banned|restricted|locked|under review|not approved)",
        r"account (has been |is |was )?(suspended|blocked|disabled|banned|restricted|locked)\W+"
        r"(\w+\W+){0,3}(sending|outgoing|outbound|spam|abuse|due)",
        r"(sending|submission|outgoing mail|smtp service) .{0,30}"
        r"(paused|suspended|disabled|blocked|restricted|not allowed|prohibited)",
        r"(client|user) (was )?not authenticated|must issue a starttls|encryption required",
        r"too many recipients",
    ),
    # what receivers think of us: block lists, reputation, SPF, DKIM, DMARC, reverse DNS
    # (RFC 7372; senders.yahooinc.com/smtp-error-codes; postmaster.live.com; postmaster.gmx.net;
    # Gmail 5.7.26 and 5.7.1; Proofpoint, Mimecast, Barracuda, Cloudmark, Spamhaus)
    _said(
        Whose.DOMAIN,
        r"spamhaus|spamcop|barracuda|sorbs|surbl|uribl|invaluement|senderscore|cloudmark|abusix",
        r"\b(dns)?[rdu]?[rbw]bl\b|dnsbl|block[ -]?list|black[ -]?list|deny ?list|banned",
        r"\blisted\b|reputation|proofpoint\.com|mimecast|unusual rate|unsolicited mail originating",
        r"\b(spf|dkim|dmarc|arc)\b|sender policy|(reverse|ptr|r)[ -]?dns|\bptr\b|\bhelo\b|\behlo\b",
        r"(client|sending|your|sender'?s?|from) (host|ip|server|network|address)\b",
        r"\bip (address |\S+ )?(is |was |has been )?(blocked|refused|frequency|rate|not allowed)",
        r"mismatches client ip|blocked (ip|using)|not accepted from (servers|this)",
        r"complaint|too many spam",
        r"authentication (information|check|result)|fails to pass|unauthenticated e-?mail",
        r"rate limit|throttl|too many (connections|messages|mails|e-?mails)|too fast|too quickly",
        r"for policy reasons|polic(y|ies)|administrative(ly)? prohib|sender domain",
    ),
    # what it takes this message for
    _said(
        Whose.CONTENT,
        r"\bspam|\bjunk|\buce\b|\bube\b|unsolicited|bulk mail|content|forbidden (word|link|url)",
        r"headers?\b|\burls?\b|\blinks? (in|to)|message looks|suspicious",
    ),
    _NOBODY,
    # banned, without a word for what
    _said(
        Whose.DOMAIN,
        r"access denied|not authori[sz]ed|unauthori[sz]ed|\bblocked\b",
        r"service (is )?(refuse|unavail)",
        r"service (currently |not |temporarily )?(un)?available|not accepting|try (again )?later",
        r"no smtp service|refus\w+ (your|mail|message|to talk)",
    ),
)

# Enhanced codes, without their class, that say it as exactly as words do: RFC 3463, RFC 5248,
# RFC 7505, and Microsoft's (learn.microsoft.com, "non-delivery reports in Exchange Online").
CERTAIN = {
    **dict.fromkeys(("1.1", "1.2", "1.3", "1.4", "1.6", "1.10"), Whose.RECIPIENT),
    **dict.fromkeys(("2.1", "2.2", "2.4", "4.1", "4.4"), Whose.RECIPIENT),
    # a list or a mailbox that is for some senders only, and one that changed hands
    **dict.fromkeys(("7.2", "7.17", "7.18"), Whose.RECIPIENT),
    **dict.fromkeys((f"7.{detail}" for detail in range(120, 140)), Whose.RECIPIENT),
    **dict.fromkeys(("2.3", "3.3", "3.4", "3.6", "7.7"), Whose.CONTENT),
    **dict.fromkeys(("1.7", "1.8", "1.20", "1.90", "4.5", "5.3"), Whose.ACCOUNT),
    **dict.fromkeys(("7.8", "7.11", "7.14", "7.57", "7.60", "7.64"), Whose.ACCOUNT),
    **dict.fromkeys(("7.501", "7.502", "7.503", "7.705", "7.708", "7.750"), Whose.ACCOUNT),
}
# What is left is told by the subject, the code's second number (RFC 3463 3): mailbox, mail system,
# network and routing, content, security or policy.
SUBJECTS = {
    "2": Whose.RECIPIENT,
    "3": Whose.ACCOUNT,
    "4": Whose.RECIPIENT,
    "6": Whose.CONTENT,
    "7": Whose.DOMAIN,
}
# Replies that need no more: log in first (RFC 4954), a domain that takes no mail (RFC 7504).
REPLIES = {
    "530": Whose.ACCOUNT,
    "534": Whose.ACCOUNT,
    "535": Whose.ACCOUNT,
    "538": Whose.ACCOUNT,
    "556": Whose.RECIPIENT,
}
# The rest was said of what had just been said.
STAGES = {
    Stage.MAIL: Whose.ACCOUNT,
    Stage.RCPT: Whose.RECIPIENT,
    Stage.DATA: Whose.CONTENT,
    Stage.DOT: Whose.CONTENT,
    Stage.CALL: Whose.CONTENT,
}
_RESULTS = {
    Whose.RECIPIENT: Result.PERMANENT_RECIPIENT,
    Whose.CONTENT: Result.PERMANENT_CONTENT,
    Whose.ACCOUNT: Result.ACCOUNT,
    Whose.DOMAIN: Result.BLOCKED,
}

_ENHANCED = re.compile(r"(?<![\d.])[45]\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_NO_SUCH_MAILBOX = re.compile(r"^(?:5\d\d[ -])?5\.1\.(?:1|6|10)(?![.\d])")
# a name like spam@example.com decides nothing
_SIGNS = r"\s<>()\[\]:;,\"'"
_ADDRESS = re.compile(rf"(?<![^{_SIGNS}])[^{_SIGNS}]+@[^{_SIGNS}]+")


def whose_fault(said: str, *, stage: Stage) -> Whose:
    """Whose fault a refusal for good is that says so much, in one line with its codes."""
    found = _told(_ADDRESS.sub("", said), stage)
    if stage is Stage.MAIL and found is not Whose.CONTENT:
        return Whose.ACCOUNT  # nobody else had been named yet
    return found


def _told(said: str, stage: Stage) -> Whose:
    reply = said.strip()[:3]
    if reply in REPLIES:
        return REPLIES[reply]
    if found := _first(LIMITS, said):
        return found
    subject = ""
    if code := _ENHANCED.search(said):
        subject = code.group(1)
        found = CERTAIN.get(f"{subject}.{code.group(2)}")
        if found is Whose.RECIPIENT and subject == "1":
            # many servers say 5.1.1 of whatever they refuse
            return _first((_SENDER, _NOBODY, *RULES), said) or found
        if found:
            return found
    if found := _first(RULES, said) or SUBJECTS.get(subject):
        return found
    if reply == "552" and stage is Stage.MAIL:
        return Whose.CONTENT  # RFC 1870 6.1: its size was named there
    return STAGES[stage]


def _first(rules: tuple[Rule, ...], said: str) -> Whose | None:
    for whose, words in rules:
        if words.search(said):
            return whose
    return None


def used_up(said: str) -> bool:
    """Whether an answer, a temporary one too, says that the account has sent what it may.

    Not x.2.x, which is about the recipient's mailbox.
    """
    code = _ENHANCED.search(said)
    if code and code.group(1) == "2":
        return False
    return _first(LIMITS, _ADDRESS.sub("", said)) is QUOTA.whose


def refusal(said: str, *, stage: Stage, detail: str = "") -> Outcome:
    """What a refusal by SMTP means (RFC 5321 4.2.1): 4yz may work later, 5yz is somebody's fault.

    `said`: the answer in one line, its code first. One that came before a recipient was named
    costs nobody a try.
    """
    detail = detail or said
    named = stage is not Stage.MAIL
    if not said.startswith("5"):
        if used_up(said):
            return Outcome(Result.ACCOUNT, detail, charged=named)
        return Outcome(Result.TRANSIENT, detail, charged=stage in (Stage.RCPT, Stage.DOT))
    whose = whose_fault(said, stage=stage)
    if whose is Whose.RECIPIENT:
        return Outcome(_RESULTS[whose], detail, remedy=remedy_of(said))
    return Outcome(_RESULTS[whose], detail, charged=named or whose is Whose.CONTENT)


def accuses_account(words: str) -> bool:
    """Whether an API's refusal, of which the provider's own codes say nothing, names the account
    in words: its quota, its credits, its rights.
    """
    return whose_fault(words[:1000], stage=Stage.CALL) is Whose.ACCOUNT


def remedy_of(said: str) -> Remedy:
    """Whether a refused recipient does not exist, and never will: only where the server says so by
    RFC 3463.

    5.1.1 no such mailbox, 5.1.6 moved away, 5.1.10 the domain takes no mail (RFC 7505). Not 5.7.x,
    which is about what the server thinks of us, nor 5.2.x (full, switched off for now), nor 5.1.2,
    which a broken resolver says of good domains, nor a 550 without a code, with which many servers
    refuse spam.
    """
    if said[:3] in ("550", "551", "553") and _NO_SUCH_MAILBOX.search(said):
        return Remedy.BOUNCED
    return Remedy.NONE

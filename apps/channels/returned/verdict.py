"""What was said of an address: whose fault it is, and whether mail will ever reach it.

The same words come back in a report that a server answers with at once, so `blame` decides whose
fault they tell. Here is what only reports say, and what makes a bounce hard: that the mailbox, or
its domain, is not there. A code says so first (RFC 3463), and words where the code says nothing.
A full mailbox, a block list and a mail that is too large are a 5xx as well, and pass.
"""

import re
from typing import NamedTuple

from apps.channels.blame import Stage, Whose, whose_fault


class BounceVerdict(NamedTuple):
    """What a report means for an address."""

    whose: Whose
    hard: bool  # nobody will ever get mail there
    status: str  # RFC 3463, such as 5.1.1; "" where none was said


def _words(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


# Codes without their class. Gone: RFC 3463 3.2, RFC 7505.
_GONE_CODES = frozenset(("1.1", "1.2", "1.3", "1.6", "1.10"))
# Codes that name no more than a class or a subject: then words say more.
_VAGUE = re.compile(r"^[245]\.([03457]\.[01]|1\.0|2\.0|0\.\d+|4\.[012347]|3\.[05]|5\.\d+|7\.\d+)$")

_NO_DOMAIN = _words(
    r"host(name)? (or domain name )?(not found|unknown|lookup)|unknown host|bad host\b",
    r"(domain|host|zone|name)\b.{0,60}(does ?n[o']t exist|not found|not resolve|no such)",
    r"name server.{0,20}host not found|\bnxdomain\b|no such (domain|host)"
    r"|unrouteable mail domain",
    r"(can ?not|can't|could ?n[o']t|unable to) (find|locate|resolve) (any |a |the )?"
    r"(host|domain|server|(in )?dns|mx|mail server|address for)",
    r"invalid domain|bad (address|destination) (system|domain|host)|illegal (host|domain)",
    r"domain (is |was )?(unknown|invalid|not valid|not exist)"
    r"|all relevant mx records point to non",
    r"null mx|record indicated no smtp service|does not accept (e-?)?mail|(domain"
    r"|host) (does not|doesn't|never) (accept|receive)s?",
    r"could not find a (gateway|mail exchanger|host)",
    r"no (valid )?(mx|mail exchanger)s?\b|has no (mx|mail)|dns domain .{0,80}does not exist",
)
_NO_MAILBOX = _words(
    r"(unknown|no such|invalid|bad|illegal|non-?exist\w{0,20}|unrouteable|undefined)\W{1,9}"
    r"(\w{1,40}\W{1,9}){0,2}(user|mailbox|recipient|addres|account|destination|person|alias|local"
    r"|mail ?drop"
    r"|customer|member)",
    r"(user|mailbox|recipient|address\w{0,20}|account|alias|person|customer"
    r"|mail drop)\W{1,9}(\S{1,80}\s{1,9}){0,8}\W{0,2}"
    r"(unknown|(not|n't) (be )?found|does ?n[o']t exist|not exist|is invalid|not recognized"
    r"|not listed"
    r"|not known|no longer (here|exist|valid|available|in use|with|active|on server|accept)"
    r"|undefined"
    r"|discontinued|moved)",
    r"(user|recipient|mailbox) not (local|in)|not? (a )?(such|valid|known) (user|mailbox"
    r"|recipient)",
    r"no mailbox (here )?(by|with|for|called)|not our customer|not a registered|not known (here"
    r"|at)",
    r"does ?n[o']t have an? \S{1,80} account|can't find .{0,40}(user|recipient|account)",
    r"(not|n't) (listed|found) in|has no mailbox|no (user|recipient|one|body) (by|with|of|here)",
    # what RFC 5321 has for 550, and large providers say of whoever is not there
    r"action not taken:? mailbox unavailable",
    r"no local mailbox|no longer (works?|employed)|address (changed|has changed)|has moved",
    r"ein solcher .{0,30}existiert nicht|(empf\wnger|adresse|konto|postfach).{0,60}(unbekannt|"
    r"existiert nicht|nicht gefunden)|(destinataire|adresse|compte).{0,60}(inconnu|n'existe pas)",
    r"(usuario|buz[oó]n|cuenta|destinatario).{0,60}(no existe|desconocid|inesistente|sconosciut)",
    r"(пользовател|адрес|ящик)\w{0,20}.{0,60}(не (найден|существу)|неизвест)|нет такого",
    r"このユーザー|ユーザー.{0,80}(見つかりません|存在しません)|見つかりませんでした|存在しない",
)
_FULL = _words(
    r"(mailbox|inbox|account|user|recipient|folder|disk|box)\W{1,9}(\w{1,40}\W{1,9}){0,6}"
    r"(full|over ?quota)\b",
    r"\b(over|disk|mailbox|storage|user)[ -]?quota|quota exceeded|out of (storage|space)",
    r"exceed\w{0,20} (\w{1,40} ){0,3}(quota|storage)|mailbox (size|is too large|has exceeded)",
    r"postfach .{0,30}voll|bo[iî]te .{0,30}pleine|buz[oó]n .{0,30}lleno|ящик\w{0,20} .{0,30}полн",
)
_TRY_AGAIN = _words(r"try again|temporar")
_SENDER = _words(
    r"(sender|from|mail from|originator)('s)? (address|domain)|domain of sender|(spf|ptr) record",
    r"sender (is )?(rejected|unknown|not)|unrout\w{1,40} sender|sender verif|reverse dns|dns ptr",
    r"name lookup failed|client host|helo",
)
# it is there, and takes not this, or not from us
_DENIED = _words(
    r"too (large|big|many)|(message|mail) ?(size|length)|permission|restrict|preferences",
    r"polic(y|ies)|relay|spam|\bblock(ed|list)?|reputation|\b(spf|dkim|dmarc)\b",
    r"not (allowed|permitted|authorized|authorised)|\blisted (at|by|on)\b|black ?list",
    r"rejected by recipient|verif",
)
# … or takes nothing now
_THERE = _words(
    _DENIED.pattern,
    r"disabled|inactiv|suspend|deactivat|expired|locked|temporar|not active|dormant|frozen",
    r"access denied",
)
# Exchange Online and IronPort, which say so of an address that nobody has
_NOBODY_BY_VENDOR = _words(
    r"5\.4\.1.{0,80}recipient address rejected: access denied|#5\.1\.0 address rejected",
)

# What a server that keeps mail for us says, and none answers with.
_NETWORK = _words(
    r"connect(ion)?( to \S{1,80})?:? ?.{0,60}"
    r"(timed? ?out|refused|reset|lost|dropped|closed|failed)",
    r"no route to host|network (is )?unreachable|(lost|lose) connection|conversation with",
    r"(retry|delivery) time(out)?( not reached)?|time ?out|timed out|could not connect",
    r"retry limit|(too long|expired).{0,30}(queue|time)|queue.{0,20}(too long|expired|lifetime)",
    r"for the last \d{1,9} seconds|giving up|gave up|mail(er)? loop|loops back|too many hops"
    r"|hop count",
    r"forwarding loop|delivery loop|(host|server) (is )?(down|not responding|unreachable)",
    r"(unable|failed|not able) to connect|not been able to contact|could ?n[o']t be contacted",
    r"(can ?not|can't|unable to|could not|couldn't) (establish|contact|reach|connect)|tls (is )?"
    r"(required|not available|negotiation|handshake)|starttls|certificate|\bssl\b",
    r"(system|mailer|server|internal|configuration|i/o) (error|problem|failure)"
    r"|system (is )?full",
    r"(insufficient|not enough) (system|disk) |out of (memory|disk)|no space left|cpu overload",
    r"(local )?(delivery|mailbox) (agent|failed|error)|command (died|failed|output)|segmentation",
    r"did not accept our requests|(message|envelope) expired|dns query|network error"
    r"|aborted after|not reachable",
    r"gr[ae]y-?list",
    r"mail system .{0,20}(full|problem)|name service error|dns (error|lookup|fail|server)",
)
_AFTER_DATA = _words(
    r"(end|final|result) of data|final data|\bdata command|\btext command|message content|"
    r"after (end of )?data|\bDATA\b.{0,20}(:|failed)|(>>>|<<<) DATA$",
)
_BAD_SENDER = _words(
    r"unrout\w{1,40} sender|sender verif|sender address .{0,40}(not exist|invalid)"
)
_REJECTED_MAIL = _words(r"mail rej(et|ected\b)")
_BEFORE_NAMES = _words(r"(reply to|our|sending|during) (the )?(mail from|mail|helo|ehlo|banner)\b")

_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d]|\.\d)")
_REPLY = re.compile(r"(?<![\d.:/\[@-])([45])[0-5]\d(?=[ \-:,#)\]]|$)(?!\.\d)")
_ADDRESS = re.compile(
    r"(?<![^\s<>()\[\]:;,\"'])<?[^\s<>()\[\]:;,\"'@]{1,320}@[^\s<>()\[\]:;,\"'@]{1,255}>?"
)


def verdict(said: str, *, status: str = "", refused: bool = True) -> BounceVerdict:
    """Judge what a report says of an address: its words in one line, and its own status.

    `refused`: the report calls it a failure, so that a code of neither class is for good.
    """
    said = " ".join(said.split())
    code = _code(said, status)
    words = _ADDRESS.sub("", said)
    permanent = _permanent(said, code, status, refused=refused)
    if _NOBODY_BY_VENDOR.search(words):
        return BounceVerdict(Whose.RECIPIENT, permanent, code)
    if _FULL.search(words):
        return BounceVerdict(Whose.RECIPIENT, False, code)
    if not _SENDER.search(words):
        detail = code.partition(".")[2]
        nowhere = code.startswith("5") and detail == "4.4"
        if nowhere or (_NO_DOMAIN.search(words) and not _TRY_AGAIN.search(words)):
            return BounceVerdict(Whose.RECIPIENT, refused, code)
        if _NO_MAILBOX.search(words) and not _THERE.search(words):
            return BounceVerdict(Whose.RECIPIENT, permanent and _gone(words, code), code)
    whose = _whose(words, said, code)
    if whose is not Whose.RECIPIENT:
        return BounceVerdict(whose, False, code)
    return BounceVerdict(whose, permanent and _gone(words, code), code)


def may_pass(said: str) -> bool:
    """Whether words tell of something that is not for good, or not about the mailbox: a full one,
    a block list, a code of 4xx. For whoever calls a bounce hard by a table of their own.
    """
    said = " ".join(said.split())
    words = _ADDRESS.sub("", said)
    if _NOBODY_BY_VENDOR.search(words):
        return False
    code = _code(said, "")
    return code.startswith("4") or bool(_FULL.search(words) or _THERE.search(words))


def _whose(words: str, said: str, code: str) -> Whose:
    detail = code.partition(".")[2]
    # what its server says of a mailbox; a report of ours says it with a stage, too
    stage = Stage.RCPT
    if _AFTER_DATA.search(said):
        stage = Stage.DOT
    line = said
    if code and code not in said:
        line = f"{said} {code}"
    if not said.strip():
        line = code
    found = whose_fault(line, stage=stage)
    if detail in _GONE_CODES and found is Whose.RECIPIENT:
        return found
    if _NETWORK.search(words) and not _NO_MAILBOX.search(words) and found is not Whose.CONTENT:
        return Whose.DOMAIN
    if detail in ("4.1", "4.2", "4.3", "4.6", "4.7", "3.0", "3.2", "3.5", "4.0", "4.5"):
        if found is Whose.RECIPIENT and not _NO_MAILBOX.search(words):
            return Whose.DOMAIN
        if found is Whose.ACCOUNT and detail.startswith("3"):
            return Whose.DOMAIN
    if found in (Whose.RECIPIENT, Whose.DOMAIN) and _BAD_SENDER.search(words):
        return Whose.ACCOUNT
    if _REJECTED_MAIL.search(words):
        return Whose.CONTENT
    if found is Whose.RECIPIENT and _BEFORE_NAMES.search(said):
        return Whose.DOMAIN
    return found


def _gone(words: str, code: str) -> bool:
    detail = code.partition(".")[2]
    if detail in _GONE_CODES:
        return not _DENIED.search(words)
    if code and not _VAGUE.match(code):
        return False
    return bool(_NO_MAILBOX.search(words)) and not _THERE.search(words)


def _code(said: str, status: str) -> str:
    """The most exact enhanced code: of the words before the report's own, which many servers fill
    with 5.0.0.
    """
    found = [".".join(each.groups()) for each in _ENHANCED.finditer(said)]
    own = ""
    if match := _ENHANCED.search(status):
        own = ".".join(match.groups())
    exact = [code for code in [*found, own] if code and not _VAGUE.match(code)]
    if exact:
        return exact[0]
    told = [code for code in [*found, own] if code and not code.endswith(".0.0")]
    if told:
        return told[0]
    return own or next(iter(found), "")


def _permanent(said: str, code: str, status: str, *, refused: bool) -> bool:
    if code:
        return code.startswith("5")
    if reply := _REPLY.search(said):
        return reply.group(1) == "5"
    return refused

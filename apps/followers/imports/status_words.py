"""What cells and headings of other programs' exports say about consent.

Four kinds of columns do. One holds a status ("subscribed", "cleaned"), one says yes where somebody
opted out (or when that was), one where that was only of text messages, one where an address
bounced. A word that is not known says nothing for sure, so it is never taken for a yes.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from enum import StrEnum
from functools import lru_cache


class Standing(StrEnum):
    """What a file says of somebody."""

    IN = "in"
    OUT = "out"  # opted out, never in, or not confirmed yet
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    NO_SMS = "no_sms"  # opted out of text messages


STATUS = "subscribed"
OPTED_OUT = "unsubscribed"
BOUNCED = "bounced"
SMS_OUT = "sms_unsubscribed"
_YES_MEANS = {
    OPTED_OUT: Standing.OUT,
    BOUNCED: Standing.BOUNCED,
    SMS_OUT: Standing.NO_SMS,
}
# A status as people choose it: the first word of each kind.
MEANINGS = ("subscribed", "unsubscribed", "bounced", "complained")

_YES = """
yes y true t 1 on x ✓ ✔ ja j wahr oui o vrai si sí s verdadero sim verdadeiro vero tak t prawda
ano a áno sì igen evet doğru ναι da да д истина так і 是 はい
"""
_NO = """
no n false f 0 off nein falsch non faux não nao falso nie ne nej nei nee nem hayır hayir όχι нет н
ложь ні nu 否 いいえ never none null
"""
_IN = """
subscribed active enabled confirmed optin optedin in member valid ok accepted granted verified
normal aktiv angemeldet abonniert bestätigt abonné abonnée inscrit inscrite actif active confirmé
suscrito suscrita activo activa inscrito inscrita ativo ativa iscritto iscritta attivo attiva
aktywny aktywna zapisany zapisana subskrybuje aktivní přihlášen přihlášena odběratel feliratkozott
aktív ingeschreven actief tilmeldt prenumererar tilaaja abone aktif etkin εγγεγραμμένος ενεργός
abonat activ подписан подписана подписано активен активна активный активная активно подтвержден
подтверждена согласен согласна підписаний підписана активний активна
"""
_OUT = """
unsubscribed unsubscribe unsub optout optedout out blocklisted blocklist blacklisted blacklist
blocked suppressed disabled inactive pending unconfirmed notconfirmed nonsubscribed notsubscribed
neversubscribed nosubscription nonmember transactional archived deleted removed cancelled canceled
revoked withdrawn excluded paused banned denied declined rejected refused donotcontact donotemail
donotmail donotsend dnc nomail noemail expired dormant optinpending awaitingconfirmation waiting
unengaged deactivated forgotten erased gdprforgotten abgemeldet ausgetragen gesperrt inaktiv
deaktiviert gelöscht unbestätigt nichtbestätigt widerrufen abbestellt nichtabonniert ausstehend
désabonné désabonnée désinscrit désinscrite noninscrit bloqué bloquée inactif inactive enattente
blacklisté nonconfirmé supprimé dadodebaja baja desuscrito desuscrita nosuscrito cancelado
cancelada bloqueado bloqueada inactivo inactiva pendiente noconfirmado descadastrado descadastrada
desinscrito inativo inativa pendente cancelouinscrição disiscritto disiscritta cancellato
cancellata bloccato inattivo nonconfermato inattesa wypisany wypisana niesubskrybuje zablokowany
zablokowana nieaktywny nieaktywna usunięty niepotwierdzony oczekujący wypisanyzlisty odhlášen
odhlášena odhlášený zablokován neaktivní nepotvrzený čekající leiratkozott inaktív letiltva
függőben nemfeliratkozott uitgeschreven afgemeld geblokkeerd inactief nietbevestigd afmeldt
afmeldtnyhedsbrev avregistrerad avprenumererad avmeldt avslutad peruutettu poistettu abonelikten
çıktı aboneliktençıktı aboneliktençıkmış pasif engellendi beklemede iptaledildi διαγραμμένος
ανενεργός μηεγγεγραμμένος dezabonat dezabonată inactiv blocat neconfirmat отписан отписана
отписано отписался отписалась отписаласьсам отписка неподписан неподписана неактивен неактивна
неактивный неактивная неактивно заблокирован заблокирована заблокированный вчерномсписке
черныйсписок удален удалена ожидает ожидаетподтверждения неподтвержден неподтверждена отказ
отказался отказалась отозвано отключен отключена несогласен несогласна приостановлен исключен
исключена незаинтересован відписаний відписана непідписаний непідписана неактивний неактивна
заблокований заблокована unmarketable nonmarketing unactivated unverified notverified onhold
stopped suppress usersuppressed nosubscriptions globalunsubscribe globallyunsubscribed
selfunsubscribed adminunsubscribed manuallyunsubscribed spammy gekündigt widersprochen
nepascontacter nocontactar неписать 退订 已退订 取消订阅 已取消订阅 未订阅
配信停止 解除 登録解除 수신거부 구독취소
"""
_BOUNCED = """
cleaned bounced bounce hardbounce hardbounced softbounce softbounced undeliverable undelivered
invalid invalidemail invalidaddress nonexistent doesnotexist mailboxfull unreachable failed error
unzustellbar ungültig zurückgekommen rebond rebondi hardbounces npai invalide rebotado rebote
noválido rimbalzato nonvalido odbity odbita nieprawidłowy nedoručitelný neplatný kézbesíthetetlen
érvénytelen недоставлено недоступен недоступна невалидный невалидная невалиден недействителен
недействительный отскок отбойник жесткийотказ несуществует очищен очищено хардбаунс
dropped userunknown bounces blocks invalids
"""
_COMPLAINED = """
complained complaint complaints abuse abusereport spam spamcomplaint spamreport spamreports junk
reportedasspam markedasspam beschwerde plainte queja reclamo скарга жалоба пожаловался
пожаловалась спам
"""


def squashed(text: str) -> str:
    """Give a cell or a heading as one word: small letters and digits, without marks of its own."""
    small = unicodedata.normalize("NFKC", text).casefold().replace("ё", "е")
    return "".join(char for char in small if char.isalnum() or char in "✓✔")


def _words(text: str) -> frozenset[str]:
    return frozenset(squashed(word) for word in text.split())


_SAYS_YES = _words(_YES)
_SAYS_NO = _words(_NO)
_STANDINGS: dict[str, Standing] = {}
_STANDINGS |= dict.fromkeys(_SAYS_YES | _words(_IN), Standing.IN)
_STANDINGS |= dict.fromkeys(_SAYS_NO | _words(_OUT), Standing.OUT)
_STANDINGS |= dict.fromkeys(_words(_BOUNCED), Standing.BOUNCED)
_STANDINGS |= dict.fromkeys(_words(_COMPLAINED), Standing.COMPLAINED)
# Words of other things, too: an invoice may be pending.
_AMBIGUOUS = _words(
    "out paused waiting expired failed error invalid removed deleted pending archived cancelled "
    "canceled disabled blocked excluded baja пауза удален удалена ожидает отказ исключен исключена"
)
_SURELY_OUT = _words(f"{_OUT} {_BOUNCED} {_COMPLAINED}") - _AMBIGUOUS
# The moment when it happened instead of a yes: 2024-05-01 10:00:00, 01.05.2024, 1714557600,
# or the number of the reason.
_MOMENT = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([ T,].*)?|[1-9]|\d{10}|\d{13}")
# Mautic's do-not-contact list: “DNC Unsubscribed: Email, DNC Bounced: Email”, “1:email,2:sms”.
_OF_CHANNELS = re.compile(r"[^:,]+:[^:,]+(,[^:,]+:[^:,]+)*")
_MAUTIC_REASONS = {
    "0": Standing.IN,
    "contactable": Standing.IN,
    "1": Standing.OUT,
    "2": Standing.BOUNCED,
    "3": Standing.OUT,
    "manual": Standing.OUT,
    "unsubscribed": Standing.OUT,
    "bounced": Standing.BOUNCED,
}
# Its channels on which this says nothing of mail or text messages.
_OTHER_CHANNELS = _words(
    "notification webnotification browsernotification mobilenotification pushnotification push "
    "whatsapp"
)
_NO_WORD = re.compile(r"[-–—./: ]*")
_NEVER = re.compile(r"[0\-./: tz]*", re.IGNORECASE)  # 0000-00-00 00:00:00, "-"


def standing(target: str, cell: str) -> Standing | None:
    """Read a cell of a column that is mapped to STATUS, OPTED_OUT, SMS_OUT or BOUNCED.

    None says nothing. Raises ValueError for what can't be read.
    """
    text = cell.strip()
    word = squashed(text)
    if not word:
        if _NO_WORD.fullmatch(text):
            return None
        raise ValueError(text)  # a cross or a question mark is no silence
    if target != STATUS:
        if word in _SAYS_NO or _NEVER.fullmatch(text):
            return _unless_sms(target, Standing.IN)
        if word in _SAYS_YES or _MOMENT.fullmatch(text):
            return _YES_MEANS[target]
    # a status word in a column of yes and no means what it says: “hard bounce”, “active”
    if word not in _STANDINGS:
        raise ValueError(text)
    return _unless_sms(target, _STANDINGS[word])


def _unless_sms(target: str, said: Standing) -> Standing | None:
    """Give what was said of mail; of text messages, only that they are not wanted."""
    if target != SMS_OUT:
        return said
    if said == Standing.IN:
        return None
    return Standing.NO_SMS


@lru_cache(maxsize=1000)  # a column has few different words
def standings(target: str, cell: str) -> frozenset[Standing]:
    """Read a cell that may say several things: “DNC Bounced: Email, DNC Unsubscribed: SMS”.

    Raises ValueError for what can't be read.
    """
    if target == STATUS and _OF_CHANNELS.fullmatch(cell):
        pairs = [_of_channel(*part.split(":")) for part in cell.split(",")]
        return frozenset(said for said in pairs if said)
    said = standing(target, cell)
    return frozenset(filter(None, [said]))


def _of_channel(reason: str, channel: str) -> Standing | None:
    """Read one pair. Raises ValueError where what stands behind the colon is no channel: it may be
    why somebody left, or when.
    """
    word = squashed(reason).removeprefix("dnc")
    said = _MAUTIC_REASONS.get(word) or standing(STATUS, word)
    where = squashed(channel)
    if where == "email":
        return said
    if where in ("sms", "textmessage"):
        return _unless_sms(SMS_OUT, said or Standing.IN)
    if where in _OTHER_CHANNELS and word in _MAUTIC_REASONS:
        return None
    raise ValueError(f"{reason}:{channel}")


def reads(target: str, words: Collection[str]) -> bool:
    """Tell whether each of these cells can be read as one of the target."""
    return not unread(target, words)


def unread(target: str, words: Iterable[str]) -> list[str]:
    """List the cells that can't be read as one of the target."""
    found = []
    for word in words:
        try:
            standings(target, word)
        except ValueError:
            found.append(word)
    return found


def say_out(words: Collection[str]) -> bool:
    """Tell whether one of these cells can only be the status of somebody who is not to get mail."""
    return any(squashed(word) in _SURELY_OUT for word in words)


_OUT_HEADING = re.compile(
    r"unsub|optout|optedout|optsout|blacklist|blocklist|blocked|suppress|"
    r"donot(contact|e?mail)|e?mail(s)?disabled|"
    r"dontcontact|nomail|noemail|^dnc|dnc$|exclude|deactivat|inactive|revoked|withdrawn|"
    r"notsubscribed|nonewsletter|nomarketing|keinnewsletter|keinewerbung|nichtkontakt|"
    r"nepascontact|listenoire|stoppub|fechadebaja|listanegra|nocontact|noenviar|"
    r"cancelouinscri|неписать|небеспокоить|черномсписке|"
    r"abgemeldet|abmeld|ausgetragen|austragung|widerruf|gesperrt|sperr|"
    r"desabon|désabon|désinscri|desinscri|^baja|desuscri|descadastr|disiscri|cancellaz|wypis|"
    r"odhlá|leiratkoz|uitgeschreven|afgemeld|avregistr|abonelikten|dezabon|"
    r"отпис|отказ|черныйсписок|блокиров|неподпис|відпис|відмов|退订|取消订阅|配信停止|수신거부"
)
_BOUNCE_HEADING = re.compile(
    r"bounce|^clean(ed)?(time|date|at)?$|^cleaned|undeliver|complain|(?<!anti)(?<!no)spam|abuse|"
    r"unzustellbar|rebond|rebot|rimbalz|npai|недостав|жалоб|отскок"
)
_STATUS_HEADING = re.compile(
    r"^(e?mail|sub(scri(ber|ption))?|contact|member|user|list|global|channel|permission|"
    r"confirmation|newsletter|marketing|mailing|sms)*(status|state|consent)$|^consenttosend$|"
    r"^(is)?subscribed(to.*)?$|^subscription$|^optin$|^acceptse?mail(marketing)?$|"
    r"^acceptsmarketing$|^(статус|состояние)(подписки|подписчика|контакта|адреса|e?mail)?$|^стан$|"
    r"^подписан(а)?$|^подписка$|^согласие$|^stav$|^statut$|^estado$|^stato$|^durum$|^κατάσταση$"
)
# What cells of yes and no may tell of consent: whether yes is in or out, a person must say.
_DOUBTFUL_HEADING = re.compile(
    r"active|enabled|disabled|confirmed$|verified$|invalid|suspend|quarantin|ineligible|unreach|"
    r"newsletter|mailing|(mail|market|email|contact)able$|receive|allow|permission|emailok|"
    r"canemail|subscri|optin|optedin|consent|stop|cancel|remove|delete|pause|muted|leaver|dropped|"
    r"aktiv|einwillig|zustimm|kündig|widerspr|werb|abonn|inscri|opposition|refus|suscri|acepta|"
    r"baja|iscri|consenso|zgod|rezygn|рассыл|подпис|соглас|активн|удален|доступ"
)
_GONE_HEADING = re.compile(
    r"(cancel(l?ed)?|removed|deleted|stop(ped)?|gekündigt|kündigung|deaktiviert|cancellato|удален)"
    r"(at|on|date|time|am|il|le)?$"
)
# More about an opt-out, but not whether there is one.
_DETAIL = re.compile(
    r"reason|campaign(id|name|title)?[0-9]*$|title|comment|count|rate|score|ip$|link|url|notes?$|"
    r"grund|raison|motivo|причина|method|source|soft|number|anzahl|nombre|total|количество|"
    r"(bounces|complaints|mailsbounced)$"
)
_SMS_ONLY = re.compile(r"sms|whatsapp|phone|push|tel")
# A word for what the status is of, and not only “status”, which invoices have, too.
_SAYS_OF_WHAT = re.compile(r"mail|sub|list|newsletter|marketing|permission")
_CODE = re.compile(r"[0-9]|[^\W\d_]")


def target_of(heading: str) -> str | None:
    """Tell what a heading says of consent: a target, "" for an opt-out that a person must judge,
    None when it is about something else.
    """
    word = squashed(heading)
    if _BOUNCE_HEADING.search(word):
        target = BOUNCED
    elif _OUT_HEADING.search(word):
        target = OPTED_OUT
    elif _STATUS_HEADING.search(word):
        target = STATUS
    else:
        return None
    if target == OPTED_OUT and word.startswith("sms") and not _DETAIL.search(word):
        return SMS_OUT
    if _DETAIL.search(word) or _SMS_ONLY.search(word):
        return ""
    return target


def is_doubtful(heading: str, words: Collection[str] | None) -> bool:
    """Tell whether a column may say who opted out, though its heading names no opt-out.

    `words` are its cells, None where there are many different ones.
    """
    word = squashed(heading)
    if _SMS_ONLY.search(word):
        return False
    if words is None:  # a status may have its date in each cell
        return bool(_GONE_HEADING.search(word) or _STATUS_HEADING.search(word))
    if _STATUS_HEADING.search(word):
        codes = all(_CODE.fullmatch(cell.strip()) for cell in words)
        of_mail = _SAYS_OF_WHAT.search(word) and word.endswith(("status", "consent"))
        return codes or bool(of_mail)
    return bool(_DOUBTFUL_HEADING.search(word)) and reads(OPTED_OUT, words)


def detail_of(heading: str) -> str | None:
    """Tell of which target a heading only says more, such as why somebody opted out; else None."""
    word = squashed(heading)
    if _SMS_ONLY.search(word):
        return STATUS
    if not _DETAIL.search(word):
        return None
    if _BOUNCE_HEADING.search(word):
        return BOUNCED
    return OPTED_OUT

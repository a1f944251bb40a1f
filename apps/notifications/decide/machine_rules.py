"""What gives a machine away by the name it has itself: the rules, and where each was read.

The list of crawlers is the package crawler-user-agents (MIT licence), with its exceptions here. The
rest is of mail: what gateways, image proxies and mail programs call themselves is in their makers'
handbooks, and in no list of crawlers.
"""

import re
from functools import lru_cache
from typing import NamedTuple


class Rule(NamedTuple):
    """A pattern for user agents, and the page or the mails it was read from."""

    pattern: str
    source: str


# Fetches a picture when somebody opens the mail, on that person's behalf.
PROXIES_OF_READERS = (
    Rule(
        r"GoogleImageProxy|ggpht\.com",
        "https://support.google.com/mail/answer/145919 (images of Gmail are shown by its proxy)",
    ),
    Rule(
        r"YahooMailProxy",
        "https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html (as its own name says)",
    ),
)
# Fetches all pictures of each mail, mostly in the hour it comes, whether or not anybody reads it.
# Its name is that of no browser: nothing follows the version.
FETCHED_FOR_PRIVACY = (
    Rule(
        r"^Mozilla/\d\.\d$",
        "https://support.apple.com/guide/mail/mlhlf2bd0b1f (Mail Privacy Protection)",
    ),
)
SCANNERS = (
    Rule(
        r"barracuda|proofpoint|mimecast|symantec|messagelabs|fireeye|trellix|trend ?micro|sophos"
        r"|forcepoint|websense|ironport|zscaler|bitdefender|kaspersky|fortinet|fortimail|avanan"
        r"|checkpoint|cloudmark|\bvade|safelinks|phish|malware|threat",
        "names of mail gateways and of what looks for harm behind links, by their makers",
    ),
    Rule(
        r"existence discovery|office protocol discovery",
        "https://learn.microsoft.com/openspecs/sharepoint_protocols/ms-wdv (Office asks before it "
        "opens a link)",
    ),
    Rule(
        r"(?<!cu)bot\b|bots?/|robot|crawl|spider|slurp|scan\b|scanner|scrap(?:er|ing)|archiver"
        r"|prefetch|prerender|preview|externalhit|whatsapp/|skypeuri|imgproxy|validator|monitor"
        r"|uptime|urlcheck|linkcheck|link ?checker|fetcher|feed ?reader|site ?audit|\bseo",
        "what programs that read pages say they do",
    ),
    Rule(
        r"headless|phantomjs|puppeteer|playwright|selenium|lighthouse|cypress|slimerjs",
        "names of browsers without a screen, by their makers",
    ),
    Rule(
        r"curl/|wget|python|aiohttp|httpx|go-http|java/|jakarta|okhttp|httpclient|libwww|ruby|perl"
        r"|\bphp|guzzle|axios|node-fetch|undici|postman|insomnia|powershell|winhttp|scrapy|http_get"
        r"|lwp|mechanize|\bnmap|nikto|\bindy library",
        "names that libraries for HTTP give themselves",
    ),
    Rule(
        r"https?://|www\.|\+ {0,3}http|[\w.+-]@[\w-]{1,63}\.\w",
        "RFC 9110, 10.1.2: who to tell about a robot. No browser says where to read about it",
    ),
    # Internet Explorer and Konqueror are the browsers that say "compatible" and are used by people.
    Rule(
        r"\(compatible(?!; ?(?:MSIE \d|Konqueror|U; ABrowse))",
        "https://developers.google.com/search/docs/crawling-indexing/google-common-crawlers and "
        "most of the list: (compatible; Name/1.0)",
    ),
)
# Patterns of the list that name what people hold in their hands.
NOT_CRAWLERS = frozenset(
    {
        r"MetaIAB Facebook",  # the browser within Facebook's app
        r"Fluid",  # a browser of one site
        r"Google-Read-Aloud",  # reads a page to the person who has opened it
    }
)
# Every browser's name begins so. Mail programs that show pictures have names of all kinds.
BROWSER = re.compile(r"(?:Mozilla/\d\.\d \(|Opera/\d)")


def _one(rules: tuple[Rule, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rule.pattern for rule in rules), re.IGNORECASE)


_PROXIES = _one(PROXIES_OF_READERS)
_PRIVACY = _one(FETCHED_FOR_PRIVACY)
_SCANNERS = _one(SCANNERS)


def is_proxy_of_a_reader(agent: str) -> bool:
    return bool(_PROXIES.search(agent))


def is_fetched_for_privacy(agent: str) -> bool:
    return bool(_PRIVACY.search(agent))


@lru_cache(maxsize=4096)  # a tenth of a millisecond, and most readers have one of few browsers
def is_scanner(agent: str) -> bool:
    return bool(_SCANNERS.search(agent)) or any(each.search(agent) for each in _crawlers())


@lru_cache(maxsize=1)
def _crawlers() -> list[re.Pattern[str]]:
    """The list, a few patterns at a time: in one piece it takes three times as long."""
    # 1 MB that only whoever stores opens and clicks has in memory
    from crawleruseragents import CRAWLER_USER_AGENTS_DATA

    known = [each["pattern"] for each in CRAWLER_USER_AGENTS_DATA]
    wanted = [pattern for pattern in known if pattern not in NOT_CRAWLERS]
    chunks = [wanted[start : start + 25] for start in range(0, len(wanted), 25)]
    return [re.compile("|".join(chunk)) for chunk in chunks]

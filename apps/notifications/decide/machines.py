"""Was it a person who opened or clicked, or a machine on the way: a pure decision with its reason.

Gateways open all links of a mail before anybody has it, mail programs and their services load its
images without a reader, and programs that preview a link open it. What can't be told apart for sure
counts as a machine's: that a fallback is sent though somebody had clicked is a small harm, that an
alert is called off because a scanner clicked is a large one.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

# Nobody has a mail, reads it and clicks within this after the server took it.
TOO_SOON = dt.timedelta(seconds=10)
# Different links of one message within this are a program's.
BURST = dt.timedelta(seconds=5)


class Machine(StrEnum):
    """Why an open or click is held for a machine's; "" in the database is a person."""

    PREFETCH = "prefetch"
    NETWORK = "network"
    SCANNER = "scanner"
    IMAGE_PROXY = "image_proxy"
    NO_BROWSER = "no_browser"
    TOO_SOON = "too_soon"
    BURST = "burst"


EXPLANATIONS = {
    Machine.PREFETCH: _("fetched ahead of a reader"),
    Machine.NETWORK: _("came from the network of a mail filter or an image proxy"),
    Machine.SCANNER: _("a program that looks at links and mails"),
    Machine.IMAGE_PROXY: _("an image proxy, with or without its reader"),
    Machine.NO_BROWSER: _("no browser"),
    Machine.TOO_SOON: _("sooner after the hand-over than a person can be"),
    Machine.BURST: _("several links of the message at once"),
}


def explain(machine: str) -> str:
    """A reason in words; "" for a person."""
    if machine in EXPLANATIONS:
        return str(EXPLANATIONS[Machine(machine)])
    return machine


# Gmail's, Yahoo's; Apple's privacy proxy says nothing but "Mozilla/5.0", which no browser does.
_PROXIES = re.compile(r"GoogleImageProxy|ggpht\.com|YahooMailProxy|^Mozilla/\d\.\d$", re.IGNORECASE)
_SCANNERS = re.compile(
    r"(?<!cu)bot\b|crawl|spider|slurp|scan|preview|prefetch|prerender|headless|phantomjs|puppeteer"
    r"|playwright|selenium|lighthouse|externalhit|whatsapp|skypeuri|imgproxy"
    r"|barracuda|proofpoint|mimecast|symantec|messagelabs|fireeye|trellix|trend ?micro|sophos"
    r"|forcepoint|websense|ironport|zscaler|bitdefender|kaspersky|fortinet|fortimail|avanan"
    r"|checkpoint|cloudmark|vade|safelinks|existence discovery|office protocol discovery"
    r"|urlcheck|linkcheck|phish|malware|threat|validator|monitor|uptime|archiver"
    r"|curl/|wget|python|aiohttp|httpx|go-http|java/|okhttp|httpclient|libwww|ruby|perl|php|guzzle"
    r"|axios|node-fetch|undici|postman|insomnia|powershell|winhttp",
    re.IGNORECASE,
)
_BROWSER = re.compile(r"(?:Mozilla/\d\.\d \(|Opera/\d)")
_AHEAD = re.compile(r"prefetch|prerender|preview", re.IGNORECASE)
_PURPOSES = ("HTTP_SEC_PURPOSE", "HTTP_PURPOSE", "HTTP_X_PURPOSE", "HTTP_X_MOZ")


class Look(NamedTuple):
    """One open (link 0) or click (the link's number).

    `sign`: what the request itself gave away, a Machine or "".
    """

    link: int
    at: dt.datetime
    user_agent: str
    sign: str = ""


def sign_of(meta: Mapping[str, str], ip: str, networks: Iterable[str]) -> str:
    """What a request gives away besides its user agent, a Machine or "".

    `meta`: its environ. `networks`: those of filters and proxies, as `10.0.0.0/8`. The address is
    looked at and not kept.
    """
    for name in _PURPOSES:
        if name in meta and _AHEAD.search(meta[name]):
            return Machine.PREFETCH
    if ip and _among(ip, tuple(networks)):
        return Machine.NETWORK
    return ""


@lru_cache(maxsize=4096)  # a proxy comes again and again
def _among(ip: str, networks: tuple[str, ...]) -> bool:
    address = ip_address(ip)
    return any(address in network for network in _read(networks))


@lru_cache(maxsize=8)
def _read(networks: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    return [ip_network(each, strict=False) for each in networks]


def judge(look: Look, *, handed_over: dt.datetime | None, clicks: Sequence[Look]) -> str:
    """Say why it was a machine, or "" for a person. `clicks`: all of the message about that time.

    Who has no hand-over yet was faster than the server's answer.
    """
    if look.sign:
        return look.sign
    agent = look.user_agent.strip()
    if _PROXIES.search(agent):
        return Machine.IMAGE_PROXY
    if _SCANNERS.search(agent):
        return Machine.SCANNER
    # mail programs load images under names of all kinds, and each of them has one
    if not agent or (look.link and not _BROWSER.match(agent)):
        return Machine.NO_BROWSER
    if handed_over is None or look.at - handed_over < TOO_SOON:
        return Machine.TOO_SOON
    if in_burst(look, clicks):
        return Machine.BURST
    return ""


def in_burst(look: Look, clicks: Sequence[Look]) -> bool:
    """Whether another link was clicked at about the same time."""
    others = [each for each in clicks if each.link != look.link]
    return bool(look.link) and any(abs(each.at - look.at) < BURST for each in others)

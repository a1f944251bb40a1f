"""Was it a person who opened or clicked, or a machine on the way: a pure decision with its reason.

Gateways open all links of a mail before anybody has it, mail programs load its images without a
reader, and programs that preview a link open it; what they call themselves is in machine_rules.py.
Where a mail service fetches a picture because its reader opens the mail, that is a person. What
can't be told apart for sure counts as a machine's: that a fallback is sent though somebody had
clicked is a small harm, that an alert is called off because a scanner clicked is a large one.
"""

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from django.utils.translation import gettext_lazy as _

from apps.notifications.decide import machine_rules

# Nobody has a mail, reads it and clicks within this after the server took it.
TOO_SOON = dt.timedelta(seconds=10)
# Different links of one message within this are a program's.
BURST = dt.timedelta(seconds=5)


class Machine(StrEnum):
    """Why an open or click is held for a machine's; "" in the database is a person."""

    PREFETCH = "prefetch"
    NETWORK = "network"
    SCANNER = "scanner"
    PRIVACY = "privacy"
    LOOKED = "looked"
    NO_BROWSER = "no_browser"
    TOO_SOON = "too_soon"
    BURST = "burst"


EXPLANATIONS = {
    Machine.PREFETCH: _("fetched ahead of a reader"),
    Machine.NETWORK: _("came from the network of a mail filter"),
    Machine.SCANNER: _("a program that looks at links and mails"),
    Machine.PRIVACY: _("a mail program’s privacy protection, with or without its reader"),
    Machine.LOOKED: _("asked where the link leads, and did not open it"),
    Machine.NO_BROWSER: _("no browser"),
    Machine.TOO_SOON: _("sooner after the hand-over than a person can be"),
    Machine.BURST: _("several links of the message at once"),
}


def explain(machine: str) -> str:
    """A reason in words; "" for a person."""
    if machine in EXPLANATIONS:
        return str(EXPLANATIONS[Machine(machine)])
    return machine


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
    if meta.get("REQUEST_METHOD") == "HEAD":
        return Machine.LOOKED
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


def named(agent: str, link: int) -> str:
    """What a user agent's own name says of an open (link 0) or a click, a Machine or "".

    Give it whole: what a program says of itself stands at the end.
    """
    agent = agent.strip()
    if machine_rules.is_proxy_of_a_reader(agent):
        if link:  # it fetches pictures, and opens nothing
            return Machine.SCANNER
        return ""
    if machine_rules.is_fetched_for_privacy(agent):
        return Machine.PRIVACY
    if machine_rules.is_scanner(agent):
        return Machine.SCANNER
    # mail programs load images under names of all kinds, and each of them has one
    if not agent or (link and not machine_rules.BROWSER.match(agent)):
        return Machine.NO_BROWSER
    return ""


def judge(look: Look, *, handed_over: dt.datetime | None, clicks: Sequence[Look]) -> str:
    """Say why it was a machine, or "" for a person. `clicks`: all of the message about that time.

    Who has no hand-over yet was faster than the server's answer.
    """
    if look.sign:
        return look.sign
    if why := named(look.user_agent, look.link):
        return why
    if handed_over is None or look.at - handed_over < TOO_SOON:
        return Machine.TOO_SOON
    if in_burst(look, clicks):
        return Machine.BURST
    return ""


def in_burst(look: Look, clicks: Sequence[Look]) -> bool:
    """Whether another link was clicked at about the same time."""
    others = [each for each in clicks if each.link != look.link]
    return bool(look.link) and any(abs(each.at - look.at) < BURST for each in others)

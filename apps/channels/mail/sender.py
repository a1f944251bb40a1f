"""Who an account's mails are from: a name and an address, in two fields.

One field that holds both has to be read, and what people write into it reads in several ways:
of `John@Home <n@example.com>` a parser takes John@Home for the address.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import BadSettings, Setting
from apps.channels.messages import Sender
from apps.lib.network.host_name import BadHost, ascii_host

FROM = (
    Setting("from_name", _("From name"), help=_("What readers see, for example News")),
    Setting(
        "from_address", _("From address"), required=True, help=_("For example news@example.com")
    ),
)
BOUNCES = Setting(
    "bounce_address",
    _("Address for bounces"),
    help=_(
        "For example bounce@news.example.com, whose mail comes into the bounce mailbox, or is given"
        " to manage.py receive_mail; each message then has a return address of its own. Empty ="
        " bounces go to the From address."
    ),
)
# with + and a signed name behind it (64 octets in all, RFC 5321 4.5.3.1.1)
LONGEST_BOUNCE_NAME = 15
# RFC 5322 3.2.3: letters and signs that need no quotes, with dots between them
_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(\.[\w!#$%&'*+/=?^`{|}~-]+)*", re.ASCII)
_TWO = re.compile(r"[,;\s]|@[^@,;\s]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


def sender_of(settings: Mapping[str, Any]) -> Sender:
    """Whom an account's mails are from, by its two settings. Raises BadSettings."""
    name = str(settings.get("from_name") or "")
    address = str(settings.get("from_address") or "")
    return _sender(name.strip(), address.strip())


@lru_cache(maxsize=64)  # every mail asks
def _sender(name: str, address: str) -> Sender:
    if _CONTROL.search(name + address):
        raise BadSettings(
            gettext(
                "The From name and address may not hold a line break or another control character."
                " Write each in one line."
            )
        )
    if "<" in address or ">" in address:
        raise BadSettings(
            gettext(
                "Write the From address alone, without < and >. The name has a field of its own."
            )
        )
    if _TWO.search(address):
        said = gettext(
            "“{address}” is not one address. Write a single From address, for example"
            " news@example.com."
        )
        raise BadSettings(said.format(address=address))
    local, _, domain = address.rpartition("@")
    try:
        ascii_host(domain)
        ready = _LOCAL.fullmatch(local) is not None
    except BadHost:
        ready = False
    if not ready:
        said = gettext(
            "The From address “{address}” can't be used: it needs a domain, and plain letters"
            " before the @."
        )
        raise BadSettings(said.format(address=address))
    return Sender(name, address)


def bounce_address_of(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """What stands before and after the name of a message in its return address;
    None where bounces go to the sender. Raises BadSettings.
    """
    address = settings.get("bounce_address")
    if not address:
        return None
    return _bounce_address(str(address).strip())


@lru_cache(maxsize=64)  # every mail asks
def _bounce_address(address: str) -> tuple[str, str]:
    local, _, domain = address.rpartition("@")
    try:
        domain = ascii_host(domain)
        ready = _LOCAL.fullmatch(local) is not None and "+" not in local
    except BadHost:
        ready = False
    if not ready or len(local) > LONGEST_BOUNCE_NAME:
        said = gettext(
            "The address for bounces “{address}” can't be used: it needs a domain, and at most"
            " {most} plain letters before the @, without a plus sign."
        )
        raise BadSettings(said.format(address=address, most=LONGEST_BOUNCE_NAME))
    return f"{local}+", f"@{domain}"

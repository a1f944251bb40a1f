"""Host names as DNS has them: one rule for every place where a name becomes ASCII.

IDNA 2008 after the mapping of UTS 46, non-transitional: ß, ς and the joiners are letters of their
own. Python's "idna" codec is IDNA 2003, by which faß.example is fass.example: somebody else's.
"""

import ipaddress
import re
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

import idna
from django.utils.translation import gettext as _

LONGEST = 253  # RFC 1035 2.3.4, without the dot of the root
LONGEST_LABEL = 63
# More than RFC 1123 allows: names with an underscore, or a hyphen at an end, do exist.
_PLAIN = re.compile(r"[a-z0-9_-]+")


class BadHost(ValueError):
    """No name that DNS could have; the text says why, to be read after the name."""


@lru_cache(maxsize=10_000)
def ascii_host(name: str) -> str:
    """The name in lower-case ASCII, without the dot of the root; an IP address as it is.

    A label in Punycode (xn--…) stays, also where IDNA 2008 knows no letters for it. Raises BadHost.
    """
    if ":" in name:
        return _ipv6(name)
    if len(name) > LONGEST + 1:
        raise BadHost(_("is longer than {most} letters").format(most=LONGEST))
    labels = _mapped(name).removesuffix(".").split(".")
    host = ".".join(map(_label, labels))
    if len(host) > LONGEST:
        raise BadHost(_("is longer than {most} letters in ASCII").format(most=LONGEST))
    return host


def in_own_letters(name: str) -> str:
    """Write a host name as people read it; what can't be read so stays as it is."""
    try:
        return idna.decode(name)
    except idna.IDNAError:
        return name


def split_address(url: str) -> SplitResult:
    """Split a web address into its parts; one that can't be read, such as https://[a, has none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def ascii_url(url: str) -> str:
    """Put the host of a web address into ASCII, and change nothing else. Raises BadHost."""
    try:
        place = urlsplit(url).netloc
    except ValueError as error:
        raise BadHost(_("is no address of the web: {error}").format(error=error)) from error
    before, at, after = place.rpartition("@")
    host, colon, port = after.partition(":")
    if not host or host.startswith("["):  # none, or an IPv6 address
        return url
    return url.replace(place, f"{before}{at}{ascii_host(host)}{colon}{port}", 1)


def _mapped(name: str) -> str:
    """The name in lower case, its dots all ASCII. Raises BadHost."""
    if name.isascii():
        return name.lower()
    try:
        return idna.uts46_remap(name, std3_rules=False, transitional=False)
    except idna.IDNAError as error:
        raise BadHost(_("is no name of a host: {error}").format(error=error)) from error


def _label(label: str) -> str:
    """One part of a name, mapped already, in ASCII. Raises BadHost."""
    if not label:
        raise BadHost(_("has nothing before, after or between its dots"))
    if not _PLAIN.fullmatch(label):
        try:
            idna.check_label(label.replace("_", ""))  # IDNA has no underscore, DNS has
        except idna.IDNAError as error:
            raise BadHost(_("is no name of a host: {error}").format(error=error)) from error
        label = "xn--" + label.encode("punycode").decode()
    if len(label) > LONGEST_LABEL:
        raise BadHost(_("has a part of more than {most} letters").format(most=LONGEST_LABEL))
    return label


def _ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError as error:
        raise BadHost(_("is no name of a host: it holds a colon")) from error
    return text

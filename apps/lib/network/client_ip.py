"""The address a request came from, believing only the proxies we know of."""

import ipaddress
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest


def client_ip(request: HttpRequest) -> str:
    """The visitor's address; "" where there is none.

    Each proxy in front appends the address it was called from to X-Forwarded-For, so with
    PROXY_COUNT of them the visitor is that many from the end; everything before was sent by the
    visitor and is not believed.
    """
    if settings.PROXY_COUNT:
        hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if len(hops) >= settings.PROXY_COUNT and (found := _address(hops[-settings.PROXY_COUNT])):
            return found
    return _address(request.META.get("REMOTE_ADDR", ""))


@lru_cache(maxsize=1000)  # programs call from the same one again and again
def _address(text: str) -> str:
    try:
        # fe80::1%eth0 names a network card of this machine, which says nothing elsewhere
        return str(ipaddress.ip_address(text)).partition("%")[0]
    except ValueError:  # not what a proxy writes; a socket file has no address at all
        return ""

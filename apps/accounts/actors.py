"""From a request to the Actor that acts, with the address it came from."""

import ipaddress
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from apps.accounts.models import ApiKey, User
from apps.lib.actor import Actor, ActorKind


def client_ip(request: HttpRequest) -> str:
    """Where the request came from; the lock-out counts the same (settings.AXES_CLIENT_IP_CALLABLE).

    Each proxy in front appends the address it was called from to X-Forwarded-For, so with PROXY_COUNT of them the
    visitor is that many from the end; everything before was sent by the visitor and is not believed.
    """
    if settings.PROXY_COUNT:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")]
        if len(hops) >= settings.PROXY_COUNT:
            try:
                return str(ipaddress.ip_address(hops[-settings.PROXY_COUNT]))
            except ValueError:
                pass  # not what a proxy writes
    return request.META.get("REMOTE_ADDR", "")


def staff_actor(request: HttpRequest) -> Actor:
    """The logged-in member of staff. The page must be guarded by `requires`."""
    user: Any = request.user
    return of_user(user, ip=client_ip(request))


def of_user(user: User, *, ip: str = "") -> Actor:
    return Actor(ActorKind.STAFF, id=str(user.uid), label=user.get_full_name() or user.username, ip=ip)


def key_actor(key: ApiKey, request: HttpRequest) -> Actor:
    return Actor(ActorKind.API_KEY, id=str(key.uid), label=str(key), ip=client_ip(request))

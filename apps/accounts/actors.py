"""Tell from a request which Actor acts, with the address it came from."""

from typing import cast

from django.http import HttpRequest

from apps.accounts.models import ApiKey, User
from apps.lib.actor import Actor, ActorKind
from apps.lib.network.client_ip import client_ip


def user_of(request: HttpRequest) -> User:
    """Give the logged-in member of staff. The page must be guarded by `requires`."""
    return cast(User, request.user)


def staff_actor(request: HttpRequest) -> Actor:
    """Name the logged-in member of staff. The page must be guarded by `requires`."""
    return of_user(user_of(request), ip=client_ip(request))


def of_user(user: User, *, ip: str = "") -> Actor:
    return Actor(
        ActorKind.STAFF, id=str(user.uid), label=user.get_full_name() or user.username, ip=ip
    )


def key_actor(key: ApiKey, request: HttpRequest) -> Actor:
    return Actor(ActorKind.API_KEY, id=str(key.uid), label=str(key), ip=client_ip(request))

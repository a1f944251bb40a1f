"""Who calls: a program with its key, or staff with their session (on the try-it page);
and what each may ask for.
"""

from dataclasses import dataclass
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts import keys
from apps.accounts.actors import key_actor, of_user
from apps.accounts.models import ApiKey
from apps.accounts.permissions import Scope, role_of, scopes_of_role
from apps.lib.actor import Actor
from apps.lib.network.client_ip import client_ip


@dataclass(frozen=True, slots=True)
class Caller:
    """What `request.auth` is: the actor for the history, the scopes, and the name the allowance is
    kept under. `lost`: scopes of the key that whoever issued it does not have any more.
    """

    actor: Actor
    scopes: frozenset[Scope]
    name: str
    lost: frozenset[str] = frozenset()

    def lacks(self, scope: Scope, place: str = "This") -> str:
        """Why the caller may not do what needs this scope; "" if it may."""
        if scope in self.scopes:
            return ""
        if scope in self.lost:
            return (
                f"{place} needs the scope {scope}, which whoever issued this API key does not have "
                "any more. Ask an administrator for another key."
            )
        return f"{place} needs the scope {scope}."


def caller_of(request: Request) -> Caller:
    """Name who makes a call; HasScope lets in nobody who is unknown."""
    return cast(Caller, request.auth)  # the stubs expect a Token of REST framework's own


def name_of(key: ApiKey) -> str:
    """The name under which a key's allowance and answers are kept."""
    return f"key:{key.uid}"


class ApiKeyAuthentication(BaseAuthentication):
    """Bearer keys: `Authorization: Bearer car_live_…`."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller] | None:
        header = request.META.get("HTTP_AUTHORIZATION", "")
        if not header:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Send the API key as “Authorization: Bearer <key>”.")
        try:
            key = keys.authenticate(secret.strip(), now=timezone.now())
        except keys.BadKey as error:
            raise AuthenticationFailed(str(error)) from error
        scopes = keys.rights_of(key)
        lost = frozenset(key.scopes) - scopes
        caller = Caller(key_actor(key, request), scopes, name_of(key), lost)
        return AnonymousUser(), caller

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Carillon API"'


class StaffSession(SessionAuthentication):
    """A logged-in member of staff, with the CSRF check; the role decides the scopes."""

    def authenticate(self, request: Request) -> tuple[Any, Caller] | None:
        found = super().authenticate(request)
        if found is None:
            return None
        user = found[0]
        return user, Caller(
            of_user(user, ip=client_ip(request)),
            frozenset(scopes_of_role(role_of(user))),
            f"staff:{user.uid}",
        )


class IsCaller(BasePermission):
    """Anybody who is known, with whatever scopes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return request.auth is not None


class HasScope(BasePermission):
    """Each view declares `scopes = {"GET": Scope.X, ...}`;
    a method that declares none is open to nobody.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if request.auth is None:
            return False
        method = str(request.method)
        if method == "HEAD":
            method = "GET"
        scope = view.scopes.get(method)
        if scope is None:
            raise MethodNotAllowed(str(request.method))
        also = view.also.get(method, scope)
        caller = caller_of(request)
        self.message = caller.lacks(scope) or caller.lacks(also)
        return not self.message

"""Who may do what: the roles of staff, the scopes of keys, and `requires`,
which every staff page carries.
"""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.template.response import SimpleTemplateResponse
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.accounts.models import Role, User
from apps.lib import wallclock
from apps.lib.network.host_name import split_address


class Capability(StrEnum):
    """What a page may ask for."""

    VIEW = "view"  # see everything but secrets
    EDIT = "edit"  # change content, followers and campaigns
    SEND = "send"  # let messages leave
    ADMINISTER = "administer"  # staff, keys, providers


class Scope(StrEnum):
    """What an API key may ask for."""

    FOLLOWERS_READ = "followers:read"
    FOLLOWERS_WRITE = "followers:write"
    FOLLOWERS_ERASE = "followers:erase"
    FOLLOWERS_EXPORT = "followers:export"  # all that is held about one
    CONTENT_READ = "content:read"
    CONTENT_WRITE = "content:write"
    CAMPAIGNS_READ = "campaigns:read"
    CAMPAIGNS_WRITE = "campaigns:write"
    CAMPAIGNS_SEND = "campaigns:send"
    NOTIFICATIONS_READ = "notifications:read"
    NOTIFICATIONS_WRITE = "notifications:write"


SCOPES_BY_CAPABILITY = {
    Capability.VIEW: {
        Scope.FOLLOWERS_READ,
        Scope.CONTENT_READ,
        Scope.CAMPAIGNS_READ,
        Scope.NOTIFICATIONS_READ,
    },
    Capability.EDIT: {Scope.FOLLOWERS_WRITE, Scope.CONTENT_WRITE, Scope.CAMPAIGNS_WRITE},
    Capability.SEND: {Scope.CAMPAIGNS_SEND, Scope.NOTIFICATIONS_WRITE},
    Capability.ADMINISTER: {Scope.FOLLOWERS_ERASE, Scope.FOLLOWERS_EXPORT},
}

# Each role has the capability in its place and those before it.
_LADDER = dict(zip((Role.VIEWER, Role.EDITOR, Role.SENDER, Role.ADMIN), Capability, strict=True))


def capabilities(role: str) -> set[Capability]:
    """An unknown role has none."""
    steps = list(_LADDER)
    if role in steps:
        return {_LADDER[step] for step in steps[: steps.index(Role(role)) + 1]}
    return set()


def allowed(role: str, capability: Capability) -> bool:
    return capability in capabilities(role)


def scopes_of_role(role: str) -> set[Scope]:
    """What a person of this role may do through the API,
    and the most that a key they issue may carry.
    """
    return {
        scope for capability in capabilities(role) for scope in SCOPES_BY_CAPABILITY[capability]
    }


def role_of(user: User | AnonymousUser) -> str:
    """A superuser (made by `manage.py createsuperuser`) is an admin whatever the role field says;
    '' for nobody.
    """
    if not user.is_authenticated or not user.is_active:
        return ""
    if user.is_superuser:
        return Role.ADMIN
    return user.role


def rank(user: User) -> int:
    """How high somebody stands; a superuser above all roles."""
    if user.is_superuser:
        return len(_LADDER)
    return list(_LADDER).index(Role(user.role))


def may_touch(user: User, other: User) -> bool:
    """Whether one member of staff may change another's account: their own, that of somebody below
    them, and any as a superuser. Whoever sets a password can act as its owner.
    """
    return user.pk == other.pk or user.is_superuser or rank(user) > rank(other)


def may(user: User | AnonymousUser, capability: Capability) -> bool:
    return allowed(role_of(user), capability)


View = Callable[..., HttpResponseBase]


def _page_of(request: HttpRequest) -> str:
    """Name the page to go on to after the log-in; for an act it is the page with its button."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    came_from = split_address(request.headers.get("Referer", ""))
    if came_from.netloc == request.get_host():
        return came_from.path
    return "/"


def speak_to(user: User) -> None:
    """Let pages speak somebody's language until the request ends, error pages too; whoever chose
    none is spoken to as the browser asked (LocaleMiddleware).
    """
    if user.language in dict(settings.LANGUAGES):
        translation.activate(user.language)


def requires(capability: Capability) -> Callable[[View], View]:
    """Guard a staff page: log-in page for strangers, 403 for a role that may not; inside,
    times are in the user's zone and words in their language.

    A partial request of htmx is told to load the log-in page as a whole,
    instead of swapping it into a table.
    """

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                if request.headers.get("HX-Request"):
                    return HttpResponse(headers={"HX-Redirect": resolve_url("dashboard:login")})
                return redirect_to_login(_page_of(request))
            speak_to(request.user)
            if not may(request.user, capability):
                said = gettext("Your role ({role}) does not include this.")
                raise PermissionDenied(said.format(role=request.user.get_role_display()))
            if "\0" in request.path or "%00" in request.META["QUERY_STRING"]:
                # PostgreSQL takes none, not even to say so
                raise Http404(gettext("There is nothing with a NUL in it."))
            try:
                zone = wallclock.zone(request.user.time_zone)
            except wallclock.UnknownZone:  # typed in the Django admin, which doesn't know better
                zone = wallclock.zone("UTC")
            with timezone.override(zone):
                response = view(request, *args, **kwargs)
                if isinstance(response, SimpleTemplateResponse):
                    response.render()  # it would render itself later, outside of the zone
            return response

        # tests walk the URLs and look
        guarded.capability = capability  # type: ignore[attr-defined]  # Callable has no attributes
        return guarded

    return guard

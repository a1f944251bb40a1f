"""Calls with an API key go straight to their view: they need no session, no cookie and no language,
and what looks after those is asked by every call.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import ResolverMatch, resolve

PLACE = "/api/v1/"
SCHEME = "bearer "
MOST = 500
# Addresses without ids in them, and their views: to go through all patterns takes a while.
_met: dict[str, ResolverMatch] = {}


def straight(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: answer calls with a key before sessions, cookies, languages and the rest."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        sent = request.META.get("HTTP_AUTHORIZATION", "")
        if sent[: len(SCHEME)].lower() == SCHEME and request.path_info.startswith(PLACE):
            return _answer(request)
        return get_response(request)

    return middleware


def _answer(request: HttpRequest) -> HttpResponseBase:
    found = _met.get(request.path_info)
    if found is None:
        found = resolve(request.path_info)
        if not found.kwargs and not found.args and len(_met) < MOST:
            _met[request.path_info] = found
    request.resolver_match = found
    response: Any = found.func(request, *found.args, **found.kwargs)
    if isinstance(response, SimpleTemplateResponse):
        response.render()
    response.headers["X-Frame-Options"] = "DENY"
    if not response.streaming:
        response.headers["Content-Length"] = str(len(response.content))
    answer: HttpResponseBase = response
    return answer

"""Every refusal as a problem document (RFC 9457): what kind, which status, one sentence,
and the fields it is about.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
)
from django.core.signals import got_request_exception
from django.http import Http404, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import exception_handler, set_rollback

from apps.accounts.permissions import Scope
from apps.api.refusals import MEDIA_TYPE, NO_ID, Changed, KeyReused
from apps.followers.people.contacts import AddressTaken, ExternalIdTaken
from apps.lib.refusals import RefusalKind, Refused

log = logging.getLogger("carillon.api")

# what Django raises at the first look at a request that it can't read
_UNREADABLE = (BadRequest, MultiPartParserError, SuspiciousOperation, UnreadablePostError)
_KEPT_HEADERS = ("WWW-Authenticate", "Retry-After")
STATUS = {RefusalKind.VALUE: 400, RefusalKind.MISSING: 404, RefusalKind.STATE: 409}
TITLES = {
    400: "The request can't be taken like this",
    401: "No valid API key",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    406: "No such format",
    409: "Not possible now",
    412: "Somebody else changed it",
    413: "Too large",
    415: "Send JSON",
    422: "This key was used for something else",
    429: "Too many requests",
    500: "Something went wrong here",
}


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: a problem document for whatever was raised in a view."""
    if isinstance(error, Refused):
        set_rollback()
        refusal = _refusal(error, context["view"].names)
        may_read = Scope.FOLLOWERS_READ
        if isinstance(error, AddressTaken | ExternalIdTaken) and context["view"].may(may_read):
            refusal.data["follower"] = str(error.follower.uid)
        return refusal
    if isinstance(error, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        return _respond(413, "TooLarge", f"A request may have {most:,} bytes. Send it in parts.")
    if isinstance(error, TooManyFieldsSent):
        most = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
        return _respond(400, "Unreadable", f"An address may have {most:,} parameters at most.")
    if isinstance(error, _UNREADABLE):
        return _respond(400, "Unreadable", "The request could not be read. Send the body as JSON.")
    answer = exception_handler(error, context)
    if answer is None:
        return _unexpected(error, context)
    if isinstance(error, exceptions.ValidationError):
        fields = list(flat(answer.data))
        detail = "Some fields can't be taken; errors says which and why."
        if len(fields) == 1:
            detail = fields[0]["detail"]
        return _respond(400, "Invalid", detail, fields)
    if isinstance(error, Http404 | exceptions.NotFound):
        detail = "There is nothing with this id, or you may not see it."
        if NO_ID in context["kwargs"].values():
            detail = (
                "This is no id: ours are UUIDs. To find a follower by your own id, ask "
                "/followers?external_id=…."
            )
    elif isinstance(error, exceptions.NotAuthenticated):
        detail = (
            "Send an API key as “Authorization: Bearer <key>”. "
            "An administrator issues keys in the dashboard."
        )
    elif isinstance(error, PermissionDenied):
        detail = str(error) or "You may not do this."
    elif isinstance(error, exceptions.MethodNotAllowed):
        detail = f"Use another method here: {', '.join(context['view'].allowed_methods)}."
    elif isinstance(error, exceptions.NotAcceptable):
        detail = "Answers are JSON. Send “Accept: application/json”, or no Accept header."
    elif isinstance(error, exceptions.UnsupportedMediaType):
        detail = "Send the body as JSON in UTF-8, with “Content-Type: application/json”."
    else:
        detail = str(answer.data["detail"])
    kind = HTTPStatus(answer.status_code).phrase.title().replace(" ", "")
    return _respond(answer.status_code, kind, detail, headers=answer.headers)


def _refusal(error: Refused, names: Mapping[str, str]) -> Response:
    """Answer a refusal; `names` has the caller's word for a field of the act, where it differs."""
    status = STATUS[error.kind]
    if isinstance(error, KeyReused):
        status = 422
    if isinstance(error, Changed):
        status = 412
    fields = list(faults_of(error, names))
    headers = getattr(error, "headers", None)
    return _respond(status, type(error).__name__, error.discreet, fields, headers)


def faults_of(error: Refused, names: Mapping[str, str] | None = None) -> Iterator[dict[str, str]]:
    """Each field that a refusal is about, as a problem names it, without anybody's name."""
    code = code_of(error)
    for field, detail in error.faults:
        said = detail
        if detail == error.sentence:
            said = error.discreet
        yield {"field": (names or {}).get(field, field), "code": code, "detail": said}


def code_of(error: Refused) -> str:
    """The stable name of what is wrong, as `errors` has it."""
    return error.cause or _kebab(type(error).__name__).replace("-", "_")


def flat(data: Any, path: str = "") -> Iterator[dict[str, str]]:
    """DRF's nested errors as a list; a place in a list or an object is written
    `recipients.0.email`.
    """
    if isinstance(data, dict):
        for key, value in data.items():
            place = path
            if key != "non_field_errors":
                place = f"{path}.{key}".lstrip(".")
            yield from flat(value, place)
    elif isinstance(data, list):
        for index, value in enumerate(data):
            place = path
            if isinstance(value, dict | list):
                place = f"{path}.{index}".lstrip(".")
            yield from flat(value, place)
    else:
        yield {"field": path, "code": getattr(data, "code", "invalid"), "detail": str(data)}


def _unexpected(error: Exception, context: dict[str, Any]) -> Response:
    request = context["request"]
    view = context["view"]
    log.error(
        "%s %s failed (request %s)", request.method, request.path, view.request_id, exc_info=error
    )
    got_request_exception.send(sender=type(view), request=request._request)
    set_rollback()
    return _respond(
        500,
        "Unexpected",
        "It was recorded. Nothing of this request was stored; you can repeat it.",
    )


def _kebab(kind: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()


def problem(status: int, kind: str, detail: str) -> dict[str, Any]:
    """The body of a refusal that is about no field."""
    return {
        "type": f"urn:carillon:problem:{_kebab(kind)}",
        "title": TITLES[status],
        "status": status,
        "detail": detail,
    }


def _respond(
    status: int,
    kind: str,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: Any = None,
) -> Response:
    body = problem(status, kind, detail)
    if errors:
        body["errors"] = errors
    given = headers or {}
    kept = {name: given[name] for name in _KEPT_HEADERS if name in given}
    return Response(body, status=status, headers=kept, content_type=MEDIA_TYPE)

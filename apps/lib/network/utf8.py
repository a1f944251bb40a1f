"""Requests are UTF-8, whatever charset they name.

Forms and addresses of our own pages are nothing else, and both standards (URL, RFC 8259) say so.
Django believes the header: it refuses a form that names another charset, and fails at a name such
as `base64`, which Python knows as a codec that is none of text.
"""

from collections.abc import Callable
from contextlib import suppress

from django.core.exceptions import TooManyFieldsSent
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_Answer = Callable[[HttpRequest], HttpResponseBase]


def utf8_only(get_response: _Answer) -> _Answer:
    """Middleware: read every request as UTF-8."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if "charset" in request.META.get("CONTENT_TYPE", "").lower():
            # it looks at the parameters of the address; whoever needs them hears that they are many
            with suppress(TooManyFieldsSent):
                request.encoding = "utf-8"
        return get_response(request)

    return middleware

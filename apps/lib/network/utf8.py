"""Requests are UTF-8, whatever charset they name.

Our pages and programs send nothing else, and both standards (URL, RFC 8259) say so. Django believes
the header: it refuses a form that names another charset, and fails before any view at a name such
as `base64`, which Python knows as a codec that is none of text.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
_CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)


def utf8_only(application: Application) -> Application:
    """Wrap a WSGI application, so that it sees no charset and takes its own, UTF-8."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if kind := environ.get("CONTENT_TYPE"):
            environ["CONTENT_TYPE"] = _CHARSET.sub("", kind)
        return application(environ, start_response)

    return wrapped

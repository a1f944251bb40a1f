"""Requests are UTF-8, whatever charset they name.

Our pages and programs send nothing else, and both standards (URL, RFC 8259) say so. Django believes
the header: it refuses a form that names another charset, and fails before any view at a name such
as `base64`, which Python knows as a codec that is none of text. It also reads parameters as mail
has them (RFC 2231), where each may name a charset of its own: `x*=klingon''y`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
AS_SENT = "carillon.content_type"
_VALUE = r"\s*+=\s*+\"?([^\s;\"]*+)"
_BOUNDARY = re.compile(r";\s*+boundary" + _VALUE, re.IGNORECASE)
_CHARSET = re.compile(r";\s*+charset" + _VALUE, re.IGNORECASE)


def utf8_only(application: Application) -> Application:
    """Wrap a WSGI application, so that it sees no parameter of a content type but the boundary of
    its parts, and takes its own charset, UTF-8.
    """

    def wrapped(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if kind := environ.get("CONTENT_TYPE"):
            environ[AS_SENT] = kind
            environ["CONTENT_TYPE"] = _plain(kind)
        return application(environ, start_response)

    return wrapped


def charset_of(environ: Mapping[str, Any]) -> str:
    """The charset that a request names, in small letters; "" for none."""
    found = _CHARSET.search(environ.get(AS_SENT) or environ.get("CONTENT_TYPE") or "")
    if found:
        return found[1].lower()
    return ""


def _plain(kind: str) -> str:
    plain = kind.partition(";")[0]
    if found := _BOUNDARY.search(kind):
        plain += f"; boundary={found[1]}"
    return plain

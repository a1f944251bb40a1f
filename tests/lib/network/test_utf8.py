"""Whatever charset a request names, it is UTF-8, and nothing fails before the first view."""

from typing import Any

import pytest

from apps.lib.network.utf8 import utf8_only


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("text/plain", "text/plain"),
        ("text/plain; charset=base64", "text/plain"),
        ('text/plain;CHARSET = "utf-16"', "text/plain"),
        ("multipart/form-data; charset=latin-1; boundary=x", "multipart/form-data; boundary=x"),
        ("", ""),
    ],
)
def test_no_charset_is_believed(sent: str, seen: str) -> None:
    told: list[Any] = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        told.append(environ.get("CONTENT_TYPE"))
        return []

    utf8_only(application)({"CONTENT_TYPE": sent}, None)
    utf8_only(application)({}, None)
    assert told == [seen, None]

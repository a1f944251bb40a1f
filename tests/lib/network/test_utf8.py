"""Whatever charset a request names, it is UTF-8, and nothing fails before the first view."""

from typing import Any

import pytest

from apps.lib.network.utf8 import charset_of, utf8_only


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("text/plain", "text/plain"),
        ("text/plain; charset=base64", "text/plain"),
        ('text/plain;CHARSET = "utf-16"', "text/plain"),
        ("multipart/form-data; charset=latin-1; boundary=x", "multipart/form-data; boundary=x"),
        ("a/b;boundary=\"a=b\"; x*=utf-8''y", "a/b; boundary=a=b"),
        ("multipart/form-data; boundary*=idna''x", "multipart/form-data"),
        ("application/json; charset*0=base; charset*1=64", "application/json"),
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


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        ("application/json", ""),
        ("application/json; charset=", ""),
        ("application/json;Charset=Latin-1", "latin-1"),
        ('application/json; charset="UTF-8"; x=y', "utf-8"),
    ],
)
def test_the_charset_that_was_named_is_still_known(sent: str, named: str) -> None:
    environ = {"CONTENT_TYPE": sent}
    assert charset_of(environ) == named
    utf8_only(lambda seen, start_response: [])(environ, None)
    assert charset_of(environ) == named

"""The finished copy as a zip file, made piece by piece while it is fetched: all as JSON for
programs, all as a page for people, and each mail as a page of its own.
"""

import datetime as dt
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any, cast

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation

from apps.accounts.fact_words import field_of
from apps.accounts.history import readable
from apps.analytics.everything.sent import MESSAGES
from apps.analytics.everything.source import PARTS
from apps.followers.consent.rhythm import zone_of
from apps.followers.exports.files import some_rows
from apps.followers.exports.spreadsheet import Stream
from apps.followers.models import Export, Follower
from apps.lib.written import written

# Nothing of an old mail runs, and nothing is sent, when its page is opened.
_POLICY = (
    '<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="default-src'
    " 'none'; img-src https: http: data:; style-src 'unsafe-inline'; form-action 'none'\">"
)
_AS_HTML = {"html"}  # parts of a message that are shown on a page of their own


def archive(export: Export, follower: Follower) -> Iterator[bytes]:
    """Give the file, a piece at a time. The export is ready. Raises Undecryptable."""
    stream = Stream()
    # a stream is enough, which the stubs don't know
    pack = zipfile.ZipFile(cast(IO[bytes], stream), "w", zipfile.ZIP_DEFLATED)
    pieces = chain(
        _written(pack, "everything.json", _as_json(export, follower)),
        _written(pack, "index.html", _as_page(export, follower)),
        _mails(pack, export),
    )
    for _ in pieces:
        yield stream.taken()
    pack.close()
    yield stream.taken()


def _written(pack: zipfile.ZipFile, name: str, texts: Iterator[str]) -> Iterator[None]:
    with pack.open(name, "w") as file:
        for text in texts:
            file.write(text.encode())
            yield


def _rows(export: Export) -> Iterator[tuple[str, dict[str, Any]]]:
    for rows in some_rows(export, 0, export.chunks_done):
        yield from map(tuple, rows)


def _mails(pack: zipfile.ZipFile, export: Export) -> Iterator[None]:
    for part, told in _rows(export):
        if part == MESSAGES and (html := _html_of(told)):
            pack.writestr(_page_of(told), _POLICY + html)
            yield


def _html_of(told: Mapping[str, Any]) -> str:
    """The HTML of a message; "" for one without."""
    html = str(told["words"].get("html", ""))
    return html.strip() and html


def _page_of(told: Mapping[str, Any]) -> str:
    return f"messages/{told['id']}.html"


# ------------------------------------------------------------------ for programs
def _as_json(export: Export, follower: Follower) -> Iterator[str]:
    """Write one object: who it is about, and under the name of each part its rows."""
    head = {
        "site": settings.SITE_NAME,
        "follower": str(follower.uid),
        "as_of": export.created_at.astimezone(dt.UTC).isoformat(),
    }
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "parts": {'
    known = ""
    for part, told in _rows(export):
        text = json.dumps(told, ensure_ascii=False)
        if part == known:
            yield f",\n{text}"
        else:
            begin = f'"{part}": [\n{text}'
            if known:
                begin = f"],\n{begin}"
            yield begin
        known = part
    yield "]}}\n"


# ------------------------------------------------------------------ for people
def _as_page(export: Export, follower: Follower) -> Iterator[str]:
    """Write the page in the follower's language, where we speak it."""
    titles = {part.name: part.title for part in PARTS}
    zone = zone_of(follower)
    context = {
        "site": settings.SITE_NAME,
        "follower": follower,
        "zone": zone.key,
    }
    with _language_of(follower) as language:
        as_of = written(export.created_at.astimezone(zone), "d MMMM y, HH:mm")
        context |= {"language": language, "as_of": as_of}
        head = render_to_string("analytics/everything/head.html", context)
    yield head
    known = ""
    for part, told in _rows(export):
        with _language_of(follower):
            values: dict[str, Any] = {"lines": _lines(told, zone)}
            if part != known:
                values |= {"title": titles[part], "first": not known}
            if part == MESSAGES and _html_of(told):
                values["mail"] = _page_of(told)
            text = render_to_string("analytics/everything/row.html", values)
        yield text
        known = part
    yield "</section></main></body></html>\n"


@contextmanager
def _language_of(follower: Follower) -> Iterator[str]:
    """Speak the follower's language; a generator must not hold it from one piece to the next."""
    try:
        language = translation.get_supported_language_variant(follower.language.lower())
    except LookupError:
        language = settings.LANGUAGE_CODE
    with translation.override(language):
        yield language


def _lines(told: Mapping[str, Any], zone: dt.tzinfo) -> list[dict[str, Any]]:
    """Name each value in words; what holds others gives lines of its own. Nothing is left out
    where nothing was said.
    """
    lines = []
    for name, value in told.items():
        if value in (None, "", [], {}) or name in _AS_HTML:
            continue
        line: dict[str, Any] = {"name": field_of(name)}
        match value:
            case dict():
                line["within"] = [_lines(value, zone)]
            case list() if all(isinstance(each, dict) for each in value):
                line["within"] = [_lines(each, zone) for each in value]
            case str() if name == "at" or name.endswith("_at"):
                line["text"] = _moment(value, zone)
            case _:
                line["text"] = readable(value)
        lines.append(line)
    return lines


def _moment(text: str, zone: dt.tzinfo) -> str:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:  # a time of the day, such as that of a digest
        return text
    return written(moment.astimezone(zone), "d MMMM y, HH:mm:ss")

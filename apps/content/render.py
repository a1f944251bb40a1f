"""A version's words made into messages: parsed once per process, rendered per person. Pure: no clock, no network."""

import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from liquid import BoundTemplate

from apps.content.liquid_engine import FAILURES, Unrenderable, line_of, parse, plain
from apps.content.mail_html import inline_styles, text_of
from apps.content.models import Version, VersionState
from apps.content.parts import CHANNEL_PARTS, Kind, Part
from apps.content.problems import Problem, RenderError

# What every template may use, and data can't replace. The caller of `render` fills all but `content`.
RESERVED: dict[str, tuple[str, ...]] = {
    "follower": (
        "name",
        "first_name",
        "email",
        "phone",
        "language",
        "time_zone",
        "external_id",
        "metadata",
        "tags",
    ),
    "site": ("name", "url", "address"),
    "links": ("preferences", "unsubscribe"),  # unsubscribe is empty for messages that are not commercial
    "content": ("subject", "preheader", "language"),  # and, alone in a layout, the body itself
}
CONTENT = re.compile(r"\{\{-?\s*content\s*-?\}\}")  # where a layout takes the body in

_CACHED_VERSIONS = 100  # a parsed version takes some 100 kB
_HIDDEN = (
    '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">{{ content.preheader }}</div>'  # no layout
)
_LONELY_TAGS = re.compile(r"^[ \t]*((?:\{%(?:(?!%\}).)*%\}[ \t]*)+)\n", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")  # PostgreSQL refuses NUL; the others have no place in mail
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:|/(?!/)|#|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message's words. `parts` has every part of the channel, "" where the version has no words for it."""

    channel: str
    language: str
    parts: dict[str, str]


def pick_language(available: Collection[str], wanted: str, default: str) -> str:
    """The translation for a reader: pt-BR, then pt, then another kind of pt, then the default, then the first.

    `available` must not be empty.
    """
    known = {tag.casefold(): tag for tag in sorted(available)}
    tag = wanted.casefold().replace("_", "-")
    while tag:
        if tag in known:
            return known[tag]
        tag = tag.rpartition("-")[0]
    base = wanted.casefold().replace("_", "-").partition("-")[0]
    sibling = next((known[tag] for tag in known if base and tag.startswith(f"{base}-")), None)
    return sibling or known.get(default.casefold()) or next(iter(known.values()))


class Compiled:
    """A version ready to render; parts are parsed when they are first asked for, so one broken part breaks itself."""

    def __init__(self, version: Version, words: dict[str, dict[str, dict[str, str]]] | None = None):
        """`words` stand in for the version's own translations, for a version that is not stored."""
        self.default_language = version.default_language
        self.translations: dict[str, dict[str, dict[str, str]]] = words or {
            translation.language: translation.parts for translation in version.translations.all()
        }
        self.layout_html, self.layout_text = _layout_of(version)
        self._parsed: dict[tuple[str, str, str], BoundTemplate | None] = {}

    def render(self, channel: str, language: str, context: Mapping[str, Any]) -> Rendered:
        """The words for a reader of `language`. `context`: the caller's data, and `follower`, `site`, `links`.

        Raises RenderError: no words for the channel, a broken template, data that isn't plain, a limit reached.
        """
        offering = [tag for tag, parts in self.translations.items() if channel in parts]
        if channel not in CHANNEL_PARTS or not offering:
            raise RenderError(Problem(channel, None, "this version has no words for this channel."))
        language = pick_language(offering, language, self.default_language)
        try:
            values = plain(context)
        except Unrenderable as error:
            raise RenderError(Problem(f"{language}.{channel}", None, f"{error}.")) from error
        content = values["content"] = {"language": language, "subject": "", "preheader": ""}
        parts: dict[str, str] = {}
        for part in CHANNEL_PARTS[channel].parts:
            parts[part.name] = self._render_part(channel, language, part, values)
            if part.name in content:
                content[part.name] = parts[part.name]
        return Rendered(channel, language, parts)

    def _render_part(self, channel: str, language: str, part: Part, values: dict[str, Any]) -> str:
        where = f"{language}.{channel}.{part.name}"
        key = (language, channel, part.name)
        lines_are_the_authors = part.kind is not Kind.HTML and not (channel == "email" and self.layout_text)
        try:
            if key not in self._parsed:
                source = self._source(language, channel, part)
                self._parsed[key] = parse(source, html=part.kind is Kind.HTML) if source else None
            template = self._parsed[key]
            text = template.render(values) if template else ""
        except FAILURES as error:
            message = str(getattr(error, "message", None) or error or type(error).__name__)
            line = line_of(error) if lines_are_the_authors else None
            raise RenderError(Problem(where, line, f"{message}.")) from error
        return _tidy(text, part.kind, where)

    def _source(self, language: str, channel: str, part: Part) -> str:
        """The Liquid to parse: the author's words, in their layout, styles inlined."""
        words = self.translations[language][channel]
        source = words.get(part.name, "")
        if channel == "email" and part.name == "html" and source.strip():
            if self.layout_html:
                source = CONTENT.sub(lambda _: source, self.layout_html)
            elif words.get("preheader", "").strip():
                source = _with_preheader(source)
            return inline_styles(source)
        if part.kind is Kind.TEXT:
            if channel == "email":
                source = source if source.strip() else text_of(words.get("html", ""))
                if self.layout_text and source.strip():
                    source = CONTENT.sub(lambda _: source, self.layout_text)
            # a line with nothing but {% … %} leaves no empty line behind
            return _LONELY_TAGS.sub(lambda tags: tags[1].rstrip(), source)
        return source


def _layout_of(version: Version) -> tuple[str, str]:
    if version.state == VersionState.DRAFT:
        html, text = (version.layout.html, version.layout.text) if version.layout else ("", "")
    else:
        html, text = version.layout_html, version.layout_text
    return html, text if text.strip() or not html else text_of(html)


def _with_preheader(html: str) -> str:
    body = re.search(r"<body\b[^>]*>", html, re.IGNORECASE)
    at = body.end() if body else 0
    return html[:at] + _HIDDEN + html[at:]


def _tidy(text: str, kind: Kind, where: str) -> str:
    if kind is Kind.LINE:
        return _CONTROL.sub("", " ".join(text.split()))  # CR and LF in a subject would start a new header
    if kind is Kind.LINK:
        link = _CONTROL.sub("", "".join(text.split()))
        if not _SAFE_LINK.match(link):
            raise RenderError(Problem(where, None, f"“{link[:60]}” is not a link: use https://… or /path."))
        return link
    text = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if kind is Kind.HTML:
        return text
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"^[ \t]+$", "", text, flags=re.MULTILINE)).strip()


_cache: OrderedDict[Any, Compiled] = OrderedDict()
_lock = threading.Lock()


def compiled(version: Version) -> Compiled:
    """The version, parsed once per process when it is published (it never changes then); drafts always anew."""
    if version.state == VersionState.DRAFT:
        return Compiled(version)
    with _lock:
        if version.uid in _cache:
            _cache.move_to_end(version.uid)
            return _cache[version.uid]
    fresh = Compiled(version)
    with _lock:
        _cache[version.uid] = fresh
        while len(_cache) > _CACHED_VERSIONS:
            _cache.popitem(last=False)
    return fresh

"""A version's words made into messages: parsed once per process, rendered per person.

Pure: no clock, no network.
"""

import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from django.utils.translation import gettext

from apps.channels.mail.quoted import body
from apps.channels.pieces import Pieces
from apps.content.channel_parts import CHANNEL_PARTS, Part, PartKind
from apps.content.links import links_in, tracked
from apps.content.liquid.blank_lines import tidy
from apps.content.liquid.complaints import translated
from apps.content.liquid.fixed import SameForAll
from apps.content.liquid.limits import FAILURES
from apps.content.liquid.parse import Parsed, line_of, parse
from apps.content.liquid.plain_data import Unrenderable, plain
from apps.content.mail_html import inline_styles
from apps.content.mail_text import text_of
from apps.content.models import Version, VersionState
from apps.content.problems import RenderError, TemplateProblem
from apps.content.read_html import TokenKind, tags

log = logging.getLogger("carillon.content")

# What every template may use, and data can't replace.
# The caller of `render` fills all but `content`.
RESERVED: dict[str, tuple[str, ...]] = {
    "follower": (
        "name",
        "first_name",
        "last_name",
        "email",
        "phone",
        "language",
        "time_zone",
        "external_id",
        "metadata",
        "tags",
    ),
    "site": ("name", "url", "address"),
    # unsubscribe and view (the mail in a browser) are empty for messages that are not commercial,
    # confirm for those that don't ask to confirm the address
    "links": ("preferences", "unsubscribe", "view", "confirm"),
    "content": ("subject", "preheader", "language"),  # and, alone in a layout, the body itself
}
CONTENT = re.compile(r"\{\{-?\s*content\s*-?\}\}")  # where a layout takes the body in

_CACHED_VERSIONS = 100  # a parsed version takes some 100 kB
# where there is no layout
_HIDDEN = (
    '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">'
    "{{ content.preheader }}</div>"
)
_LONELY_TAGS = re.compile(r"^[ \t]*((?:\{%(?:(?!%\}).)*%\}[ \t]*)+)\n", re.MULTILINE)
_SAFE_LINK = re.compile(r"(?:https?://|mailto:|tel:|/(?!/)|#|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message's words.

    `parts` has every part of the channel, empty where the version has no words for it. All are str,
    but the HTML of `render_mail`, which is `Pieces`, and what was asked for as lines, bytes.
    """

    channel: str
    language: str
    parts: dict[str, Any]


def pick_language(available: Collection[str], wanted: str, default: str) -> str:
    """Choose the translation for a reader.

    For pt-BR: pt-BR, then pt, then another kind of pt, then the default, then the first.
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


class _Way(NamedTuple):
    """How a mail that is sent is written: with tracked links, with what is the same for all readers
    as words, as lines.
    """

    tracked: bool
    known: SameForAll
    lines: bool


class Compiled:
    """A version ready to render.

    Parts are parsed when they are first asked for, so one broken part breaks itself.
    """

    def __init__(self, version: Version, words: dict[str, dict[str, dict[str, str]]] | None = None):
        """Take `words` in place of the version's own translations, if it is not stored."""
        self._uid = version.uid
        self.default_language = version.default_language
        self.translations: dict[str, dict[str, dict[str, str]]] = words or {
            translation.language: translation.parts for translation in version.translations.all()
        }
        self.layout_html, self.layout_text = _layout_of(version)
        stored = version.pk is not None and version.state != VersionState.DRAFT
        if stored:
            self.links: dict[str, int] = dict(version.links.values_list("url", "number"))
        else:
            self.links = {}
        self._parsed: dict[tuple[str, str, str, _Way | None], Parsed | None] = {}
        self._ready: dict[tuple[str, str, _Way | None], list[tuple[Part, Parsed | None]]] = {}
        self._languages: dict[tuple[str, str], str] = {}

    def render(self, channel: str, language: str, context: Mapping[str, Any]) -> Rendered:
        """Write the words for a reader of `language`.

        `context` is the caller's data, and `follower`, `site`, `links`. Raises RenderError: no
        words for the channel, a broken template, data that isn't plain, a limit reached.
        """
        language = self._language(channel, language)
        try:
            values = plain(context)
        except Unrenderable as error:
            raise RenderError(
                TemplateProblem(f"{language}.{channel}", None, f"{error}.")
            ) from error
        parts = self._render(channel, language, values, None)
        return Rendered(channel, language, {name: str(text) for name, text in parts.items()})

    def render_mail(
        self,
        language: str,
        context: Mapping[str, Any],
        *,
        tracked: bool = False,
        known: SameForAll = frozenset(),
        lines: bool = False,
    ) -> Rendered:
        """Write an email that is sent, with its HTML in `Pieces`, or both its bodies as `lines`
        (channels/mail/quoted.py).

        `context` is what `plain` made or what JSON holds; it is not looked through again for every
        reader. Its `links` hold the tokens that `known` asks for; if `tracked`, `tracking` with
        which the stored links lead through us and a pixel tells of opening.
        """
        language = self._language("email", language)
        parts = self._render("email", language, dict(context), _Way(tracked, known, lines))
        return Rendered("email", language, parts)

    def _language(self, channel: str, wanted: str) -> str:
        key = (channel, wanted)
        if key not in self._languages:
            offering = [tag for tag, parts in self.translations.items() if channel in parts]
            if channel not in CHANNEL_PARTS or not offering:
                said = gettext("this version has no words for this channel.")
                raise RenderError(TemplateProblem(channel, None, said))
            self._languages[key] = pick_language(offering, wanted, self.default_language)
        return self._languages[key]

    def _render(
        self, channel: str, language: str, values: dict[str, Any], way: _Way | None
    ) -> dict[str, Any]:
        content = values["content"] = {"language": language, "subject": "", "preheader": ""}
        parts: dict[str, Any] = {}
        for part, template in self._templates_of(channel, language, way):
            try:
                words = self._words(template, channel, language, part, values, way)
            except FAILURES as error:
                raise self._problem(error, channel, language, part) from error
            parts[part.name] = words
            if part.name in content:
                content[part.name] = words
        return parts

    def _templates_of(
        self, channel: str, language: str, way: _Way | None
    ) -> list[tuple[Part, Parsed | None]]:
        key = (channel, language, way)
        if key not in self._ready:
            ready = []
            for part in CHANNEL_PARTS[channel].parts:
                try:
                    ready.append((part, self._template(channel, language, part, way)))
                except FAILURES as error:
                    raise self._problem(error, channel, language, part) from error
            self._ready[key] = ready
        return self._ready[key]

    def _words(
        self,
        template: Parsed | None,
        channel: str,
        language: str,
        part: Part,
        values: dict[str, Any],
        way: _Way | None,
    ) -> Any:
        """Write one part: str, the HTML of a mail that is sent as `Pieces`, its bodies as bytes
        where they are wanted as lines.
        """
        is_html = part.kind is PartKind.HTML
        as_lines = way is not None and way.lines and (is_html or part.kind is PartKind.TEXT)
        words: str | Pieces = ""
        if template:
            if as_lines:
                lines = template.lines(values)
                if lines is not None:
                    return lines
            words = Pieces(template.pieces(values))
            if not is_html:
                words = _tidy(str(words), channel, language, part)
        if as_lines:
            return body(words)
        return words

    def _problem(self, error: Exception, channel: str, language: str, part: Part) -> RenderError:
        message = str(getattr(error, "message", None) or error or type(error).__name__)
        line = None
        if self._lines_are_the_authors(channel, part):
            line = line_of(error)
        where = f"{language}.{channel}.{part.name}"
        return RenderError(TemplateProblem(where, line, f"{translated(message)}."))

    def _lines_are_the_authors(self, channel: str, part: Part) -> bool:
        """Whether lines count as the author sees them: no layout around, no styles inlined."""
        has_layout = channel == "email" and bool(self.layout_text)
        return part.kind is not PartKind.HTML and not has_layout

    def _template(
        self, channel: str, language: str, part: Part, way: _Way | None = None
    ) -> Parsed | None:
        key = (language, channel, part.name, way)
        try:
            return self._parsed[key]
        except KeyError:
            parsed = self._parsed[key] = self._parse(channel, language, part, way)
            return parsed

    def _parse(self, channel: str, language: str, part: Part, way: _Way | None) -> Parsed | None:
        source = self._source(language, channel, part)
        html = part.kind is PartKind.HTML
        if not source:
            return None
        if way is None:
            return parse(source, html=html)
        if way.tracked and not html:  # only HTML differs
            return self._template(channel, language, part, way._replace(tracked=False))
        # `_template` raises for what is broken
        if way.tracked and source.strip() and self._template(channel, language, part):
            source = tracked(source, self.links)
        parsed = parse(source, html=html, known=way.known | {(("content", "language"), language)})
        if way.lines and part.kind is not PartKind.LINE and not parsed.write_lines:
            log.info(
                "The %s part in %s of version %s takes longer to write than others.",
                *(part.name, language, self._uid),
            )
        return parsed

    @cached_property
    def bare(self) -> "Compiled":
        """Return the words without their layout.

        As part of another message they need no header and no footer.
        """
        other = copy(self)
        other.layout_html = other.layout_text = ""
        other._parsed = {}
        other._ready = {}
        return other

    def mail_links(self) -> list[str]:
        """List the web addresses in emails of all languages that are the same for everyone.

        Each once.
        """
        html = CHANNEL_PARTS["email"]["html"]
        found: dict[str, None] = {}
        for language, channels in self.translations.items():
            if "email" in channels:
                found |= dict.fromkeys(links_in(self._source(language, "email", html)))
        return list(found)[:9999]  # a tracked link has four digits for its number

    @cached_property
    def follower_fields(self) -> frozenset[str]:
        """Tell what of `follower` any part may show.

        All of it where that can't be told (`{% assign f = follower %}`).
        """
        everything = frozenset(RESERVED["follower"])
        used: set[str] = set()
        for template in self._templates(CHANNEL_PARTS):
            if template is None:
                return everything
            analysis = template.analyze()
            if "date" in analysis.filters:
                used.add("time_zone")
            for use in analysis.variables.get("follower", ()):
                if len(use.segments) < 2 or not isinstance(use.segments[1], str):
                    return everything
                used.add(use.segments[1])
        return everything & used

    def uses(self, name: str, channels: Collection[str] | None = None) -> bool:
        """Whether any word on these channels, or on any, may show the value of this name."""
        if channels is None:
            channels = CHANNEL_PARTS
        for template in self._templates(channels):
            if template is None or name in template.analyze().globals:
                return True
        return False

    def _templates(self, channels: Collection[str]) -> Iterator[Parsed | None]:
        """Parse the parts of these channels in all languages; None for one that can't be read."""
        for language, offered in self.translations.items():
            for channel in offered.keys() & CHANNEL_PARTS.keys() & set(channels):
                for part in CHANNEL_PARTS[channel].parts:
                    try:
                        template = self._template(channel, language, part)
                    except FAILURES:
                        yield None
                        continue
                    if template:
                        yield template

    def layout_words(self, language: str) -> str:
        """Write what the layout itself says to readers of a language, without links and names.

        "" for a layout that can't be read.
        """
        links = {"unsubscribe": "-", "view": ""}
        words = {"content": {"language": language}, "site": {}, "links": links}
        try:
            return tidy(parse(CONTENT.sub("", self.layout_text)).render(words))
        except FAILURES:
            return ""

    def _source(self, language: str, channel: str, part: Part) -> str:
        """Put together the Liquid to parse: words in their layout, styles inlined."""
        words = self.translations[language][channel]
        source = words.get(part.name, "")
        if channel == "email" and part.name == "html" and source.strip():
            if self.layout_html:
                source = CONTENT.sub(lambda _: source, self.layout_html)
            elif words.get("preheader", "").strip():
                source = _with_preheader(source)
            return inline_styles(source)
        if part.kind is PartKind.TEXT:
            if channel == "email":
                if not source.strip():
                    source = text_of(words.get("html", ""))
                if self.layout_text and (source.strip() or words.get("html", "").strip()):
                    source = CONTENT.sub(lambda _: source, self.layout_text)
            # a line with nothing but {% … %} leaves no empty line behind
            return _LONELY_TAGS.sub(lambda tags: tags[1].rstrip(), source)
        return source


def _layout_of(version: Version) -> tuple[str, str]:
    html = version.layout_html
    text = version.layout_text
    if version.state == VersionState.DRAFT:
        html = ""
        text = ""
        if version.layout:
            html = version.layout.html
            text = version.layout.text
    if html and not text.strip():
        text = text_of(html)
    return html, text


def _with_preheader(html: str) -> str:
    bodies = (tag for tag in tags(html) if tag.kind is TokenKind.START and tag.name == "body")
    at = 0
    if body := next(bodies, None):
        at = body.end
    return html[:at] + _HIDDEN + html[at:]


def _tidy(text: str, channel: str, language: str, part: Part) -> str:
    if part.kind is PartKind.LINE:
        return " ".join(text.split())  # CR and LF in a subject would start a new header
    if part.kind is PartKind.LINK:
        link = "".join(text.split())
        if not _SAFE_LINK.match(link):
            said = gettext("“{link}” is not a link: use https://… or /path.")
            where = f"{language}.{channel}.{part.name}"
            raise RenderError(TemplateProblem(where, None, said.format(link=link[:60])))
        return link
    if channel == "sms":
        text = text.translate(_BREAKABLE)
    return tidy(text)


# Times ("10:00 PM") and amounts come with spaces that don't break. GSM-7 lacks them: with one of
# them a text message is counted by 70 letters and not by 160, and may cost three times as much.
_BREAKABLE = dict.fromkeys((0xA0, 0x202F), " ")
_cache: OrderedDict[Any, Compiled] = OrderedDict()
_lock = threading.Lock()


def compiled(version: Version) -> Compiled:
    """Parse a version, a published one once per process, for it never changes."""
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

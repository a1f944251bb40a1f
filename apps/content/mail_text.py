"""The plain text of mail HTML, still a Liquid template.

html5ever closes all tags and moves the styles into them; what it wrote is walked once, tag by tag.
"""

import html
import re
from dataclasses import dataclass

from apps.content.mail_html import Protected
from apps.content.read_html import Token, TokenKind, tokens

_BLANKS = re.compile(r"[\t\n\f\r ]+")
_LATE_BLANKS = re.compile(r"(?<![\t ])[\t ]+$", re.MULTILINE)
# fmt: off
_SHUT = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
}
_UNSHOWN = {"head", "style", "script", "title", "template"}
# what begins a line, and what has an empty line around it
_LINES = {
    "address", "article", "aside", "caption", "center", "dd", "details", "div", "dl", "dt",
    "fieldset", "figcaption", "footer", "form", "header", "li", "main", "nav", "ol", "option",
    "section", "summary", "table", "tbody", "tfoot", "thead", "tr", "ul",
}
_PARAGRAPHS = {"blockquote", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "p", "pre"}
# fmt: on


@dataclass(slots=True)
class _Open:
    """An element that has begun."""

    name: str
    hidden: bool
    kept: bool  # blanks and line breaks stay as they are
    address: str = ""
    words_from: int = 0
    items: int | None = None  # of a numbered list, those so far


class _Text:
    """Words in lines: runs of blanks are one, and at most one line is empty."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.breaks = 0
        self.blank = False
        self.bullet = ""

    def new_line(self, breaks: int) -> None:
        self.breaks = max(self.breaks, breaks)
        self.blank = False

    def write(self, text: str) -> None:
        words = _BLANKS.sub(" ", text)
        if words.startswith(" ") and not self.breaks and self.parts:
            self.blank = True
        if words.strip(" "):
            self.put(words.strip(" "))
            self.blank = words.endswith(" ")

    def put(self, text: str) -> None:
        """Write a text as it is."""
        if self.parts:
            self.parts.append("\n" * self.breaks)
        self.parts.append(" " * self.blank + self.bullet + text)
        self.breaks = 0
        self.blank = False
        self.bullet = ""

    def put_behind(self, text: str) -> None:
        """Write a text right behind the words before, whatever follows them."""
        breaks = self.breaks
        blank = self.blank
        self.breaks = 0
        self.blank = False
        self.put(text)
        self.breaks = breaks
        self.blank = blank


def text_of(source: str) -> str:
    """Make the plain text of mail HTML.

    Links become `words (address)`, pictures their alternative text, tables are read row by row.
    """
    if not source.strip():
        return ""
    protected = Protected(source)
    walk = _Walk()
    whole = protected.as_tree()
    for token in tokens(whole):
        said = whole[token.start : token.end]
        match token.kind:
            case TokenKind.TEXT:
                walk.text(html.unescape(said))
            case TokenKind.START:
                walk.begin(token)
            case TokenKind.END:
                walk.end()
    text = _LATE_BLANKS.sub("", "".join(walk.written.parts))
    return protected.restore_text(text.strip("\n")) + "\n"


class _Walk:
    """Where a walk through the tags stands, and what it has written."""

    def __init__(self) -> None:
        self.written = _Text()
        self.open = [_Open("", hidden=False, kept=False)]

    def text(self, text: str) -> None:
        here = self.open[-1]
        if here.hidden:
            return
        if here.kept:
            self.written.put(text)
        else:
            self.written.write(text)

    def begin(self, tag: Token) -> None:
        around = self.open[-1]
        styles = _styles(tag)
        hidden = tag.name in _UNSHOWN or styles.get("display", "").startswith("none")
        here = _Open(tag.name, hidden=around.hidden or hidden, kept=around.kept)
        if tag.name == "pre" or "white-space" in styles:
            here.kept = styles.get("white-space", "pre").startswith(("pre", "break"))
        if not here.hidden:
            self._lay_out(tag, here, around)
        if tag.name not in _SHUT:
            self.open.append(here)

    def _lay_out(self, tag: Token, here: _Open, around: _Open) -> None:
        self._begin_line(tag.name)
        match tag.name:
            case "br":
                self.written.new_line(min(2, self.written.breaks + 1))
            case "img":
                self.written.write(f" {_value(tag, 'alt')}")
            case "a":
                here.address = _shown_address(_value(tag, "href"))
                here.words_from = len(self.written.parts)
            case "ol":
                here.items = 0
            case "li":
                self.written.bullet = _bullet(around)
            case "q":
                self.written.write('"')

    def end(self) -> None:
        if len(self.open) == 1:
            return
        here = self.open.pop()
        if here.hidden:
            return
        match here.name:
            case "a" if here.address:
                self._end_link(here)
            case "td" | "th":
                self.written.write(" ")
            case "li":
                self.written.bullet = ""
            case "q":
                self.written.write('"')
        self._begin_line(here.name)

    def _begin_line(self, name: str) -> None:
        if name in _PARAGRAPHS:
            self.written.new_line(2)
        elif name in _LINES:
            self.written.new_line(1)

    def _end_link(self, link: _Open) -> None:
        """Write the address behind the words, where it says more than they do."""
        words = "".join(self.written.parts[link.words_from :])
        if not words.strip():
            self.written.put(link.address)
        elif _letters(words) != _letters(link.address):
            self.written.put_behind(f" ({link.address})")


def _value(tag: Token, name: str) -> str:
    attribute = tag.get(name)
    if attribute is None:
        return ""
    return attribute.value


def _styles(tag: Token) -> dict[str, str]:
    found = {}
    if tag.get("hidden"):
        found["display"] = "none"
    for declaration in _value(tag, "style").lower().split(";"):
        name, _, value = declaration.partition(":")
        found[name.strip()] = value.strip()
    return found


def _shown_address(href: str) -> str:
    """Give the address as a reader can use it, "" where it leads nowhere outside the mail."""
    address = href.strip()
    scheme, _, rest = address.partition(":")
    match scheme.lower():
        case "mailto" | "tel" | "sms":
            return rest.partition("?")[0]
        case "javascript":
            return ""
    if address.startswith("#"):
        return ""
    return address


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()


def _bullet(around: _Open) -> str:
    if around.items is None:
        return "* "
    around.items += 1
    return f"{around.items}. "

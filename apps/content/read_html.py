"""Read HTML as browsers do, and tell where everything stands in the source.

The rules are those of the standard's tokenizer (https://html.spec.whatwg.org/#tokenization), and
whoever reads HTML here reads it by them: links, styles, text parts, checks. What is made of tags
without an end (a tree) is html5ever's, which css-inline brings along.

Each place of the source is looked at once. Whatever is never closed reaches to the end, and there
reading ends, so that no source takes longer than its length.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from html.entities import html5

from apps.content.liquid.parse import BadSyntax, pieces

LIQUID = "\0"  # stands for every character of Liquid in a value; HTML has no such character
_BLANK = r"\t\n\f\r "
_NAME = re.compile(rf"</?([a-zA-Z][^{_BLANK}/>\0]*+)")
_ATTRIBUTE = re.compile(
    rf"[{_BLANK}/\0]*+([^{_BLANK}/>\0][^{_BLANK}/>=\0]*+)"
    rf"""(?:[{_BLANK}]*+=[{_BLANK}]*+(?:"([^"]*+)("?)|'([^']*+)('?)|([^{_BLANK}>]*+)))?+"""
)
_END = re.compile(rf"[{_BLANK}/\0]*+>")
_COMMENT_END = re.compile(r"--!?>")
# a name without its semicolon is one only where nothing follows that could belong to it
_REFERENCE = re.compile(
    r"&(?:#[0-9]++;?|#[xX][0-9a-fA-F]++;?|([0-9A-Za-z]++(?:;|(?![=]))))",
)
# what stands in these is no HTML
_RAW = {"iframe", "noembed", "noframes", "script", "style", "textarea", "title", "xmp"}
_RAW_END = {name: re.compile(rf"</{name}(?=[{_BLANK}/>])", re.IGNORECASE) for name in _RAW}


class TokenKind(Enum):
    """What a piece of source is."""

    TEXT = "text"
    RAW = "raw"  # inside of a style, a script, a title …
    START = "start"
    END = "end"
    COMMENT = "comment"
    DOCTYPE = "doctype"


@dataclass(frozen=True, slots=True)
class Attribute:
    """What a tag says under a name; the place is that of the value as it is written."""

    name: str
    value: str
    start: int
    end: int
    named_at: int


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of source; tags have a name, in small letters, and start tags attributes."""

    kind: TokenKind
    start: int
    end: int
    name: str = ""
    attributes: tuple[Attribute, ...] = ()

    def get(self, name: str) -> Attribute | None:
        """Find an attribute; of several with this name the first counts."""
        return next((each for each in self.attributes if each.name == name), None)


def tags(source: str) -> Iterator[Token]:
    """Read the tags of a source with Liquid in it.

    Also what a conditional comment hides: Outlook reads it.
    """
    for token in tokens(blanked(source), outlook=True):
        if token.kind in (TokenKind.START, TokenKind.END):
            yield token


def blanked(source: str) -> str:
    """Put LIQUID in the place of each character of Liquid, so that no `>` in it ends a tag."""
    done = []
    last = 0
    try:
        for start, end in pieces(source):
            done += [source[last:start], LIQUID * (end - start)]
            last = end
    except BadSyntax:
        pass  # what is never closed is no Liquid, and told elsewhere
    return "".join([*done, source[last:]])


def tokens(source: str, *, outlook: bool = False) -> Iterator[Token]:
    """Cut a source into its tokens, without a gap.

    For `outlook` a conditional comment is what stands in it.
    """
    at = 0
    text_from = 0
    while (at := source.find("<", at)) >= 0:
        token = _token_at(source, at, outlook=outlook)
        if token is None:
            at += 1
            continue
        if text_from < at:
            yield Token(TokenKind.TEXT, text_from, at)
        yield token
        at = text_from = token.end
        if token.kind is TokenKind.START and token.name in _RAW:
            ending = _RAW_END[token.name].search(source, at)
            at = len(source)
            if ending:
                at = ending.start()
            yield Token(TokenKind.RAW, text_from, at, token.name)
            text_from = at
    if text_from < len(source):
        yield Token(TokenKind.TEXT, text_from, len(source))


def decoded(value: str) -> str:
    """Decode the character references of an attribute's value, once.

    `&copy=` and `&copyright` are no references there, `&copy;`, `&copy/` and a last `&copy` are.
    """
    return _REFERENCE.sub(_character, value)


def _character(found: re.Match[str]) -> str:
    name = found[1]
    if name is None:
        return html.unescape(found[0])
    return html5.get(name, found[0])


def _token_at(source: str, at: int, *, outlook: bool) -> Token | None:
    """Read what a `<` begins, None for a `<` that is text."""
    if named := _NAME.match(source, at):
        return _tag(source, at, named)
    if source.startswith("<!--", at):
        return _comment(source, at, outlook=outlook)
    if source.startswith(("<!", "<?", "</"), at) and at + 2 < len(source):
        kind = TokenKind.COMMENT  # whatever else it wants to be, browsers make a comment of it
        if source[at + 2 : at + 9].lower() == "doctype":
            kind = TokenKind.DOCTYPE
        return Token(kind, at, _after(source, ">", at + 2))
    return None


def _tag(source: str, at: int, named: re.Match[str]) -> Token:
    end = named.end()
    attributes = []
    closed = True
    while closed and (found := _ATTRIBUTE.match(source, end)):
        end = found.end()
        place = found.end(1), found.end(1)
        for group in (2, 4, 6):
            if found[group] is not None:
                place = found.span(group)
        closed = found[3] != "" and found[5] != ""
        value = decoded(source[slice(*place)])
        attributes.append(Attribute(found[1].lower(), value, *place, found.start(1)))
    ended = _END.match(source, end)
    if not (closed and ended):  # the source ends within the tag, and browsers drop it
        return Token(TokenKind.COMMENT, at, len(source))
    name = named[1].lower()
    if source[at + 1] == "/":
        return Token(TokenKind.END, at, ended.end(), name)
    return Token(TokenKind.START, at, ended.end(), name, tuple(attributes))


def _comment(source: str, at: int, *, outlook: bool) -> Token:
    inside = at + 4
    for empty in (">", "->"):
        if source.startswith(empty, inside):
            return Token(TokenKind.COMMENT, at, inside + len(empty))
    if outlook and source.startswith("[if", inside):
        return Token(TokenKind.COMMENT, at, _after(source, ">", inside))
    ending = _COMMENT_END.search(source, inside)
    end = len(source)
    if ending:
        end = ending.end()
    return Token(TokenKind.COMMENT, at, end)


def _after(source: str, what: str, at: int) -> int:
    found = source.find(what, at)
    if found < 0:
        return len(source)
    return found + len(what)

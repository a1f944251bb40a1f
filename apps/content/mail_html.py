"""HTML mail: styles moved into the tags, and the text made from it, without breaking the Liquid inside.

Both tools parse HTML and would move `{% for %}` out of tables or turn `>` inside tags into `&gt;`. So every piece of
Liquid is replaced by a marker they can't misread, and put back afterwards: a comment where text stands, a word inside
tags and styles.
"""

import re

import css_inline
import lxml.html
from inscriptis import Inscriptis
from inscriptis.model.config import ParserConfig

_LIQUID = re.compile(
    r"\{%-?\s*(?P<block>raw|comment|doc)\s*-?%\}.*?\{%-?\s*end(?P=block)\s*-?%\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL
)
# What is not running text: comments, styles, titles, and the inside of tags.
_NOT_TEXT = re.compile(r"<!--.*?-->|<(style|script|title|textarea)\b.*?</\1\s*>|<[a-zA-Z/!][^<>]*>", re.DOTALL | re.I)
_MARK = re.compile(r"<!--liquid(\d+)x-->|liquid(\d+)x(?:=\"\")?")
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_TEXT_RULES = ParserConfig(display_images=False, display_links=False)


def _protect(html: str) -> tuple[str, list[str]]:
    pieces: list[str] = []

    def mark(found: re.Match[str]) -> str:
        pieces.append(found[0])
        return f"liquid{len(pieces) - 1}x"

    return _LIQUID.sub(mark, html), pieces


def _restore(text: str, pieces: list[str]) -> str:
    return _MARK.sub(lambda found: pieces[int(found[1] or found[2])], text)


def inline_styles(html: str) -> str:
    """The document with its `<style>` rules in the tags (Gmail and Outlook drop or ignore many of them).

    Media queries stay. A document whose Liquid would not come out whole and in order is returned unchanged.
    """
    if "<style" not in html:
        return html
    marked, pieces = _protect(html)
    commented, last = [], 0
    for found in _NOT_TEXT.finditer(marked):
        commented += [re.sub(r"liquid\d+x", r"<!--\g<0>-->", marked[last : found.start()]), found[0]]
        last = found.end()
    commented.append(re.sub(r"liquid\d+x", r"<!--\g<0>-->", marked[last:]))
    source = "".join(commented)
    inlined = _INLINER.inline(source)
    if not _same_marks(source, inlined):
        return html
    return _restore(inlined, pieces)


def _same_marks(before: str, after: str) -> bool:
    """Rules may be copied into many tags, so only the marks in running text keep number and order."""
    in_text = re.compile(r"<!--liquid\d+x-->")
    everywhere = re.compile(r"liquid\d+x")
    return in_text.findall(before) == in_text.findall(after) and set(everywhere.findall(before)) == set(
        everywhere.findall(after)
    )


def text_of(html: str) -> str:
    """Plain text of mail HTML, still a Liquid template: links as `words: address`, tables read row by row."""
    marked, pieces = _protect(html)
    if not marked.strip():
        return ""
    tree = lxml.html.document_fromstring(f"<div>{marked}</div>")
    for element in list(tree.iter()):
        if not isinstance(element.tag, str):
            continue
        if element.tag in {"table", "tbody", "thead", "tfoot", "tr"}:
            element.tag = "div"  # inscriptis aligns columns by the length of the placeholder, and drops what is between
        elif element.tag in {"td", "th"}:
            element.tag = "span"
            element.tail = " " + (element.tail or "").lstrip()
        elif element.tag == "a" and (address := element.get("href", "")).strip():
            words = " ".join(element.text_content().split())
            if words != address:
                _append(element, f" ({address})" if words else address)
        elif element.tag in {"style", "script", "title"}:
            element.clear(keep_tail=True)
    text = Inscriptis(tree, _TEXT_RULES).get_text()
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines()]
    return _restore(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip(), pieces) + "\n"


def _append(element: lxml.html.HtmlElement, words: str) -> None:
    last = element[-1] if len(element) else None
    if last is None:
        element.text = (element.text or "") + words
    else:
        last.tail = (last.tail or "") + words

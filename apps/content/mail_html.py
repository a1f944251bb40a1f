"""HTML mail: move its styles into the tags, make its text, and break no Liquid inside.

Both tools parse HTML and would move `{% for %}` out of tables or turn `>` inside tags into `&gt;`.
So every piece of Liquid is replaced by a marker they can't misread, and put back afterwards: a
comment where text stands, a word inside tags and styles.
"""

import re

import css_inline
import lxml.html
from inscriptis import Inscriptis
from inscriptis.model.config import ParserConfig

LIQUID = re.compile(
    r"\{%-?\s*(?P<block>raw|comment|doc)\s*-?%\}.*?\{%-?\s*end(?P=block)\s*-?%\}"
    r"|\{%.*?%\}|\{\{.*?\}\}",
    re.DOTALL,
)
# What is not running text: comments, styles, titles, and the inside of tags.
_NOT_TEXT = re.compile(
    r"<!--.*?-->|<(style|script|title|textarea)\b.*?</\1\s*>|<[a-zA-Z/!][^<>]*>", re.DOTALL | re.I
)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")  # lxml refuses them
_INLINER = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)
_TEXT_RULES = ParserConfig(display_images=False, display_links=False)


class _Protected:
    """HTML whose pieces of Liquid are words for now.

    `restore` puts them back, also where they became comments.
    """

    def __init__(self, html: str):
        self.word = "liquid"
        while self.word in html.lower():
            self.word += "q"
        self.pieces: list[str] = []
        self.html = LIQUID.sub(self._mark, html)

    def _mark(self, found: re.Match[str]) -> str:
        self.pieces.append(found[0])
        return f"{self.word}{len(self.pieces) - 1}x"

    def restore(self, text: str) -> str:
        marks = rf'<!--{self.word}(\d+)x-->|{self.word}(\d+)x(?:="")?'
        return re.sub(marks, lambda found: self.pieces[int(found[1] or found[2])], text)

    def with_comments(self) -> str:
        """Make comments of the marks in running text.

        A comment may stand anywhere, also between the rows of a table.
        """
        done = []
        last = 0
        for found in _NOT_TEXT.finditer(self.html):
            done += [self._commented(self.html[last : found.start()]), found[0]]
            last = found.end()
        return "".join([*done, self._commented(self.html[last:])])

    def _commented(self, text: str) -> str:
        return re.sub(rf"{self.word}\d+x", r"<!--\g<0>-->", text)

    def survived(self, before: str, after: str) -> bool:
        """Whether all marks are still there.

        Rules may be copied into many tags, so only the marks in running text must keep number and
        order.
        """
        in_text = re.compile(rf"<!--{self.word}\d+x-->")
        if in_text.findall(before) != in_text.findall(after):
            return False
        anywhere = re.compile(rf"{self.word}\d+x")
        return set(anywhere.findall(before)) == set(anywhere.findall(after))


def inline_styles(html: str) -> str:
    """Move the rules of `<style>` into the tags; Gmail and Outlook ignore many of them.

    Media queries stay. A document whose styles can't be read, or whose Liquid would not come out
    whole and in order, is returned unchanged.
    """
    if "<style" not in html.lower():
        return html
    protected = _Protected(html)
    source = protected.with_comments()
    try:
        inlined = _INLINER.inline(source)
    except css_inline.InlineError:
        return html
    if protected.survived(source, inlined):
        return protected.restore(inlined)
    return html


def text_of(html: str) -> str:
    """Make the plain text of mail HTML, still a Liquid template.

    Links become `words (address)`, tables are read row by row.
    """
    protected = _Protected(_CONTROL.sub("", html))
    if not protected.html.strip():
        return ""
    tree = lxml.html.document_fromstring(f"<div>{protected.html}</div>")
    for element in list(tree.iter()):
        if not isinstance(element.tag, str):
            continue
        if element.tag in {"table", "tbody", "thead", "tfoot", "tr"}:
            # inscriptis aligns columns by the length of the placeholder, and drops what is between
            element.tag = "div"
        elif element.tag in {"td", "th"}:
            element.tag = "span"
            element.tail = " " + (element.tail or "").lstrip()
        elif element.tag == "a" and (address := element.get("href", "")).strip():
            words = " ".join(element.text_content().split())
            if not words:
                _append(element, address)
            elif words != address:
                _append(element, f" ({address})")
        elif element.tag in {"style", "script", "title"}:
            element.clear(keep_tail=True)
    text = Inscriptis(tree, _TEXT_RULES).get_text()
    lines = [re.sub(r"[ \t]+", " ", line).strip() for line in text.splitlines()]
    paragraphs = re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
    return protected.restore(paragraphs.strip()) + "\n"


def _append(element: lxml.html.HtmlElement, words: str) -> None:
    last = None
    if len(element):
        last = element[-1]
    if last is None:
        element.text = (element.text or "") + words
    else:
        last.tail = (last.tail or "") + words

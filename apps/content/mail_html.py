"""HTML mail: move its styles into the tags, and break no Liquid and no comment inside.

html5ever makes a tree of the source, by which `{% for %}` would be moved out of tables, `>` inside
tags turned into `&gt;` and `<![if !mso]>` made a comment. So every piece of Liquid and every
comment is replaced by a marker that can't be misread, and put back afterwards: a comment where text
stands, a word inside tags and styles.
"""

import re
from collections import Counter

import css_inline

from apps.content.liquid.parse import BadSyntax, pieces
from apps.content.read_html import Token, TokenKind, tokens

# Unicode keeps these for a program's own use; nobody's text has them.
_LIQUID = "\ufdd0"
_COMMENT = "\ufdd1"
_AGAIN = "\ufdd2"
_OURS = re.compile(f"[{_LIQUID}{_COMMENT}{_AGAIN}]")
_MARK = re.compile(f"{_LIQUID}[0-9]+{_LIQUID}")
_MARKS = re.compile(
    f"<!--([{_LIQUID}{_COMMENT}])([0-9]+)[{_LIQUID}{_COMMENT}]-->"
    f'|{_LIQUID}([0-9]+){_LIQUID}(?:="")?'
)
_BRACES = re.compile(r"\{(?=[{%])")  # what an entity became; an author's are marks by now
# fmt: off
_SHUT_BY_OTHERS = {
    "area", "base", "body", "br", "col", "colgroup", "dd", "dt", "embed", "head", "hr", "html",
    "img", "input", "li", "link", "meta", "option", "p", "param", "source", "tbody", "td", "tfoot",
    "th", "thead", "tr", "track", "wbr",
}
_REPEATED = {
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
}
# fmt: on
_MOST_DEEP = 500
_MOST_REPEATED = 100_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
# What moved is gone from the styles; `:hover`, `@media`, `.ExternalClass` and all else stays.
_INLINER = css_inline.CSSInliner(
    keep_style_tags=True, remove_inlined_selectors=True, load_remote_stylesheets=False
)
_READER = css_inline.CSSInliner(inline_style_tags=False, load_remote_stylesheets=False)


class _Nesting:
    """How tags are nested, to know beforehand what a tree of them would cost.

    html5ever's writer goes down the tree by calls, and a tree repeats what is not closed, as `<b>`,
    in each paragraph that follows: 15 kB can become 8 MB.
    """

    def __init__(self) -> None:
        self.open: Counter[str] = Counter()
        self.deepest = 0
        self.repeated = 0

    def take(self, token: Token) -> None:
        if token.kind is TokenKind.START:
            self.repeated += self.open["repeated"]
            self._count(token.name, 1)
            self.deepest = max(self.deepest, self.open["all"])
        elif token.kind is TokenKind.END and self.open[token.name]:
            self._count(token.name, -1)

    def _count(self, name: str, one: int) -> None:
        if name in _SHUT_BY_OTHERS:
            return
        self.open[name] += one
        self.open["all"] += one
        if name in _REPEATED:
            self.open["repeated"] += one

    @property
    def is_tame(self) -> bool:
        return self.deepest <= _MOST_DEEP and self.repeated <= _MOST_REPEATED


class Protected:
    """HTML whose pieces of Liquid and comments are marks for now; `restore` puts them back."""

    def __init__(self, source: str):
        self.liquid: list[str] = []
        self.comments: list[str] = []
        self.doctype = ""
        nesting = _Nesting()
        words = self._without_liquid(_OURS.sub("", _CONTROL.sub("", source)))
        done = []
        for token in tokens(words):
            said = words[token.start : token.end]
            nesting.take(token)
            match token.kind:
                case TokenKind.TEXT:
                    done.append(_MARK.sub(r"<!--\g<0>-->", said))
                case TokenKind.COMMENT:
                    done.append(f"<!--{_COMMENT}{len(self.comments)}{_COMMENT}-->")
                    self.comments.append(self._liquid_in(said))
                case TokenKind.START:
                    done.append(_renamed(token, said))
                case TokenKind.DOCTYPE:
                    self.doctype = said
                    done.append(said)
                case _:
                    done.append(said)
        self.html = "".join(done)
        self.is_tame = nesting.is_tame

    def _without_liquid(self, source: str) -> str:
        done = []
        last = 0
        try:
            for start, end in pieces(source):
                done += [source[last:start], f"{_LIQUID}{len(self.liquid)}{_LIQUID}"]
                self.liquid.append(source[start:end])
                last = end
        except BadSyntax:
            pass  # what is never closed is no Liquid, and told elsewhere
        return "".join([*done, source[last:]])

    def _liquid_in(self, text: str) -> str:
        return _MARK.sub(lambda found: self.liquid[int(found[0].strip(_LIQUID))], text)

    def as_tree(self) -> str:
        """Write the HTML out as html5ever reads it: all tags closed, entities plain, no comments.

        The styles are in the tags. The marks of Liquid are words. What is not tame is as it was.
        """
        whole = self.html
        if self.is_tame:
            try:
                whole = _INLINER.inline(self.html)
            except css_inline.InlineError:
                whole = _READER.inline(self.html)
        return _MARKS.sub(_as_word, whole)

    def restore(self, html: str) -> str:
        """Put all back into HTML that was made of `html`."""
        if self.doctype:  # html5ever keeps no more of it than its name
            html = html.replace("<!DOCTYPE html>", self.doctype, 1)
        html = _BRACES.sub("&#123;", html.replace(_AGAIN, ""))
        return _MARKS.sub(self._piece, html)

    def restore_text(self, text: str) -> str:
        """Put the Liquid back into text that was made of `html`."""
        text = _BRACES.sub("{{ '{' }}", text)
        return _MARKS.sub(self._piece, text)

    def _piece(self, found: re.Match[str]) -> str:
        if found[1] == _COMMENT:
            return self.comments[int(found[2])]
        return self.liquid[int(found[2] or found[3])]

    def survived(self, after: str) -> bool:
        """Whether all marks are still there.

        Rules may be copied into many tags, so only the marks in running text must keep number and
        order.
        """
        before = self.html
        if _in_text(before) != _in_text(after):
            return False
        return set(_MARK.findall(before)) == set(_MARK.findall(after))


def _as_word(found: re.Match[str]) -> str:
    if found[1] == _COMMENT:
        return ""
    return f"{_LIQUID}{found[2] or found[3]}{_LIQUID}"


def _in_text(html: str) -> list[str]:
    return [found[0] for found in _MARKS.finditer(html) if found[1]]


def _renamed(tag: Token, said: str) -> str:
    """Keep what a tag says twice, as `{% if %}href=…{% else %}href=…{% endif %}` does.

    A tree has each name once.
    """
    seen: set[str] = set()
    done = []
    last = 0
    for times, attribute in enumerate(tag.attributes):
        if attribute.name in seen:
            at = attribute.named_at - tag.start
            done += [said[last:at], _AGAIN * times]
            last = at
        seen.add(attribute.name)
    return "".join([*done, said[last:]])


def inline_styles(html: str) -> str:
    """Move the rules of `<style>` into the tags; Gmail and Outlook ignore many of them.

    What can't be moved stays: media queries, `:hover`, and rules for what a mail program puts
    around the mail. A document whose styles can't be read, that is not tame, or whose Liquid would
    not come out whole and in order, is returned unchanged.
    """
    if "<style" not in html.lower():
        return html
    protected = Protected(html)
    if not protected.is_tame:
        return html
    try:
        inlined = _INLINER.inline(protected.html)
    except css_inline.InlineError:
        return html
    if protected.survived(inlined):
        return protected.restore(inlined)
    return html

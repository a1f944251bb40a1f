"""What stands in braces and is the same for every reader of a mail becomes words.

The site's name and address, and the beginnings and ends of our own links, are joined with the words
around them, so that all of it is cleaned, put in order and encoded once. What signs a link is the
reader's own and becomes a node of its own: `LinkToken`.

    Leave {{ site.name }}: {{ links.unsubscribe }}.
    →  "Leave The Garden Society: https://news.example.org/u/", LinkToken(managing), "/."
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from liquid.ast import BlockNode, Node

from apps.channels.pieces import Static
from apps.content.liquid.nodes import LinkToken, Value, Words, clean, plain_path
from apps.content.liquid.undocumented import escaped

# In words these stand where a reader's token goes. Nobody writes them by accident.
TRACKING = "CARILLON-TRACKING-TOKEN-HERE"
MANAGING = "CARILLON-MANAGING-TOKEN-HERE"
VIEWING = "CARILLON-VIEWING-TOKEN-HERE"
_NAMES = {TRACKING: "tracking", MANAGING: "managing", VIEWING: "viewing"}
_MARK = re.compile(f"({TRACKING}|{MANAGING}|{VIEWING})")
_NOTHING: Any = None  # our tags include no other templates, so none asks the context for them

# paths as ("site", "name") with what they are for every reader; marks in it are tokens
SameForAll = frozenset[tuple[tuple[str, ...], str]]


def fix(nodes: list[Node], known: SameForAll, *, html: bool) -> None:
    """Put words and link tokens in place of what is known, and of the marks in the words.

    A name that the template itself gives to something else, in a loop or by `assign`, is left as
    it is. `nodes` are quick ones (nodes.py).
    """
    taken = set(_given(nodes))
    free: dict[tuple[str, ...], str] = {}
    for path, text in known:
        if path[0] not in taken:
            free[path] = clean(text)
            if html:
                free[path] = escaped(free[path])
    _fix(nodes, free)


def _given(nodes: Iterable[Node]) -> Iterator[str]:
    """List the names that these nodes give."""
    for node in nodes:
        yield from map(str, node.template_scope())
        yield from map(str, node.block_scope())
        yield from _given(node.children(_NOTHING))


def _fix(nodes: list[Node], known: Mapping[tuple[str, ...], str]) -> None:
    done: list[Node] = []
    for node in nodes:
        words = _words_of(node, known)
        if words is None:
            done.append(node)
            _fix_below(node, known)
            continue
        for part in filter(None, _MARK.split(words)):
            if name := _NAMES.get(part):
                done.append(LinkToken(node.token, name))
            elif done and isinstance(before := done[-1], Words):
                before.text = Static(before.text + part)
            else:
                done.append(Words(node.token, Static(part)))
    nodes[:] = done


def _fix_below(node: Node, known: Mapping[tuple[str, ...], str]) -> None:
    for child in node.children(_NOTHING):
        if isinstance(child, BlockNode):
            _fix(child.nodes, known)
        else:
            _fix_below(child, known)


def _words_of(node: Node, known: Mapping[tuple[str, ...], str]) -> str | None:
    """Give the words that a node writes for everybody; None where they differ."""
    if isinstance(node, Words):
        return node.text
    if isinstance(node, Value) and (path := plain_path(node.expression)):
        return known.get(path)
    return None

"""Liquid's nodes made to write a mail in pieces, quickly.

They mean what python-liquid's mean, without what we never use: disabled tags, streams, blocks that
are suppressed and write all the same. Most of a template is written as Python in the end
(compiled.py), which is quicker still. tests/content/liquid/test_nodes.py compares all three.
"""

import re
from collections.abc import Iterable
from typing import Any, NoReturn

from django.utils.translation import gettext as _
from liquid import RenderContext, Token
from liquid.ast import BlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path, logical
from liquid.builtin.output import OutputNode
from liquid.exceptions import LoopIterationLimitError, OutputStreamLimitError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string
from markupsafe import escape

from apps.channels.pieces import Static
from apps.content.liquid.undocumented import found_in

# characters of one rendered part; Gmail clips at 102 kB, so this is for logs and bombs
MAX_OUTPUT = 1_000_000
MAX_ITERATIONS = 20_000  # rounds of all loops of one part together

# PostgreSQL refuses NUL; the others have no place in mail
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean(text: str) -> str:
    """Remove control characters, and make every line break a plain one."""
    if text.isprintable():  # the name of nearly everybody; the test is quick
        return text
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def clean_piece(piece: str) -> str:
    """Clean a piece; a `Static` one is so already."""
    if type(piece) is Static:
        return piece
    return clean(piece)


def too_long() -> NoReturn:
    said = _("more than {count} characters come out").format(count=MAX_OUTPUT)
    raise OutputStreamLimitError(said, token=None)


def too_many_rounds() -> NoReturn:
    said = _("more than {count} rounds of loops").format(count=MAX_ITERATIONS)
    raise LoopIterationLimitError(said, token=None)


def refuse_long_range(value: object) -> None:
    if isinstance(value, range) and value[-1:] and value[-1] - value[0] >= MAX_ITERATIONS:
        said = _("a range of more than {count} numbers").format(count=MAX_ITERATIONS)
        raise LoopIterationLimitError(said, token=None)


def contains(token: Token, left: object, right: object) -> bool:
    """Ask python-liquid's own, which walks a whole range to find that a text is not in it."""
    refuse_long_range(left)
    return found_in(token, left, right)


class Collector:
    """What a template writes, kept in pieces, up to a limit."""

    __slots__ = ("limit", "pieces", "size")

    def __init__(self, written: int = 0) -> None:
        """Begin; `written` is the size of what stands around it already, for a part of a part."""
        self.limit = MAX_OUTPUT - written
        self.size = 0
        self.pieces: list[str] = []

    def write(self, text: str) -> int:
        self.size += len(text)
        if self.size > self.limit:
            too_long()
        self.pieces.append(text)
        return len(text)

    def getvalue(self) -> str:
        return "".join(self.pieces)


class Words(ContentNode):
    """Fixed words."""

    __slots__ = ()

    def render(self, context: RenderContext, buffer: Any) -> int:
        written: int = buffer.write(self.text)
        return written


class Value(OutputNode):
    """What stands in braces."""

    __slots__ = ()

    def render(self, context: RenderContext, buffer: Any) -> int:
        value = self.expression.evaluate(context)
        if type(value) is not str:
            value = to_liquid_string(value, context.autoescape)
        elif context.autoescape:
            value = escape(value)
        written: int = buffer.write(value)
        return written


class LinkToken(Node):
    """The token that signs a reader's link (fixed.py puts it there): `which` of them."""

    __slots__ = ("which",)

    def __init__(self, token: Token, which: str) -> None:
        super().__init__(token)
        self.which = which
        self.blank = False

    def render_to_output(self, context: RenderContext, buffer: Any) -> int:
        globals_: Any = context.globals
        written: int = buffer.write(globals_["links"][self.which])
        return written


class _Path(Path):
    """A path of names only, as in `follower.first_name`."""

    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        path: Any = self.path
        value: Any = None
        for names in context.scope._maps:
            if path[0] in names:
                value = names[path[0]]
                break
        else:
            return super().evaluate(context)  # it knows what is undefined
        for name in path[1:]:
            if type(value) is not dict or name not in value:
                return super().evaluate(context)  # it knows what else has members
            value = value[name]
        return value


class Contains(logical.ContainsExpression):
    __slots__ = ()

    def evaluate(self, context: RenderContext) -> object:
        return contains(self.token, self.left.evaluate(context), self.right.evaluate(context))


class _Block(BlockNode):
    __slots__ = ()

    def render(self, context: Any, buffer: Any) -> int:
        if self.blank:
            buffer = Collector()  # rendered for what it assigns; its line breaks are not wanted
        before = buffer.size
        for node in self.nodes:
            context.hurry(node.token)
            node.render(context, buffer)
        if self.blank:
            return 0
        written: int = buffer.size - before
        return written


_NOTHING: Any = None  # our tags include no other templates, so none asks the context for them


def quicken(nodes: Iterable[Node]) -> None:
    """Make the nodes below and these quick."""
    for node in nodes:
        if type(node) is ContentNode:
            node.__class__ = Words
            # the same for every reader, so it is cleaned here and encoded once
            node.text = Static(clean(node.text))
        elif type(node) is OutputNode:
            node.__class__ = Value
            if type(node.expression) is FilteredExpression and not node.expression.filters:
                node.expression = node.expression.left
        elif type(node) is BlockNode:
            node.__class__ = _Block
        _quicken_expressions(node.expressions())
        quicken(node.children(_NOTHING))


def plain_path(expression: Expression) -> tuple[str, ...]:
    """Give a path of names only, as `follower.first_name`; () for all else."""
    if isinstance(expression, Path) and all(type(name) is str for name in expression.path):
        return tuple(map(str, expression.path))
    return ()


def _quicken_expressions(expressions: Iterable[Expression]) -> None:
    for expression in expressions:
        if type(expression) is Path and plain_path(expression):
            expression.__class__ = _Path
        elif type(expression) is logical.ContainsExpression:
            expression.__class__ = Contains
        _quicken_expressions(expression.children())

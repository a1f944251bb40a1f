"""Reading what staff write: Liquid with every limit set, and filters that know languages."""

import bisect
import functools
import re
from collections.abc import Iterator
from typing import Any, cast

from django.utils.translation import gettext
from liquid import BoundTemplate, Environment
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError

from apps.content.liquid.as_lines import LinesWriter, Odd, as_lines
from apps.content.liquid.compiled import Writer, as_python
from apps.content.liquid.filters import date, money, number, plural
from apps.content.liquid.fixed import SameForAll, fix
from apps.content.liquid.limits import (
    MAX_LOCALS,
    LimitedContext,
    LimitedFor,
    LimitedTablerow,
    bounded,
)
from apps.content.liquid.nodes import (
    MAX_ITERATIONS,
    MAX_OUTPUT,
    Collector,
    clean_piece,
    quicken,
)

MAX_SOURCE = 500_000  # characters of one part


class Parsed(BoundTemplate):
    """A part, ready to be written for one reader after the other."""

    context_class = LimitedContext

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        quicken(self.nodes)

    def pieces(self, values: dict[str, Any]) -> list[str]:
        """Write the words in pieces, clean.

        `Static` ones alternate with what differs from reader to reader.
        """
        if self._write:
            return self._write(values, self._context)
        return self._walked(values)

    def lines(self, values: dict[str, Any]) -> bytes | None:
        """Write the words as lines of a mail's body, clean and a text's blank lines in order
        (as_lines.py); None where that takes the pieces.
        """
        if self.write_lines is None:
            return None
        try:
            return self.write_lines(values, self._context)
        except Odd:
            return None

    @functools.cached_property
    def write_lines(self) -> LinesWriter | None:
        """What `lines` writes with; None for a template that is always written in pieces."""
        return as_lines(self.env, self.nodes)

    @functools.cached_property
    def _write(self) -> Writer | None:
        return as_python(self.env, self.nodes)

    def _context(self, values: dict[str, Any]) -> LimitedContext:
        return LimitedContext(self, globals=values)

    def _walked(self, values: dict[str, Any]) -> list[str]:
        """Write node by node: a template so long that compiling it would take longer."""
        context = self._context(values)
        buffer = Collector()
        output: Any = buffer  # all that a node asks of it
        for node in self.nodes:
            try:
                context.hurry(node.token)
                node.render(context, output)
            except LiquidInterrupt as interrupt:
                self.env.error(LiquidSyntaxError(f"unexpected '{interrupt}'", token=node.token))
            except LiquidError as error:
                self.env.error(error, token=node.token)
        return list(map(clean_piece, buffer.pieces))

    def render(self, *args: Any, **kwargs: Any) -> str:
        return "".join(self.pieces(dict(*args, **kwargs)))


class LimitedEnvironment(Environment):
    template_class = Parsed
    loop_iteration_limit = MAX_ITERATIONS
    local_namespace_limit = MAX_LOCALS
    output_stream_limit = MAX_OUTPUT
    context_depth_limit = 20
    block_nesting_limit = 20

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        # there is nothing to include: layouts are put around by us
        for tag in ("include", "render"):
            del self.tags[tag]
        del self.filters["safe"]  # would let a follower's own data into the mail as HTML
        del self.filters["escapejs"]  # marks its result safe as well, and mail runs no scripts
        self.add_tag(LimitedFor)
        self.add_tag(LimitedTablerow)
        for function in (number, money, plural, date):
            self.add_filter(function.__name__, function)
        self.filters = {name: bounded(name, function) for name, function in self.filters.items()}


_HTML = LimitedEnvironment(autoescape=True)
_TEXT = LimitedEnvironment(autoescape=False)


class BadSyntax(ValueError):
    """The source can't be read; `line` counts from 1, `unclosed` has no end."""

    def __init__(self, message: str, line: int, *, unclosed: bool = False):
        super().__init__(message)
        self.line = line
        self.unclosed = unclosed


def _unclosed(opening: str, closing: str, line: int) -> BadSyntax:
    said = gettext("{opening} is never closed with {closing}")
    return BadSyntax(said.format(opening=opening, closing=closing), line, unclosed=True)


def _unclosed_block(tag: str, line: int) -> BadSyntax:
    return _unclosed(f"{{% {tag} %}}", f"{{% end{tag} %}}", line)


_OPENING = re.compile(r"\{\{|\{%")
_VERBATIM = re.compile(r"-?\s{0,20}(raw|comment|doc)\s{0,20}-?")


def pieces(source: str) -> Iterator[tuple[int, int]]:
    """Find where each piece of Liquid begins and ends; a verbatim block is one piece.

    It is one pass. python-liquid's own lexer takes minutes over what is never closed; that raises
    BadSyntax here.
    """
    at = 0
    while found := _OPENING.search(source, at):
        start = found.start()
        closing = "%}"
        if found[0] == "{{":
            closing = "}}"
        end = source.find(closing, found.end())
        if end < 0:
            raise _unclosed(found[0], closing, _lines(source[:start]))
        inside = source[found.end() : end]
        if len(inside) > 20_000 or re.search(r"\s{100}", inside):
            said = gettext("this {piece} is too long").format(piece=f"{found[0]} … {closing}")
            raise BadSyntax(said, _lines(source[:start]))
        at = end + 2
        if closing == "%}" and (verbatim := _VERBATIM.fullmatch(inside)):
            tag = verbatim[1]
            end_tag = re.compile(rf"\{{%-?\s{{0,20}}end{tag}\s{{0,20}}-?%\}}")
            ending = end_tag.search(source, at)
            if not ending:
                raise _unclosed_block(tag, _lines(source[:start]))
            at = ending.end()
        yield start, at


def parse(source: str, *, html: bool = False, known: SameForAll | None = None) -> Parsed:
    """Read a template; its values are escaped if `html`. With `known`, what is the same for all
    readers becomes words, and marks become tokens (fixed.py). Raises BadSyntax at the first
    mistake.
    """
    if len(source) > MAX_SOURCE:
        said = gettext("this part is longer than {count} characters").format(count=MAX_SOURCE)
        raise BadSyntax(said, 1)
    for _ in pieces(source):
        pass  # it raises for what is never closed
    environment = _TEXT
    if html:
        environment = _HTML
    try:
        parsed = cast(Parsed, environment.from_string(source))
    except LiquidError as error:
        message = str(error.message)
        if message.startswith("expected tag end"):
            block = message.removeprefix("expected tag end").partition(",")[0]
            raise _unclosed_block(block, _lines(source)) from error
        line = line_of(error) or _line_by_trying(environment, source, message)
        # python-liquid's own words, which are English
        raise BadSyntax(message, line, unclosed="closed" in message) from error
    if known is not None:
        fix(parsed.nodes, known, html=html)
    return parsed


def _lines(source: str) -> int:
    return source.count("\n") + 1


def _line_by_trying(environment: Environment, source: str, message: str) -> int:
    """Find where an error without a place comes from.

    It is the end of the shortest beginning of the source that has it too.
    """
    ends = [found.end() for found in re.finditer(r"\}\}|%\}", source)]

    def has_it(end: int) -> bool:
        try:
            environment.from_string(source[:end])
        except LiquidError as error:
            return str(error.message) == message
        return False

    at = bisect.bisect_left(ends, True, key=has_it)
    if at < len(ends):
        return _lines(source[: ends[at]])
    return 1


def known_filters() -> list[str]:
    return sorted(_TEXT.filters)


def known_tags() -> list[str]:
    return sorted(
        name
        for name in _TEXT.tags
        if name.isidentifier() and name not in {"illegal", "content", "output"}
    )


def line_of(error: BaseException) -> int | None:
    """Return the line an error points at, counted from 1."""
    if isinstance(error, BadSyntax):
        return error.line
    place = None
    if isinstance(error, LiquidError):
        place = error.context()
    if place:
        return place[0]
    return None

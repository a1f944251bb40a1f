"""A template written as Python that writes the body of a mail: bytes, in quoted-printable.

The same nodes as in compiled.py, which has the pieces; this has the lines that they are on the wire
(channels/mail/quoted.py). Every part begins and ends at column 0, so what is the same for every
reader is encoded here, once, and the function puts it between values that it encodes one by one.

    Hello to {{ name }}!       →      …
    Bye.                              out += (b'Hello to =\\r\\n', lines_of_value(f'{v1}!'))
                                      out += (b'\\r\\n', b'Bye.=\\r\\n')

A text's blank lines are put in order as blank_lines.py does it with the whole. Words know how many
line breaks they begin and end with; `b` says how many stand at the end of what is written, 3 where
nothing is yet, and picks the words without those that are too many. What only the whole text can
tell (`Odd`: a value of several lines, blanks around it) is written the longer way.
"""

from binascii import b2a_qp
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn, cast

from liquid import Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.tags.assign_tag import AssignNode
from liquid.builtin.tags.capture_tag import CaptureNode

from apps.channels.mail.quoted import SOFT, body, lines_of, lines_of_value
from apps.channels.pieces import Pieces, Static
from apps.content.liquid.blank_lines import inner
from apps.content.liquid.compiled import Fragment, PythonSource, as_f_string, written
from apps.content.liquid.nodes import LinkToken, clean_piece

# characters of words that are put together with the values around them: more are encoded once
# faster than they are looked at again and again
SHORT = 8
NOTHING_YET = 3

LinesWriter = Callable[[dict[str, Any], Callable[[dict[str, Any]], RenderContext]], bytes]
_NOTHING: Any = None  # our tags include no other templates, so none asks the context for them
# what str.strip takes away, but for line ends, and how it may be written
_BLANKS = "\t\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
_BLANKS += "\u2028\u2029\u202f\u205f\u3000"
_BLANK = (b" ", b"\t", *(b2a_qp(blank.encode()) for blank in _BLANKS))


class Odd(Exception):
    """A text that can't be put in order piece by piece, for this reader."""


class _Unfit(Exception):
    """A text that can't be put in order piece by piece, for nobody."""


def as_lines(env: Environment, nodes: Sequence[Node]) -> LinesWriter | None:
    """Write a template as a function that returns lines; a text, where `env` does not escape, with
    its blank lines in order, and then it may raise Odd.

    None for a template that is too long, or a text of which only the whole tells what is blank.
    """
    kind = _Lines
    if not env.autoescape:
        kind = _TextLines
    try:
        return cast(LinesWriter | None, written(env, nodes, kind, _TOOLS))
    except _Unfit:
        return None


def _odd() -> NoReturn:
    raise Odd


def _ends_blank(lines: bytes) -> bool:
    return lines.startswith(_BLANK) or lines[-20:].rstrip(b"=\r\n").endswith(_BLANK)


def _lines_of_pieces(pieces: Iterable[str]) -> bytes:
    """Write what python-liquid has put."""
    return body(Pieces(list(map(clean_piece, pieces))))


_TOOLS: dict[str, Any] = {
    "ends_blank": _ends_blank,
    "lines_of_pieces": _lines_of_pieces,
    "lines_of_value": lines_of_value,
    "odd": _odd,
    "soft_break": SOFT,
}


class _Lines(PythonSource):
    """The lines of a function that writes lines."""

    def _begin(self) -> None:
        super()._begin()
        for which in sorted(_tokens_in(self.nodes)):
            # a token is short and may stand in any URL, so nothing of it needs to be encoded
            self._line(f"{which} = names['links'][{which!r}].encode() + soft_break")

    def _is_long(self, words: Static) -> bool:
        return len(words) > SHORT or "\n" in words or "=" in words

    def _fixed(self, words: Static) -> str:
        return self._know(lines_of(words))

    def _token(self, node: LinkToken) -> str:
        return node.which

    def _own(self, text: str) -> str:
        return f"lines_of_value({text})"

    def _put_foreign(self, node: Node) -> None:
        self._line("out.append(lines_of_pieces(buffer.pieces))")

    def _return(self) -> None:
        self._line("return b''.join(out)")


def _tokens_in(nodes: Iterable[Node]) -> set[str]:
    found = set()
    for node in nodes:
        if isinstance(node, LinkToken):
            found.add(node.which)
        found |= _tokens_in(node.children(_NOTHING))
    return found


def _is_seen(part: Fragment) -> bool:
    """Whether it makes its line one that isn't blank, for every reader."""
    if isinstance(part, LinkToken):
        return True
    return type(part) is Static and bool(part.strip())


class _TextLines(_Lines):
    """The lines of a function that writes those of a text, with its blank lines in order."""

    def _begin(self) -> None:
        super()._begin()
        # line breaks at the end of what is written, where that is known here; else `b` has it
        self._breaks: int | None = NOTHING_YET

    def _clean(self, text: str) -> None:
        self._line(f"if not {text}.isprintable():")
        self._line(f"    {text} = clean({text})")
        self._line(f"    if '\\n' in {text}: odd()")
        self._line(f"if {text} != {text}.strip(): odd()")

    def _put(self) -> None:
        line: list[Fragment] = []
        for part in self._run:
            if type(part) is Static and "\n" in part:
                begin = part.index("\n")
                end = part.rindex("\n") + 1
                self._put_in_line([*line, Static(part[:begin])])
                self._put_whole_lines(part[begin:end])
                part = Static(part[end:])
                line = []
            line.append(part)
        self._put_in_line(line)
        self._run = []

    def _put_in_line(self, line: Iterable[Fragment]) -> None:
        """Put parts of one line."""
        parts = [part for part in line if part]
        if any(map(_is_seen, parts)):
            self._line(f"out += ({', '.join(self._pieces(parts))},)")
            self._breaks = 0
            return
        own: list[Static | str] = [part for part in parts if isinstance(part, str)]
        if own and all(type(part) is Static for part in own):
            raise _Unfit  # blanks alone: what stands beside them may be nothing, or not
        if own:
            text = self._new()
            self._line(f"{text} = {as_f_string(own)}")
            self._line(f"if {text}.isspace(): odd()")
            self._settle()
            self._line(f"if {text}: out.append({self._own(text)}); b = 0")

    def _put_whole_lines(self, words: str) -> None:
        """Put words that begin and end with a line break."""
        ways, after = _by_breaks(words)
        if self._breaks is None:
            self._line(f"out.append({self._know(tuple(map(lines_of, ways)))}[b])")
            self._line(f"b = {self._know(after)}[b]")
        else:
            self._line(f"out.append({self._fixed(Static(ways[self._breaks]))})")
            self._breaks = after[self._breaks]

    def _settle(self) -> None:
        """Leave it to `b` how many line breaks stand at the end."""
        if self._breaks is not None:
            self._line(f"b = {self._breaks}")
        self._breaks = None

    def _end(self) -> None:
        super()._end()
        self._settle()

    def _put_foreign(self, node: Node) -> None:
        if not isinstance(node, AssignNode | CaptureNode):
            raise _Unfit

    def _return(self) -> None:
        self._line("text = b''.join(out)")
        self._line("if ends_blank(text): odd()")
        self._line("if b == 2: text = text[:-2]")
        self._line("return text")


def _by_breaks(words: str) -> tuple[tuple[str, str, str, str], tuple[int, int, int, int]]:
    """Put words in order that begin and end with a line break: (what they are, how many line breaks
    stand at the end then), each by the number of line breaks before, and NOTHING_YET.
    """
    text = inner(words)
    if text.isspace():
        return (text, "\n", "", ""), (len(text), 2, 2, NOTHING_YET)
    begin = len(text) - len(text.lstrip("\n"))
    end = len(text) - len(text.rstrip("\n"))
    ways = (text, text[begin - 1 :], text[begin:], text.lstrip())
    return ways, (end, end, end, end)

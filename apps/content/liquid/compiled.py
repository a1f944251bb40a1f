"""A parsed template written as Python, once, for those who read the same words after this one.

python-liquid walks a tree for each reader, a call and a look-up for every step; what is generated
here takes a tenth of that. It writes out what mail is made of (words, values, `if`, `unless`, `for`
over a list) and leaves all else to python-liquid, node by node and expression by expression, in the
same context. So whatever is undefined, odd or wrong means what it means there;
tests/content/liquid/test_nodes.py compares the two.

    for item in follower.metadata.items   →   try:
      {{ item.name }}: {{ item.price }}           v1 = names['follower']['metadata']['items']
                                              except MISSING:
                                                  v1 = K1.evaluate(context := context or new(names))
                                              …
                                              for v2 in v1:
                                                  try:
                                                      v3 = v2['name']
                                                  …
                                                  out += (f'{v3}: {v4}\n',)

Nothing of a template's own text gets into the code but as `repr` of a str.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from liquid import Environment, Markup, RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import BooleanExpression, Path, StringLiteral, logical
from liquid.builtin.expressions.primitive import Blank, Empty, Literal, Nil
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.for_tag import ForLoop, ForNode
from liquid.builtin.tags.if_tag import IfNode
from liquid.builtin.tags.unless_tag import UnlessNode
from liquid.exceptions import LiquidError, LiquidInterrupt, LiquidSyntaxError
from liquid.expression import Expression
from liquid.stringify import to_liquid_string

from apps.channels.pieces import Static
from apps.content.liquid.nodes import (
    MAX_ITERATIONS,
    MAX_OUTPUT,
    Collector,
    Contains,
    LinkToken,
    Value,
    Words,
    clean,
    clean_piece,
    contains,
    plain_path,
    too_long,
    too_many_rounds,
)
from apps.content.liquid.undocumented import at_most, equal, escaped, less

# nodes and expressions; a newsletter has 50, for which Python takes twice what parsing takes
LONGEST = 1000
DEEPEST = 4  # loops in loops; python-liquid counts more than 16
# nodes and expressions in all rounds of a loop;
# for more of them the clock is looked at in each round
UNWATCHED = 1000
# characters of words that are put together with the values around them: fewer pieces to look at
SHORT = 40
TOKEN = 75  # characters of a link's token, at most

# words, the variable of a value, or a token
Fragment = Static | str | LinkToken
Writer = Callable[[dict[str, Any], Callable[[dict[str, Any]], RenderContext]], list[str]]

_NOTHING: Any = None
_COMPARED = {
    logical.EqExpression: "equal({0}, {1})",
    logical.NeExpression: "not equal({0}, {1})",
    logical.LtExpression: "less({2}.token, {0}, {1})",
    logical.GtExpression: "less({2}.token, {1}, {0})",
    logical.LeExpression: "at_most({0}, {1})",
    logical.GeExpression: "at_most({1}, {0})",
    Contains: "contains({2}.token, {0}, {1})",
}


class _Foreign(Exception):
    """A node that python-liquid has to render itself."""


def _within(context: RenderContext, names: dict[str, Any], expression: Expression) -> object:
    """Evaluate an expression where a loop has given these names."""
    context.scope.push(names)
    try:
        return expression.evaluate(context)
    finally:
        context.scope.pop()


_TOOLS: dict[str, Any] = {
    "MISSING": (KeyError, TypeError, IndexError),
    "Collector": Collector,
    "ForLoop": ForLoop,
    "LiquidError": LiquidError,
    "LiquidInterrupt": LiquidInterrupt,
    "LiquidSyntaxError": LiquidSyntaxError,
    "at_most": at_most,
    "clean": clean,
    "clean_piece": clean_piece,
    "contains": contains,
    "equal": equal,
    "escaped": escaped,
    "less": less,
    "too_long": too_long,
    "too_many_rounds": too_many_rounds,
    "truthy": logical.is_truthy,
    "within": _within,
    "worded": to_liquid_string,
}


def as_python(env: Environment, nodes: Sequence[Node]) -> Writer | None:
    """Write a template as a function.

    It takes the names a template sees and what makes a context for them, and returns the pieces,
    clean. `nodes` are quick ones (nodes.py). None for a template that is too long, or has hundreds
    of conditions in one.
    """
    return cast(Writer | None, written(env, nodes, PythonSource, {}))


def written(
    env: Environment, nodes: Sequence[Node], kind: "type[PythonSource]", tools: Mapping[str, Any]
) -> Any:
    """Make the function whose source `kind` writes, which knows `tools`; None as above."""
    if _size(nodes, 0) > LONGEST or _goes_on(nodes):
        return None
    try:
        source = kind(env, nodes, mixed=False)
        if source.foreign:  # may assign names, so these are looked up elsewhere as well
            source = kind(env, nodes, mixed=True)
        code = compile("\n".join(source.lines), "<template>", "exec")
    except (SyntaxError, RecursionError, MemoryError):  # what Python says to too many parentheses
        return None
    known = {**_TOOLS, **tools, **source.known}
    exec(code, known)  # noqa: S102  # of a template's own text it holds `repr` of str only
    return known["write"]


def _size(nodes: Sequence[Node], so_far: int) -> int:
    for node in nodes:
        so_far += 1 + sum(map(_weight, node.expressions()))
        if so_far > LONGEST:
            break
        so_far = _size(list(node.children(_NOTHING)), so_far)
    return so_far


def _weight(expression: Expression) -> int:
    return 1 + sum(map(_weight, expression.children()))


def _goes_on(nodes: Sequence[Node]) -> bool:
    """Whether a loop goes on where another one stopped (`offset: continue`).

    Only python-liquid's own loops note where they stopped.
    """
    for node in nodes:
        if any(getattr(expression, "offset", None) for expression in node.expressions()):
            return True
        if _goes_on(list(node.children(_NOTHING))):
            return True
    return False


class PythonSource:
    """The lines of the function, and the objects it knows by the names K1, K2, …"""

    def __init__(self, env: Environment, nodes: Sequence[Node], *, mixed: bool) -> None:
        self.nodes = nodes
        self._html = env.autoescape
        self._mixed = mixed
        self.foreign = False
        self.known: dict[str, Any] = {}
        # a name of the template, and the variable that holds it
        self._loops: list[tuple[str, str]] = []
        self._counted = False  # `forloop` is asked for
        self._run: list[Fragment] = []  # not yet put
        self._owed = 0  # characters of words, not yet added to the size
        self._indent = "    "
        self._temps = 0
        self.lines = [
            "def write(names, new):",
            "    out, size, rounds, context, at = [], 0, 0, None, 0",
        ]
        self._begin()
        self._line("try:")
        with_errors = self._inside()
        for number, node in enumerate(nodes):
            if not isinstance(node, Words | LinkToken):
                self._line(f"at = {number}")
            self._node(node)
        self._end()
        self._line("pass")
        self._indent = with_errors
        token = f"{self._know(nodes)}[at].token"
        error = f"{self._know(env)}.error"
        unexpected = f"LiquidSyntaxError(f\"unexpected '{{interrupt}}'\", token={token})"
        self._line("except LiquidInterrupt as interrupt:")
        self._line(f"    {error}({unexpected}, token={token})")
        self._line("except LiquidError as error:")
        self._line(f"    {error}(error, token={token})")
        self._return()

    def _begin(self) -> None:
        if self._mixed:
            self._line("context, buffer = new(names), Collector()")
            self._line("assigned = context.locals")

    # ---- lines
    def _line(self, words: str) -> None:
        self.lines.append(self._indent + words)

    def _inside(self) -> str:
        """Indent what belongs to the line before; returns where to come back to."""
        before = self._indent
        self._indent += "    "
        return before

    def _know(self, thing: object) -> str:
        name = f"K{len(self.known) + 1}"
        self.known[name] = thing
        return name

    def _new(self) -> str:
        self._temps += 1
        return f"v{self._temps}"

    def _put(self) -> None:
        """Put the words and values that wait."""
        pieces = self._pieces(self._run)
        self._run = []
        if pieces:
            self._line(f"out += ({', '.join(pieces)},)")

    def _pieces(self, parts: Iterable[Fragment]) -> list[str]:
        """Write parts as expressions, one for each piece: long words, tokens, and short words and
        values together.
        """
        pieces: list[str] = []
        together: list[Static | str] = []
        for part in parts:
            if isinstance(part, LinkToken):
                pieces += [*self._as_one(together), self._token(part)]
                together = []
            elif type(part) is Static and self._is_long(part):
                pieces += [*self._as_one(together), self._fixed(part)]
                together = []
            else:
                together.append(part)
        return pieces + self._as_one(together)

    def _as_one(self, together: Sequence[Static | str]) -> list[str]:
        """Write one piece as an expression; none where it is nothing."""
        if all(type(each) is Static for each in together):
            words = Static("".join(together))
            return [self._fixed(words)] * bool(words)
        if len(together) == 1:
            return [self._own(together[0])]
        return [self._own(as_f_string(together))]

    # ---- what a piece is; as_lines.py has it as lines
    def _is_long(self, words: Static) -> bool:
        return len(words) > SHORT

    def _fixed(self, words: Static) -> str:
        return self._know(words)

    def _token(self, node: LinkToken) -> str:
        return f"names['links'][{node.which!r}]"

    def _own(self, text: str) -> str:
        return text

    def _put_foreign(self, node: Node) -> None:
        """Put what python-liquid has written for a node."""
        self._line("out += map(clean_piece, buffer.pieces)")

    def _return(self) -> None:
        self._line("return out")

    def _end(self) -> None:
        """End a block: what it has written is put and counted."""
        self._put()
        if self._owed:
            self._count(str(self._owed))

    def _count(self, length: str) -> None:
        self._line(f"size += {length}")
        self._line(f"if size > {MAX_OUTPUT}: too_long()")
        self._owed = 0

    # ---- nodes
    def _node(self, node: Node) -> None:
        match node:
            case Words():
                if node.text:
                    self._run.append(cast(Static, node.text))
                    self._owed += len(node.text)
            case Value():
                self._value(node.expression)
            case LinkToken():
                self._run.append(node)
                self._owed += TOKEN
            case CommentNode():
                pass
            case _:
                self._end()
                before = len(self.lines), self._indent, self._loops[:]
                try:
                    if type(node) is IfNode or type(node) is UnlessNode:
                        self._if(node)
                    elif type(node) is ForNode:
                        self._for(node)
                    else:
                        raise _Foreign
                except _Foreign:
                    length, self._indent, self._loops = before
                    if self._loops:
                        raise  # the whole loop is python-liquid's: it has names for the node
                    del self.lines[length:]
                    self._run = []
                    self._owed = 0
                    self.foreign = True
                    self._line("buffer.size, buffer.pieces = size, []")
                    self._line(f"{self._know(node)}.render(context, buffer)")
                    self._line("size = buffer.size")
                    self._put_foreign(node)

    def _value(self, expression: Expression) -> None:
        value = self._load(expression)
        text = self._new()
        shown = value
        if self._html:
            shown = f"escaped({value})"
        self._line(f"if type({value}) is str: {text} = {shown}")
        self._line(f"else: {text} = worded({value}, {self._html})")
        length = f"len({text})"
        if self._owed:
            length = f"{length} + {self._owed}"
        self._count(length)
        self._clean(text)
        self._run.append(text)

    def _clean(self, text: str) -> None:
        self._line(f"if not {text}.isprintable(): {text} = clean({text})")

    def _block(self, block: BlockNode | None) -> None:
        before = self._inside()
        self._line("pass")
        if block and block.blank:  # rendered for what it assigns
            if not all(type(node) in (Words, CommentNode) for node in block.nodes):
                raise _Foreign
        elif block:
            for node in block.nodes:
                self._node(node)
            self._end()
        self._indent = before

    def _if(self, node: IfNode | UnlessNode) -> None:
        # all conditions are looked up first: that changes nothing but what it takes,
        # and `elif` keeps long ones flat
        test = self._test(node.condition)
        if type(node) is UnlessNode:
            test = f"not {test}"
        others = [self._test(alternative.expression) for alternative in node.alternatives]
        self._line(f"if {test}:")
        self._block(node.consequence)
        for other, alternative in zip(others, node.alternatives, strict=True):
            self._line(f"elif {other}:")
            self._block(alternative.block)
        if node.default:
            self._line("else:")
            self._block(node.default)

    def _for(self, node: ForNode) -> None:
        loop = node.expression
        odd = loop.limit or loop.offset or loop.reversed or loop.identifier == "forloop"
        if odd or len(self._loops) >= 2 * DEEPEST:
            raise _Foreign
        things = self._load(loop.iterable)
        item = self._new()
        counter = self._new()
        length = self._new()
        each = self._new()
        self._line(f"if type({things}) is list: {each}, {length} = {things}, len({things})")
        walked = f"{self._know(loop)}.walk({things}, context := context or new(names))"
        self._line(f"else: {each}, {length} = {walked}")
        self._line(f"if {length}:")
        before = self._inside()
        if self._mixed:
            self._line(f"context.raise_for_loop_limit({length})")
        else:
            self._line(f"rounds += {length}")
            self._line(f"if rounds > {MAX_ITERATIONS}: too_many_rounds()")
        context = "(context := context or new(names))"
        unwatched = UNWATCHED // _size([node], 0)
        self._line(f"if {length} > {unwatched}: {each} = {context}.in_time({each})")
        if not self._loops:
            self._counted = _asks_for_forloop(node)
        forloop = "None"
        if self._counted:
            forloop = counter
            parents = [variable for name, variable in self._loops if name == "forloop"]
            if parents:
                parent = parents[-1]
            else:
                parent = f"{context}.parentloop()"
            name = repr(f"{loop.identifier}-{loop.iterable}")
            self._line(f"{each} = {counter} = ForLoop({name}, iter({each}), {length}, {parent})")
        self._loops += [("forloop", forloop), (str(loop.identifier), item)]
        self._line(f"for {item} in {each}:")
        self._block(node.block)
        del self._loops[-2:]
        self._indent = before
        if node.default:
            self._line("else:")
            self._block(node.default)

    # ---- expressions
    def _load(self, expression: Expression) -> str:
        """Return the variable that holds what an expression is worth, or the name of a literal."""
        if isinstance(expression, Literal):
            value = expression.value
            if self._html and isinstance(value, str):
                value = Markup(value)
            return self._know(value)
        if isinstance(expression, Nil):
            return "None"
        if isinstance(expression, Empty | Blank):
            return self._know(expression)
        variable = self._new()
        loops = dict(self._loops)
        context = "context := context or new(names)"
        worth = f"{self._know(expression)}.evaluate({context})"
        if loops:
            given = ", ".join(f"{name!r}: {held}" for name, held in loops.items() if held != "None")
            worth = f"within(({context}), {{{given}}}, {self._know(expression)})"
        path = plain_path(expression)
        if not path:
            self._line(f"{variable} = {worth}")
            return variable
        root, *members = path
        start = loops.get(root)
        if start and not members:
            return start
        if not start:
            start = "names"
            if self._mixed:
                start = f"(assigned if {root!r} in assigned else names)"
            members = [root, *members]
        steps = "".join(f"[{name!r}]" for name in members)
        self._line("try:")
        self._line(f"    {variable} = {start}{steps}")
        self._line("except MISSING:")
        self._line(f"    {variable} = {worth}")
        return variable

    def _test(self, expression: Expression) -> str:
        """Write a condition as an expression of Python that is true or false."""
        if isinstance(expression, BooleanExpression):
            return self._test(expression.expression)
        if isinstance(expression, logical.LogicalNotExpression):
            return f"(not {self._test(expression.right)})"
        if isinstance(expression, logical.LogicalAndExpression):
            return f"({self._test(expression.left)} and {self._test(expression.right)})"
        if isinstance(expression, logical.LogicalOrExpression):
            return f"({self._test(expression.left)} or {self._test(expression.right)})"
        if compared := _COMPARED.get(type(expression)):
            left, right = map(self._load, expression.children())
            test = f"({compared.format(left, right, self._know(expression))})"
            if type(expression) is logical.EqExpression:
                other = expression.right
                if isinstance(other, StringLiteral):
                    return f"({left} == {other.value!r} if type({left}) is str else {test})"
            return test
        value = self._load(expression)
        holds = f"type({value}) is str or truthy({value})"
        return f"({value} is not None and {value} is not False and ({holds}))"


def as_f_string(parts: Sequence[Static | str]) -> str:
    """Write fixed words and variables as one f-string in single quotes."""
    inside = ""
    for part in parts:
        if type(part) is Static:
            inside += repr(f'"{part}')[2:-1].replace("{", "{{").replace("}", "}}")
        else:
            inside += f"{{{part}}}"
    return f"f'{inside}'"


def _asks_for_forloop(node: Node) -> bool:
    if any(map(_names_forloop, node.expressions())):
        return True
    return any(map(_asks_for_forloop, node.children(_NOTHING)))


def _names_forloop(expression: Expression) -> bool:
    if isinstance(expression, Path):
        root = expression.path[0]
        if root == "forloop" or isinstance(root, Path):
            return True
    return any(map(_names_forloop, expression.children()))

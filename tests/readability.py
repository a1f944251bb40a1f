"""Figures for how readable the code is: `python -m tests.readability [--all] [FOLDER ...]`.

Each figure counts one thing that makes a reader stop, and names the places by file and line.
Python is read as a syntax tree; migrations are generated and so left out everywhere.

- Lines above 100 columns, in characters; in templates above 120.
- Ternaries per 1,000 lines of code. A line of code is neither blank nor a comment alone.
- Nested ternaries: all but those that are the whole of a right-hand side or of a return value.
- Expressions per statement: nodes of `ast.expr` through nodes of `ast.stmt`; a text that is marked
  for translation is one, as it was before. Named in the report are statements that hold more than
  DENSE expressions, without those of statements inside them.
- Double assignments: `a, b = x, y` where two statements would do the same. A swap is none,
  nor is any pair in which a later value reads what an earlier target has just been given.
- Wide functions: more than 7 parameters, without self, cls, `*args` and `**kwargs`.
- Leaning docstrings: opened by a word that points at something said elsewhere (LEANING).
- Docstring openings: anything but a capital letter, or a preposition or adverb (WEAK). A noun
  clause ("What a follower may get", "Whether it is due") counts as a noun.
- Crowded folders: more than 14 modules, without `__init__.py`. Django wants commands in one
  folder, so `management/commands` is left out.

At d2b6411 the figures of apps/ were 24.9 ternaries, 5.66 expressions, 21 wide functions, and
74 function docstrings that open with Those, The same, Of, It, As or Where.
"""

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ("apps", "tests", "bench", "notifications_project", "manage.py")
APPS = ("apps",)
TEMPLATES = ("templates",)  # the stock library in apps/content is mails: words, not pages

COLUMNS = 100
TEMPLATE_COLUMNS = 120
PARAMETERS = 7
MODULES = 14
DENSE = 25
MARKS = {"_", "gettext", "gettext_lazy", "pgettext", "pgettext_lazy"}

# Opening words that point at something said elsewhere.
LEANING = re.compile(
    r"(Those|These|That|This|They|Them|Theirs?|Its?|The same|Same|Of|As|Where|Also|And|But|Or"
    r"|So|Then)\b"
)
# Opening words that are prepositions or adverbs.
WEAK = re.compile(
    r"(About|After|Always|Apart|At|Before|Between|By|For|From|If|In|Inside|Into|Never|Not|Off"
    r"|On|Once|Only|Out|Per|Really|Since|To|Under|Unless|Until|Up|With|Within|Without)\b"
)

Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = Function | ast.ClassDef | ast.Module


@dataclass(frozen=True)
class Place:
    path: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} {self.what}"


@dataclass(frozen=True)
class Figure:
    """A measured value, and the places that make it what it is."""

    value: float
    places: list[Place]


@dataclass(frozen=True)
class Module:
    path: Path
    lines: list[str]
    nodes: list[ast.AST]

    @property
    def code_lines(self) -> int:
        """Number of lines that are neither blank nor a comment alone."""
        stripped = (line.strip() for line in self.lines)
        return sum(1 for line in stripped if line and not line.startswith("#"))

    def place(self, node: ast.AST, what: str = "") -> Place:
        line = getattr(node, "lineno", 1)
        return Place(self.path, line, what or self.lines[line - 1].strip())


@cache
def read(path: Path) -> Module:
    source = path.read_text()
    return Module(path, source.splitlines(), list(ast.walk(ast.parse(source))))


@cache
def modules(*starts: str) -> list[Module]:
    """Modules in and below the folders (or files) given relative to the repository."""
    paths: set[Path] = set()
    for start in starts:
        begin = ROOT / start
        paths.update([begin] if begin.is_file() else begin.rglob("*.py"))
    return [read(path) for path in sorted(paths) if "migrations" not in path.parts]


# ---- lines


def columns(*starts: str) -> Figure:
    places: list[Place] = []
    for module in modules(*starts):
        places.extend(_longer(module.path, module.lines, COLUMNS))
    return Figure(len(places), places)


def template_columns(*starts: str) -> Figure:
    places: list[Place] = []
    for start in starts:
        for path in sorted((ROOT / start).rglob("*.html")):
            places.extend(_longer(path, path.read_text().splitlines(), TEMPLATE_COLUMNS))
    return Figure(len(places), places)


def _longer(path: Path, lines: list[str], most: int) -> Iterator[Place]:
    for number, line in enumerate(lines, 1):
        if len(line) > most:
            yield Place(path, number, f"{len(line)} columns")


# ---- expressions


def ternaries(*starts: str) -> Figure:
    """Figure per 1,000 lines of code; its places are all ternaries."""
    found = modules(*starts)
    places = []
    for module in found:
        places += [module.place(node) for node in module.nodes if isinstance(node, ast.IfExp)]
    code_lines = sum(module.code_lines for module in found)
    return Figure(1000 * len(places) / max(code_lines, 1), places)


def nested_ternaries(*starts: str) -> Figure:
    places = []
    for module in modules(*starts):
        whole = {
            id(node.value)
            for node in module.nodes
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return)
        }
        for node in module.nodes:
            if isinstance(node, ast.IfExp) and id(node) not in whole:
                places.append(module.place(node))
    return Figure(len(places), places)


def expressions(*starts: str) -> Figure:
    """Figure per statement; its places are the statements with more than DENSE, densest first."""
    total = 0
    statements = 0
    dense = []
    for module in modules(*starts):
        for node in module.nodes:
            if isinstance(node, ast.stmt):
                own = sum(1 for part in _own_parts(node) if isinstance(part, ast.expr))
                total += own
                statements += 1
                if own > DENSE:
                    dense.append((own, module.place(node, f"{own} expressions")))
    dense.sort(key=lambda row: -row[0])
    return Figure(total / max(statements, 1), [place for _, place in dense])


def _own_parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """Nodes below a statement that belong to no statement inside it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        for child in ast.iter_child_nodes(waiting.pop()):
            if isinstance(child, ast.stmt):
                continue
            yield child
            if not _is_marked(child):
                waiting.append(child)


def _is_marked(node: ast.AST) -> bool:
    """Whether a node is a text, marked for translation."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return False
    return node.func.id in MARKS and all(isinstance(each, ast.Constant) for each in node.args)


# ---- assignments


def double_assignments(*starts: str) -> Figure:
    places = [
        module.place(node)
        for module in modules(*starts)
        for node in module.nodes
        if isinstance(node, ast.Assign) and _is_double(node)
    ]
    return Figure(len(places), places)


def _is_double(node: ast.Assign) -> bool:
    """Whether each target could be given its value by a statement of its own."""
    target = node.targets[0]
    display = ast.Tuple | ast.List
    if not isinstance(target, display) or not isinstance(node.value, display):
        return False
    if any(isinstance(part, ast.Starred) for part in [*target.elts, *node.value.elts]):
        return False
    given: set[str] = set()
    for part, value in zip(target.elts, node.value.elts, strict=True):
        read_here = {ast.unparse(node) for node in ast.walk(value) if isinstance(node, ast.expr)}
        if given & read_here:
            return False
        given.add(ast.unparse(part))
    return True


# ---- functions


def wide_functions(*starts: str) -> Figure:
    places = []
    for module in modules(*starts):
        for node in module.nodes:
            if isinstance(node, Function):
                count = len(_parameters(node))
                if count > PARAMETERS:
                    places.append(module.place(node, f"{node.name} has {count} parameters"))
    return Figure(len(places), places)


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in {"self", "cls"}]


# ---- docstrings


def leaning_docstrings(*starts: str) -> Figure:
    return _docstrings(starts, leans)


def docstring_openings(*starts: str) -> Figure:
    return _docstrings(starts, opens_weakly)


def leans(docstring: str) -> bool:
    return LEANING.match(docstring) is not None


def opens_weakly(docstring: str) -> bool:
    return not docstring[:1].isupper() or WEAK.match(docstring) is not None


def _docstrings(starts: Sequence[str], is_wrong: Callable[[str], bool]) -> Figure:
    places = []
    for module in modules(*starts):
        for node in module.nodes:
            if not isinstance(node, Documented):
                continue
            docstring = ast.get_docstring(node) or ""
            if docstring and is_wrong(docstring):
                places.append(module.place(node, docstring.splitlines()[0]))
    return Figure(len(places), places)


# ---- folders


def crowded_folders(*starts: str) -> Figure:
    """Figure of the fullest folder; its places are the folders above MODULES."""
    counts: Counter[Path] = Counter()
    for module in modules(*starts):
        folder = module.path.parent
        is_commands = folder.parts[-2:] == ("management", "commands")
        if module.path.name != "__init__.py" and not is_commands:
            counts[folder] += 1
    fullest = counts.most_common()
    places = [Place(path, 0, f"{count} modules") for path, count in fullest if count > MODULES]
    return Figure(max(counts.values(), default=0), places)


# ---- what is held


@dataclass(frozen=True)
class Measure:
    """A figure that the suite holds: `limit` today, `goal` once every room is done.

    Lower a limit as soon as the figure is lower. Nobody raises one.
    """

    name: str
    figure: Callable[..., Figure]
    starts: tuple[str, ...]
    limit: float
    goal: float

    @property
    def now(self) -> Figure:
        return self.figure(*self.starts)


MEASURES = [
    Measure("lines above 100 columns", columns, PYTHON, 0, 0),
    Measure("template lines above 120 columns", template_columns, TEMPLATES, 0, 0),
    Measure("ternaries per 1,000 lines", ternaries, APPS, 10, 10),
    Measure("nested ternaries", nested_ternaries, APPS, 0, 0),
    Measure("expressions per statement", expressions, APPS, 4.8, 4.8),
    Measure("double assignments", double_assignments, APPS, 0, 0),
    Measure("functions with more than 7 parameters", wide_functions, APPS, 10, 10),
    Measure("docstrings that lean on another", leaning_docstrings, APPS, 5, 5),
    Measure("docstrings that open with no verb or noun", docstring_openings, APPS, 1, 0),
    Measure("modules in the fullest folder", crowded_folders, APPS, 14, 14),
]


def report(words: Sequence[str]) -> None:
    """Print each figure beside its limit and goal, with all its places after `--all`.

    Folders or files named instead of `--all` or after it are measured alone.
    """
    with_places = "--all" in words
    starts = tuple(word for word in words if word != "--all")
    print(f"{'now':>8} {'limit':>8} {'goal':>8}")
    for measure in MEASURES:
        figure = measure.figure(*(starts or measure.starts))
        print(f"{figure.value:8,.2f} {measure.limit:8,g} {measure.goal:8,g}  {measure.name}")
        if with_places:
            for place in figure.places:
                print(f"    {place}")


if __name__ == "__main__":
    report(sys.argv[1:])

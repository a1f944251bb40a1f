"""The words of all pages and their Russian: `python -m tests.translations [FILE.po ...]`.

Without an option it brings locale/ru up to date: every text that templates and modules mark for
translation, with the Russian it has, or that the files named give it; then the compiled file.

- `--missing [PATH ...] [FILE.po ...]`: texts below these paths that have no Russian.
- `--bare [PATH ...]`: what people read there and nobody can translate. `translate="no"` on an
  element (an attribute of HTML) says that its text is no words: a name, an example.

The API speaks English only, so apps/api marks nothing.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.template.base import Lexer, Token, TokenType
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "locale/ru/LC_MESSAGES"
HEADER = "# The pages of staff and followers in Russian.\n"
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}


@dataclass(frozen=True, slots=True)
class Text:
    """A text marked for translation: where it stands, its context, and its forms."""

    place: str
    context: str
    forms: tuple[str, ...]

    @property
    def id(self) -> str | tuple[str, str]:
        """What a catalogue calls it: the text, or singular and plural."""
        if len(self.forms) == 1:
            return self.forms[0]
        return self.forms[0], self.forms[1]

    @property
    def line(self) -> str:
        """Name the text and its place, for a person."""
        parts = [f"{self.place}:", *self.forms]
        if self.context:
            parts.insert(1, f"({self.context})")
        return " ".join(parts)


def files(paths: Sequence[str] = ()) -> list[Path]:
    """List templates and modules whose words people read, below the paths or all."""
    found = []
    for name in paths or ("templates", "apps"):
        path = ROOT / name
        if path.is_file():
            found.append(path)
        else:
            found += [*path.rglob("*.html"), *path.rglob("*.py")]
    out = {"migrations", "management", "stock", "api", "demo", "seed"}
    return sorted(path for path in found if not out & set(path.parts))


# ------------------------------------------------------------------ what is marked


def texts(path: Path) -> Iterator[Text]:
    """Read the texts that a template or a module marks for translation."""
    source = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        # what is left of the markup would be read as Python's indentation
        lines = [line.strip() for line in templatize(source).splitlines()]
        source = "\n".join(lines)
    place = str(path.relative_to(ROOT))
    functions = {name: places or (1,) for name, places in KEYWORDS.items()}
    stream = BytesIO(source.encode())
    for line, function, given, _comments in extract_python(stream, KEYWORDS, [], {}):
        words = list(given) if isinstance(given, tuple) else [given]
        context = ""
        if isinstance(functions[str(function)][0], tuple):
            context = str(words.pop(0))
        count = len(functions[str(function)]) - bool(context)
        forms = tuple(str(word) for word in words[:count] if word)
        if forms:
            yield Text(f"{place}:{line}", context, forms)


def known(fragments: Sequence[str]) -> list[Catalog]:
    """Read the catalogues that say something in Russian, from the strongest to the weakest:
    the fragments, the last one first, then ours.
    """
    found = []
    for path in [FOLDER / "django.po", *map(Path, fragments)]:
        with path.open("rb") as file:
            found.append(read_po(file, locale="ru"))
    return found[::-1]


def said(text: Text, catalogues: Sequence[Catalog]) -> str | tuple[str, ...]:
    """Find a text's Russian, in all its forms; "" where no catalogue has all of it."""
    for catalogue in catalogues:
        entry = catalogue.get(text.id, text.context or None)
        if entry is None or entry.fuzzy or not entry.string or not all(entry.string):
            continue
        if entry.pluralizable:
            return tuple(entry.string)
        return entry.string
    return ""


def missing(paths: Sequence[str] = (), fragments: Sequence[str] = ()) -> list[Text]:
    """List the texts below these paths that have no Russian."""
    catalogues = known(fragments)
    marked = [text for path in files(paths) for text in texts(path)]
    return [text for text in marked if not said(text, catalogues)]


def bring_up_to_date(fragments: Sequence[str]) -> None:
    """Write the catalogue anew, both files, from what is marked now.

    Russian comes from the fragments, the last one first, then from the catalogue as it was. What
    nobody marks any more goes.
    """
    catalogues = known(fragments)
    fresh = Catalog(
        locale="ru",
        project="Carillon",
        version="1",
        header_comment=HEADER,
        msgid_bugs_address="",
        last_translator="Carillon",
        language_team="Russian",
        fuzzy=False,
    )
    for path in files():
        for text in texts(path):
            fresh.add(text.id, said(text, catalogues), context=text.context or None)
    # dates would make every run a change
    fresh.creation_date = fresh.revision_date = catalogues[-1].creation_date
    with (FOLDER / "django.po").open("wb") as file:
        write_po(file, fresh, width=110, sort_output=True, no_location=True)
    with (FOLDER / "django.mo").open("wb") as file:
        write_mo(file, fresh)


# ------------------------------------------------------------------ what is not

WORD = re.compile(r"[^\W\d_]{2,}")
# Names and signs that are the same in every language.
NAMES = re.compile(
    r"\b(Carillon|[A-Z]{2,}s?|HTML|MJML|DKIM|Liquid|Markdown|Unicode|Ctrl|Esc|Enter|Slack|"
    r"SendGrid|Mailgun|Postmark|Brevo|Twilio|Vonage|Firebase|Chromium|Python|TypeScript)\b"
)
ENTITY = re.compile(r"&#?\w+;")
SPOKEN = {"aria-label", "title", "placeholder", "alt", "data-confirm", "data-label", "data-text"}
SILENT = {"code", "pre", "script", "style", "kbd", "samp"}
CSS = {"body_class", "look"}  # blocks that hold names of classes
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}
# Tags whose quoted arguments are names.
NAMING = re.compile(
    r"\s*(url|include|extends|load|static|icon|with|if|elif|block|endblock|cycle|querystring_of|"
    r"query|post_button|now|crispy)\b"
)
QUOTED = re.compile(r"""(_\()?["']([^"']*)["']""")


def no_words(text: str) -> bool:
    return not WORD.search(NAMES.sub("", ENTITY.sub("", text)))


class _Reader(HTMLParser):
    """Notes what a page shows and says outside of code and of what is marked as no words."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, str]] = []
        self.open: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        silent = tag in SILENT or given.get("translate") == "no"
        if not silent and not self.silent:
            names = set(SPOKEN)
            if tag == "button" or given.get("type") in ("submit", "button"):
                names.add("value" if tag == "input" else "data-text")
            for name in sorted(names & set(given)):
                self._note(given[name] or "")
        if tag not in VOID:
            self.open.append((tag, silent))

    def handle_endtag(self, tag: str) -> None:
        if tag in [name for name, _silent in self.open]:
            while self.open.pop()[0] != tag:
                pass

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self._note(data)

    @property
    def silent(self) -> bool:
        return any(silent for _name, silent in self.open)

    def _note(self, text: str) -> None:
        if not no_words(text):
            self.found.append((self.getpos()[0], " ".join(text.split())))


def bare_of_template(path: Path) -> Iterator[tuple[int, str]]:
    """Find (line, words) in a template that no language but English will ever have."""
    shown = []
    until = ""  # the tag that ends what is translated, or no words
    for token in Lexer(path.read_text(encoding="utf-8")).tokenize():
        name, *words = token.contents.split() or [""]
        kept = "\n" * token.contents.count("\n")
        if token.token_type == TokenType.TEXT and not until:
            kept = token.contents
        elif token.token_type == TokenType.BLOCK and until:
            if name == until:
                until = ""
        elif token.token_type == TokenType.BLOCK and name in ("blocktranslate", "comment"):
            until = f"end{name}"
        elif token.token_type == TokenType.BLOCK and name == "block" and words[0] in CSS:
            until = "endblock"
        elif not until and token.token_type != TokenType.COMMENT:
            for text in _quoted(token):
                yield token.lineno or 0, text
        shown.append(kept)
    reader = _Reader()
    reader.feed("".join(shown))
    yield from reader.found


def _quoted(token: Token) -> list[str]:
    """Find the words among the arguments of a tag or a value that are not marked."""
    if token.contents.startswith("translate ") or NAMING.match(token.contents):
        return []
    found = QUOTED.findall(token.contents)
    return [text for marked, text in found if not marked and re.match(r"[A-Z]\w", text)]


REFUSALS = {"Refused", "ValidationError", "PermissionDenied", "Http404"}
LABELS = {"label", "help_text", "title", "placeholder", "empty_label", "heading"}
TABLES = re.compile(r".*(EXPLANATIONS|WORDS|LABELS|TITLES|STEPS|SECTIONS)")
CHOICES = {"TextChoices", "IntegerChoices"}


@cache
def refusals() -> frozenset[str]:
    """Name the classes of apps/ that are refusals, by their bases' names."""
    bases: dict[str, set[str]] = {}
    for path in (ROOT / "apps").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                names = {ast.unparse(base).rpartition(".")[2] for base in node.bases}
                bases.setdefault(node.name, set()).update(names)
    found = set(REFUSALS)
    size = 0
    while size != len(found):
        size = len(found)
        found |= {name for name, parents in bases.items() if parents & found}
    return frozenset(found)


def _name_of(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _spoken(tree: ast.AST) -> Iterator[ast.AST]:
    """Find the expressions of a module that become words on a page."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if _name_of(node) in refusals():
                yield from node.args[:1]
            if ast.unparse(node.func).startswith("messages."):
                yield from node.args[1:]
            if _name_of(node) == "Setting":  # of a provider
                yield from node.args[1:2]
                yield from (each.value for each in node.keywords if each.arg == "help")
            if _name_of(node) != "Actor":  # stored
                yield from (each.value for each in node.keywords if each.arg in LABELS)
        elif isinstance(node, ast.ClassDef):
            if CHOICES & {ast.unparse(base).rpartition(".")[2] for base in node.bases}:
                for line in node.body:
                    if isinstance(line, ast.Assign) and isinstance(line.value, ast.Tuple):
                        yield from line.value.elts[1:]
        elif isinstance(node, ast.Assign) and TABLES.fullmatch(ast.unparse(node.targets[0])):
            if isinstance(node.value, ast.Dict):
                yield from node.value.values
            else:
                yield node.value


def _bare(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Find the strings in an expression that are inside no call of gettext."""
    if isinstance(node, ast.Call) and _name_of(node) in KEYWORDS:
        return
    if isinstance(node, ast.Constant):
        text = node.value
        if (
            isinstance(text, str)
            and re.match(r"[A-Z]?\w+ |[A-Z][a-z]", text)
            and not no_words(text)
        ):
            yield node.lineno, text
        return
    if isinstance(node, ast.Subscript | ast.Compare | ast.FormattedValue):
        return
    for child in ast.iter_child_nodes(node):
        yield from _bare(child)


def bare_of_module(path: Path) -> Iterator[tuple[int, str]]:
    """Find (line, words) in a module that people read on a page and that stay English."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in _spoken(tree):
        found.update(_bare(node))
    yield from sorted(found)


def bare(paths: Sequence[str] = ()) -> list[str]:
    """List what people read below these paths and nobody can translate: "FILE:LINE: words"."""
    found = []
    for path in files(paths):
        read = bare_of_template if path.suffix == ".html" else bare_of_module
        place = path.relative_to(ROOT)
        found += [f"{place}:{line}: {text}" for line, text in read(path)]
    return found


def main(words: Sequence[str]) -> int:
    options = [word for word in words if word.startswith("--")]
    fragments = [word for word in words if word.endswith(".po")]
    paths = [word for word in words if word not in options and word not in fragments]
    match options:
        case ["--missing"]:
            found = [text.line for text in missing(paths, fragments)]
        case ["--bare"]:
            found = bare(paths)
        case []:
            bring_up_to_date(fragments)
            found = [text.line for text in missing()]
        case _:
            sys.exit(__doc__)
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

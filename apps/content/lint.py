"""What would go wrong with a version, found before anybody gets it;
and whether a caller's data fits it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from liquid.static_analysis import TemplateAnalysis, Variable

from apps.content.channel_parts import CHANNEL_PARTS, PartKind
from apps.content.lint_links import link_problems, merge_tag_problems
from apps.content.liquid.complaints import translated
from apps.content.liquid.parse import BadSyntax, known_filters, known_tags, parse
from apps.content.liquid.plain_data import Unrenderable, plain
from apps.content.mail_text import text_of
from apps.content.models import Version
from apps.content.problems import TemplateProblem
from apps.content.render import CONTENT, RESERVED, compiled
from apps.lib.refusals import Refused

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
_A_TYPE: dict[str, Promise] = {
    "string": pgettext_lazy("a type", "text"),
    "number": pgettext_lazy("a type", "a number"),
    "boolean": pgettext_lazy("a type", "true or false"),
    "list": pgettext_lazy("a type", "a list"),
    "object": pgettext_lazy("a type", "an object"),
}
_EXAMPLES: dict[str, Any] = {
    "string": "Example",
    "number": 3,
    "boolean": True,
    "list": [],
    "object": {},
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Words Liquid or the program keeps for itself.
_TAKEN = {
    *RESERVED,
    "forloop",
    "tablerowloop",
    "now",
    "today",
    "true",
    "false",
    "nil",
    "null",
    "empty",
    "blank",
}


_LEFT_BEHIND = gettext_lazy(
    "the words are still those of the template they came from, while another language was changed. "
    "Write them, remove the language, or keep them as they are."
)


class BadData(Refused):
    """The values given don't fit the variables a version declares; `told` has each by its name."""

    field = "data"

    def __init__(self, told: Sequence[tuple[str, str]]) -> None:
        super().__init__(" ".join(said for _, said in told))
        self.told = told


# ---- a version
def problems(version: Version) -> list[TemplateProblem]:
    """Find everything that keeps a version from being published, in the order of the editor."""
    return [found for found in findings(version) if not found.warns]


def findings(version: Version) -> list[TemplateProblem]:
    """Find what keeps a version from being published, and what only warns."""
    declared = {str(variable.get("name", "")): variable for variable in version.variables}
    translations = {row.language: row.parts for row in version.translations.all()}
    found = list(_variable_problems(version.variables))
    default = version.default_language
    if default not in translations:
        message = _(
            "the default language {language} has no words. Write them or choose another default."
        )
        found.append(TemplateProblem(default, None, message.format(language=default)))
    found += _missing_channels(default, translations)
    for language in left_behind(version):
        found.append(TemplateProblem(language, None, str(_LEFT_BEHIND), warns=True))
    for language, channels in translations.items():
        for channel, words in channels.items():
            found += _channel_problems(f"{language}.{channel}", channel, words, declared)
            if version.layout:
                found += _document_in_layout(f"{language}.{channel}", words)
    if version.layout:
        html = version.layout.html
        found += layout_problems(html=html, text=version.layout.text, declared=declared)
    return found


def left_behind(version: Version) -> list[str]:
    """List the languages that still say what the template they came from says.

    Where nobody has changed any, they belong together.
    """
    rows = list(version.translations.all())
    if all(row.untouched for row in rows):
        return []
    return [row.language for row in rows if row.untouched]


def _channel_problems(
    where: str, channel: str, words: Mapping[str, str], declared: Mapping[str, Any]
) -> Iterator[TemplateProblem]:
    yield from _missing_parts(where, channel, words)
    for part in CHANNEL_PARTS[channel].parts:
        source = words.get(part.name, "")
        yield from source_problems(f"{where}.{part.name}", source, part.kind, declared)
    yield from _text_not_made(where, words)


def _document_in_layout(where: str, words: Mapping[str, str]) -> Iterator[TemplateProblem]:
    if "<html" in words.get("html", "").lower():
        message = _(
            "is a whole document, and a layout would be put around it. Remove <html> or the layout."
        )
        yield TemplateProblem(f"{where}.html", None, message)


def _variable_problems(variables: Iterable[Mapping[str, Any]]) -> Iterator[TemplateProblem]:
    seen: set[str] = set()
    for variable in variables:
        name = str(variable.get("name", ""))
        where = "variables"
        if name:
            where = f"variables.{name}"
        if not _NAME.fullmatch(name):
            message = _("“{name}” is not a name: use letters, digits and _, not a digit first.")
            yield TemplateProblem(where, None, message.format(name=name))
        elif name in _TAKEN:
            message = _("{name} is a word that Carillon keeps for itself. Choose another name.")
            yield TemplateProblem(where, None, message.format(name=name))
        elif name in seen:
            message = _("{name} is declared twice.")
            yield TemplateProblem(where, None, message.format(name=name))
        seen.add(name)
        kind = str(variable.get("type", "string"))
        if kind not in TYPES:
            message = _("the type {type} is unknown; use one of {known}.")
            known = ", ".join(TYPES)
            yield TemplateProblem(where, None, message.format(type=kind, known=known))
            continue
        yield from _value_problems(where, variable, kind)


def _value_problems(
    where: str, variable: Mapping[str, Any], kind: str
) -> Iterator[TemplateProblem]:
    """Find a default or an example that is not of the variable's type."""
    for field, message in (
        ("default", _("its default is not {type}.")),
        ("example", _("its example is not {type}.")),
    ):
        value = variable.get(field)
        if value is not None and not _fits(value, kind):
            yield TemplateProblem(where, None, message.format(type=_A_TYPE[kind]))


def _missing_channels(
    default: str, translations: Mapping[str, Mapping[str, Any]]
) -> Iterator[TemplateProblem]:
    offered = translations.get(default)
    if offered is None:
        return
    if not offered:
        yield TemplateProblem(default, None, _("there are no words for any channel yet."))
    for language, channels in translations.items():
        for channel in offered.keys() - channels.keys():
            message = _only_in(default, language, channel)
            yield TemplateProblem(f"{language}.{channel}", None, message)
        for channel in channels.keys() - offered.keys():
            message = _only_in(language, default, channel)
            yield TemplateProblem(f"{language}.{channel}", None, message)


def _only_in(language: str, other: str, channel: str) -> str:
    label = CHANNEL_PARTS[channel].label
    said = _("{channel} is there in {language} but not in {other}.")
    return said.format(channel=label, language=language, other=other)


def _missing_parts(where: str, channel: str, words: Mapping[str, str]) -> Iterator[TemplateProblem]:
    description = CHANNEL_PARTS[channel]
    for group in description.required:
        if not any(words.get(name, "").strip() for name in group):
            labels = _(" or ").join(str(description[name].label) for name in group)
            message = _("{part} is empty.").format(part=labels)
            yield TemplateProblem(f"{where}.{group[0]}", None, message)


def _text_not_made(where: str, words: Mapping[str, str]) -> Iterator[TemplateProblem]:
    """Find HTML of which no text can be made.

    A block begun in a hidden part and ended in a visible one is whole in the HTML and half in its
    text.
    """
    html = words.get("html", "")
    if words.get("text", "").strip() or not html.strip():
        return
    try:
        parse(html, html=True)
    except BadSyntax:
        return  # told already
    try:
        parse(text_of(html))
    except BadSyntax as error:
        message = _("no text can be made from this HTML ({error}). Write it by hand.")
        said = message.format(error=translated(str(error)))
        yield TemplateProblem(f"{where}.text", None, said)


# ---- a layout
def layout_problems(
    *, html: str, text: str, declared: Mapping[str, Any] | None = None
) -> list[TemplateProblem]:
    """Find what is wrong with a layout. Without `declared` only reserved words may be used."""
    found = []
    for name, source, kind in (("html", html, PartKind.HTML), ("text", text, PartKind.TEXT)):
        if not source.strip() and name == "text":
            continue  # made from the HTML
        where = f"layout.{name}"
        times = len(CONTENT.findall(source))
        if times != 1:
            message = _("{mark} must stand in it once, not {times} times.")
            said = message.format(mark="{{ content }}", times=times)
            found.append(TemplateProblem(where, None, said))
        # the mark itself is no variable a body may use, so it is out of the way before the check
        found += source_problems(where, CONTENT.sub("", source), kind, declared or {})
    return found


# ---- one source
def source_problems(
    where: str, source: str, kind: PartKind, declared: Mapping[str, Any]
) -> list[TemplateProblem]:
    """Check the links, syntax, filters and variables of one part.

    The first syntax error hides what comes after.
    """
    if not source:
        return []
    found = list(merge_tag_problems(where, source))
    if kind is PartKind.HTML:
        found += link_problems(where, source)
    try:
        template = parse(source, html=kind is PartKind.HTML)
    except BadSyntax as error:
        return [*found, TemplateProblem(where, error.line, _syntax_message(error))]
    analysis = template.analyze()
    found += _unknown_filters(where, source, analysis)
    found += _unknown_variables(where, source, analysis, declared)
    found += _unknown_fields(where, source, analysis)
    return sorted(set(found), key=lambda problem: (problem.line or 0, problem.message))


def _unknown_filters(
    where: str, source: str, analysis: TemplateAnalysis
) -> Iterator[TemplateProblem]:
    known = known_filters()
    for name, spans in analysis.filters.items():
        if name not in known:
            message = _("there is no filter {name}.").format(name=name) + _hint(name, known)
            for span in spans:
                yield TemplateProblem(where, span.line_col(source)[0], message)


def _syntax_message(error: BadSyntax) -> str:
    message = str(error)
    unknown = re.match(r"unexpected tag '(\w+)'", message)
    if unknown and not unknown[1].startswith(("end", "els", "when")):
        said = _("there is no tag {name}.").format(name=unknown[1])
        return said + _hint(unknown[1], known_tags())
    if unknown:
        said = _("{tag} stands here without its beginning, or something before it is not closed.")
        return said.format(tag=unknown[1])
    if error.unclosed:
        return f"{message.rstrip('.')}."
    return _("{error}. Check what stands in the braces.").format(error=translated(message))


def _unknown_variables(
    where: str, source: str, analysis: TemplateAnalysis, declared: Mapping[str, Any]
) -> Iterator[TemplateProblem]:
    for root, uses in analysis.globals.items():
        for use in uses:
            line = use.span.line_col(source)[0]
            if root in RESERVED:
                yield from _unknown_member(where, line, root, use)
            elif root not in declared:
                hint = _hint(root, [*declared, *RESERVED])
                if not hint:
                    hint = " " + _("Declare it under Variables.")
                message = _("{name} is not declared.").format(name=root)
                yield TemplateProblem(where, line, message + hint)


def _unknown_fields(
    where: str, source: str, analysis: TemplateAnalysis
) -> Iterator[TemplateProblem]:
    """Find keys of metadata that look like a custom field written wrong; others are free values."""
    asked: list[tuple[str, int]] = []
    for use in analysis.globals.get("follower", ()):
        if len(use.segments) > 2 and use.segments[1] == "metadata":
            asked.append((str(use.segments[2]), use.span.line_col(source)[0]))
    if not asked:
        return
    known = import_string(settings.FIELD_KEYS_KNOWN)()
    for key, line in asked:
        if key in known:
            continue
        message = _("follower.metadata.{key} is no custom field.").format(key=key)
        if hint := _hint(key, known, "follower.metadata."):
            yield TemplateProblem(where, line, message + hint, warns=True)
        elif settings.CUSTOM_FIELDS_ONLY:
            yield TemplateProblem(where, line, message, warns=True)


def _unknown_member(where: str, line: int, root: str, use: Variable) -> Iterator[TemplateProblem]:
    member = None
    if len(use.segments) > 1:
        member = use.segments[1]
    known = RESERVED[root]
    if member is None:
        members = ", ".join(f"{root}.{name}" for name in known)
        message = _("{name} alone prints nothing useful; use one of {members}.")
        yield TemplateProblem(where, line, message.format(name=root, members=members))
    elif isinstance(member, str) and member not in known:
        hint = _hint(member, known, f"{root}.")
        if not hint:
            hint = " " + _("Known: {known}.").format(known=", ".join(known))
        message = _("{name} does not exist.").format(name=f"{root}.{member}")
        yield TemplateProblem(where, line, message + hint)


def _hint(word: str, known: Iterable[str], before: str = "") -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return " " + _("Did you mean {name}?").format(name=f"{before}{close[0]}")
    return ""


# ---- a caller's data
def check_data(
    version: Version, data: Mapping[str, Any], *, channels: Sequence[str] | None = None
) -> dict[str, Any]:
    """Fill in the defaults of a caller's data.

    Values nobody declared are passed on, except under reserved words, which raise. What no word on
    these `channels` uses (None: on any) may be missing. Raises BadData with all that is missing or
    of the wrong type in one sentence each.
    """
    faults = []
    for name in RESERVED:
        if name in data:
            said = _("{name} is a word that Carillon fills itself; remove it.")
            faults.append((name, said.format(name=name)))
    for name, value in data.items():
        try:
            plain(value, depth=1)
        except Unrenderable as error:  # else it is found when the message is made
            said = _("The value {name} can't be used: {error}.")
            faults.append((name, said.format(name=name, error=error)))
    values = dict(data)
    for variable in version.variables:
        name = variable["name"]
        kind = variable.get("type", "string")
        if values.get(name) is None:
            if variable.get("default") is not None:
                values[name] = variable["default"]
            elif variable.get("required") and compiled(version).uses(name, channels):
                faults.append((name, _missing_value(name, kind)))
        elif not _fits(values[name], kind):
            found = _describe(values[name])
            said = _("The value {name} must be {type}, but it is {found}.")
            faults.append((name, said.format(name=name, type=_A_TYPE[kind], found=found)))
    if faults:
        raise BadData(faults)
    return values


def _missing_value(name: str, kind: str) -> str:
    said = _(
        "The value {name} is missing. Give {type} for it, or make it optional among the "
        "template's variables."
    )
    return said.format(name=name, type=_A_TYPE[kind])


def sample_data(version: Version) -> dict[str, Any]:
    """Make up values for a preview.

    Each variable has its example, else its default, else something of its type.
    """
    named = [variable for variable in version.variables if variable.get("name")]
    return {str(variable["name"]): _sample(variable) for variable in named}


def _sample(variable: Mapping[str, Any]) -> Any:
    for field in ("example", "default"):
        if variable.get(field) is not None:
            return variable[field]
    kind = str(variable.get("type", "string"))
    if kind == "string":
        return str(variable["name"]).replace("_", " ")
    return _EXAMPLES.get(kind, "Example")


def _fits(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES[kind])


def _describe(value: object) -> str:
    for kind, classes in TYPES.items():
        if isinstance(value, bool) == (kind == "boolean") and isinstance(value, classes):
            return str(_A_TYPE[kind])
    return _("something else")

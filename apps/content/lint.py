"""What would go wrong with a version, found before anybody gets it;
and whether a caller's data fits it.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from liquid.static_analysis import TemplateAnalysis, Variable

from apps.content.channel_parts import CHANNEL_PARTS, Kind
from apps.content.liquid.parse import BadSyntax, known_filters, known_tags, parse
from apps.content.liquid.plain_data import Unrenderable, plain
from apps.content.mail_html import text_of
from apps.content.models import Version
from apps.content.problems import Problem
from apps.content.render import CONTENT, RESERVED
from apps.lib.refusals import Refused

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "object": (dict,),
}
_A_TYPE = {
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "object": "an object",
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


class BadData(Refused):
    """The values given don't fit the variables a version declares."""

    field = "data"


# ---- a version
def problems(version: Version) -> list[Problem]:
    """Everything that keeps the version from being published, in the order of the editor;
    empty when it is fine.
    """
    declared = {str(variable.get("name", "")): variable for variable in version.variables}
    translations = {
        translation.language: translation.parts for translation in version.translations.all()
    }
    found = list(_variable_problems(version.variables))
    if version.default_language not in translations:
        message = f"the default language {version.default_language} has no words. Write them or choose another default."
        found.append(Problem(version.default_language, None, message))
    found += _missing_channels(version.default_language, translations)
    for language, channels in translations.items():
        for channel, words in channels.items():
            found += _missing_parts(f"{language}.{channel}", channel, words)
            for part in CHANNEL_PARTS[channel].parts:
                where = f"{language}.{channel}.{part.name}"
                found += source_problems(where, words.get(part.name, ""), part.kind, declared)
            found += _text_not_made(f"{language}.{channel}", words)
            if version.layout and "<html" in words.get("html", "").lower():
                message = "is a whole document, and a layout would be put around it. Remove <html> or the layout."
                found.append(Problem(f"{language}.{channel}.html", None, message))
    if version.layout:
        found += layout_problems(
            html=version.layout.html, text=version.layout.text, declared=declared
        )
    return found


def _variable_problems(variables: Iterable[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for variable in variables:
        name = str(variable.get("name", ""))
        where = "variables"
        if name:
            where = f"variables.{name}"
        if not _NAME.fullmatch(name):
            yield Problem(
                where,
                None,
                f"“{name}” is not a name: use letters, digits and _, not a digit first.",
            )
        elif name in _TAKEN:
            yield Problem(
                where, None, f"{name} is a word the program keeps for itself. Choose another name."
            )
        elif name in seen:
            yield Problem(where, None, f"{name} is declared twice.")
        seen.add(name)
        kind = variable.get("type", "string")
        if kind not in TYPES:
            yield Problem(
                where, None, f"the type {kind} is unknown; use one of {', '.join(TYPES)}."
            )
            continue
        for field in ("default", "example"):
            value = variable.get(field)
            if value is not None and not _fits(value, kind):
                yield Problem(where, None, f"its {field} is not {_A_TYPE[kind]}.")


def _missing_channels(
    default: str, translations: Mapping[str, Mapping[str, Any]]
) -> Iterator[Problem]:
    offered = translations.get(default)
    if offered is None:
        return
    if not offered:
        yield Problem(default, None, "there are no words for any channel yet.")
    for language, channels in translations.items():
        for channel in offered.keys() - channels.keys():
            label = CHANNEL_PARTS[channel].label
            yield Problem(
                f"{language}.{channel}",
                None,
                f"{label} is there in {default} but not in {language}.",
            )
        for channel in channels.keys() - offered.keys():
            label = CHANNEL_PARTS[channel].label
            yield Problem(
                f"{language}.{channel}",
                None,
                f"{label} is there in {language} but not in {default}.",
            )


def _missing_parts(where: str, channel: str, words: Mapping[str, str]) -> Iterator[Problem]:
    description = CHANNEL_PARTS[channel]
    for group in description.required:
        if not any(words.get(name, "").strip() for name in group):
            labels = " or ".join(description[name].label for name in group)
            yield Problem(f"{where}.{group[0]}", None, f"{labels} is empty.")


def _text_not_made(where: str, words: Mapping[str, str]) -> Iterator[Problem]:
    """A block begun in a hidden part and ended in a visible one is whole in the HTML and half in
    its text.
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
        yield Problem(
            f"{where}.text",
            None,
            f"no text can be made from this HTML ({error}). Write it by hand.",
        )


# ---- a layout
def layout_problems(
    *, html: str, text: str, declared: Mapping[str, Any] | None = None
) -> list[Problem]:
    """What is wrong with a layout. Without `declared` only the reserved words may be used."""
    found = []
    for name, source, kind in (("html", html, Kind.HTML), ("text", text, Kind.TEXT)):
        if not source.strip() and name == "text":
            continue  # made from the HTML
        where = f"layout.{name}"
        times = len(CONTENT.findall(source))
        if times != 1:
            found.append(
                Problem(where, None, f"{{{{ content }}}} must stand in it once, not {times} times.")
            )
        # the mark itself is no variable a body may use, so it is out of the way before the check
        found += source_problems(where, CONTENT.sub("", source), kind, declared or {})
    return found


# ---- one source
def source_problems(
    where: str, source: str, kind: Kind, declared: Mapping[str, Any]
) -> list[Problem]:
    """Syntax, unknown filters and unknown variables of one part.

    The first syntax error hides what comes after.
    """
    if not source:
        return []
    try:
        template = parse(source, html=kind is Kind.HTML)
    except BadSyntax as error:
        return [Problem(where, error.line, _syntax_message(str(error)))]
    analysis = template.analyze()
    found = [
        Problem(
            where,
            span.line_col(source)[0],
            f"there is no filter {name}.{_hint(name, known_filters())}",
        )
        for name, spans in analysis.filters.items()
        if name not in known_filters()
        for span in spans
    ]
    found += _unknown_variables(where, source, analysis, declared)
    return sorted(set(found), key=lambda problem: (problem.line or 0, problem.message))


def _syntax_message(message: str) -> str:
    unknown = re.match(r"unexpected tag '(\w+)'", message)
    if unknown and not unknown[1].startswith(("end", "els", "when")):
        return f"there is no tag {unknown[1]}.{_hint(unknown[1], known_tags())}"
    if unknown:
        return (
            f"{unknown[1]} stands here without its beginning, or something before it is not closed."
        )
    if "closed" in message:
        return f"{message.rstrip('.')}."
    return f"{message}. Check what stands in the braces."


def _unknown_variables(
    where: str, source: str, analysis: TemplateAnalysis, declared: Mapping[str, Any]
) -> Iterator[Problem]:
    for root, uses in analysis.globals.items():
        for use in uses:
            line = use.span.line_col(source)[0]
            if root in RESERVED:
                yield from _unknown_member(where, line, root, use)
            elif root not in declared:
                hint = _hint(root, [*declared, *RESERVED]) or " Declare it under Variables."
                yield Problem(where, line, f"{root} is not declared.{hint}")


def _unknown_member(where: str, line: int, root: str, use: Variable) -> Iterator[Problem]:
    member = None
    if len(use.segments) > 1:
        member = use.segments[1]
    known = RESERVED[root]
    if member is None:
        members = ", ".join(f"{root}.{name}" for name in known)
        yield Problem(where, line, f"{root} alone prints nothing useful; use one of {members}.")
    elif isinstance(member, str) and member not in known:
        hint = _hint(member, known, f"{root}.") or f" Known: {', '.join(known)}."
        yield Problem(where, line, f"{root}.{member} does not exist.{hint}")


def _hint(word: str, known: Iterable[str], before: str = "") -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if close:
        return f" Did you mean {before}{close[0]}?"
    return ""


# ---- a caller's data
def check_data(version: Version, data: Mapping[str, Any]) -> dict[str, Any]:
    """The data with defaults filled in.

    Values nobody declared are passed on, except under reserved words, which raise. Raises BadData
    with all that is missing or of the wrong type in one sentence each.
    """
    faults = [
        f"{name} is a word the program fills itself; remove it."
        for name in RESERVED
        if name in data
    ]
    for name, value in data.items():
        try:
            plain(value, depth=1)
        except Unrenderable as error:  # else it is found when the message is made
            faults.append(f"The value {name} can't be used: {error}.")
    values = dict(data)
    for variable in version.variables:
        name = variable["name"]
        kind = variable.get("type", "string")
        if values.get(name) is None:
            if variable.get("default") is not None:
                values[name] = variable["default"]
            elif variable.get("required"):
                faults.append(f"The value {name} is missing; the template needs {_A_TYPE[kind]}.")
        elif not _fits(values[name], kind):
            faults.append(
                f"The value {name} must be {_A_TYPE[kind]}, but it is {_describe(values[name])}."
            )
    if faults:
        raise BadData(" ".join(faults))
    return values


def sample_data(version: Version) -> dict[str, Any]:
    """Values for a preview: each variable's example, else its default,
    else something of its type.
    """
    return {
        variable["name"]: _sample(variable)
        for variable in version.variables
        if variable.get("name")
    }


def _sample(variable: Mapping[str, Any]) -> Any:
    for field in ("example", "default"):
        if variable.get(field) is not None:
            return variable[field]
    kind = variable.get("type", "string")
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
            return _A_TYPE[kind]
    return "something else"

"""What python-liquid finds wrong, in the language of whoever reads it: it speaks English only."""

from django.utils.functional import Promise
from django.utils.translation import gettext_noop, pgettext_lazy

from apps.lib.written import patterns, retold

# Its sentences, the narrow ones first. What stands in braces is taken over.
_SENTENCES = (
    gettext_noop("missing expression"),
    gettext_noop("missing or unexpected path segment"),
    gettext_noop("missing tag name or closing delimiter"),
    gettext_noop("disallowed parentheses in logical expression"),
    gettext_noop("unbalanced parentheses"),
    gettext_noop("expected {wanted}, found {found}"),
    gettext_noop("expected {wanted}"),
    gettext_noop("unexpected tag {what}"),
    gettext_noop("unexpected {what}"),
    gettext_noop("unknown filter {what}"),
    gettext_noop("{filter}: can't divide by {number}"),
    gettext_noop("{filter} expected an integer, found {found}"),
    gettext_noop("{filter}() missing {count} required positional argument: {what}"),
    gettext_noop("{filter}() missing {count} required positional arguments: {what}"),
    gettext_noop("{filter}() takes {most} positional argument but {count} were given"),
    gettext_noop("{filter}() takes {most} positional arguments but {count} were given"),
    gettext_noop("'<' and '>' are not supported between {left} and {right}"),
    gettext_noop("'in' and 'contains' are not supported between {left} and {right}"),
)
_THINGS: dict[str, Promise] = {
    "a comma separated list of arguments": pgettext_lazy(
        "in Liquid", "a comma separated list of arguments"
    ),
    "a primitive expression": pgettext_lazy("in Liquid", "a primitive expression"),
    "an identifier": pgettext_lazy("in Liquid", "an identifier"),
    "an infix expression": pgettext_lazy("in Liquid", "an infix expression"),
    "end of expression": pgettext_lazy("in Liquid", "end of expression"),
    "string": pgettext_lazy("in Liquid", "string"),
    "word": pgettext_lazy("in Liquid", "word"),
}


_PATTERNS = patterns(_SENTENCES, value=".{1,200}")


def translated(message: str) -> str:
    """Say a message of python-liquid in the active language; one we don't know stays as it is."""
    return retold(message, _PATTERNS, words=_THINGS)

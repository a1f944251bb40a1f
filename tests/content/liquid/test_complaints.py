"""What python-liquid says of a mistake is known by its sentence, so that it can be translated."""

import pytest

from apps.content.liquid import complaints
from apps.content.liquid.limits import FAILURES
from apps.content.liquid.parse import BadSyntax, parse
from apps.lib import written

SAID = [
    ("{% if %}{% endif %}", "missing expression"),
    ("{{ a[ }}", "missing or unexpected path segment"),
    ("{% %}", "missing tag name or closing delimiter"),
    ("{% if (a and b %}{% endif %}", "disallowed parentheses in logical expression"),
    ("{{ }}", "expected {wanted}, found {found}"),
    ("{% if a = b %}{% endif %}", "expected {wanted}, found {found}"),
    ("{% for i in a foo: 3 %}{% endfor %}", "expected {wanted}"),
    ("{% endif %}", "unexpected tag {what}"),
    ("{% if a && b %}{% endif %}", "unexpected {what}"),
    ("{{ 1 | foo }}", "unknown filter {what}"),
    ("{{ 1 | divided_by: 0 }}", "{filter}: can't divide by {number}"),
    ("{{ 'abc' | truncate: 'a' }}", "{filter} expected an integer, found {found}"),
    ("{{ 'a' | append }}", "{filter}() missing {count} required positional argument: {what}"),
    (
        "{{ 'a' | upcase: 1 }}",
        "{filter}() takes {most} positional argument but {count} were given",
    ),
    ("{% if 1 < 'a' %}{% endif %}", "'<' and '>' are not supported between {left} and {right}"),
]


def complaint(source: str) -> str:
    """What python-liquid says of a source, when it is read or when it is written."""
    with pytest.raises((BadSyntax, *FAILURES)) as error:
        parse(source).render()
    return str(getattr(error.value, "message", None) or error.value)


@pytest.mark.parametrize(("source", "sentence"), SAID)
def test_a_complaint_is_known_by_its_sentence(
    source: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []

    def look_up(text: str) -> str:
        looked_up.append(text)
        return text

    monkeypatch.setattr(written, "gettext", look_up)
    said = complaint(source)
    assert complaints.translated(said) == said
    assert looked_up == [sentence]


def test_what_is_not_known_stays_as_it_is() -> None:
    assert complaints.translated("something new") == "something new"

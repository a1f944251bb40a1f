"""The figures of tests/readability.py stay within their limits, and count what they say."""

from pathlib import Path

import pytest

from tests import readability
from tests.readability import MEASURES, Figure, Measure


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
def test_it_stays_as_readable(measure: Measure) -> None:
    figure = measure.now
    places = "\n".join(str(place) for place in figure.places)
    said = f"{figure.value:,.2f} {measure.name}, at most {measure.limit:,g}:\n{places}"
    assert figure.value <= measure.limit, said


def lines_of(figure: Figure) -> list[int]:
    return [place.line for place in figure.places]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.py"


def test_a_line_of_100_columns_is_none_too_long(source: Path) -> None:
    source.write_text("#" * 100 + "\n" + "#" * 101 + "\n")
    assert lines_of(readability.columns(str(source))) == [2]


def test_only_a_whole_value_may_be_a_ternary(source: Path) -> None:
    source.write_text(
        "a = 1 if b else 2\n"
        "def f():\n"
        "    return 1 if b else 2\n"
        "call(1 if b else 2)\n"
        "c = 1 if b else 2 if d else 3\n"
        "e = [1 if b else 2 for b in d]\n"
        "f = g or (1 if b else 2)\n"
    )
    assert lines_of(readability.nested_ternaries(str(source))) == [4, 5, 6, 7]
    assert len(readability.ternaries(str(source)).places) == 7


def test_ternaries_are_counted_by_lines_that_hold_code(source: Path) -> None:
    source.write_text("# a comment\n\na = 1 if b else 2\nc = d\n")
    assert readability.ternaries(str(source)).value == 500


def test_expressions_are_counted_by_statement(source: Path) -> None:
    dense = "b = [" + ", ".join("1" * 30) + "]"
    source.write_text(f"if a:\n    {dense}\n")
    figure = readability.expressions(str(source))
    assert figure.value == (1 + 32) / 2
    assert [str(place.what) for place in figure.places] == ["32 expressions"]


def test_a_text_marked_for_translation_counts_as_the_text(tmp_path: Path) -> None:
    values = []
    for words in ('a = "Save"', 'a = _("Save")', 'a = pgettext("button", "Save")', "a = f(b)"):
        source = tmp_path / f"{len(values)}.py"
        source.write_text(words)
        values.append(readability.expressions(str(source)).value)
    assert values == [2, 2, 2, 4]


def test_a_swap_is_no_double_assignment(source: Path) -> None:
    source.write_text(
        "a, b = 1, 2\n"
        "a, b = b, a\n"
        "self.a, self.b = a, b\n"
        "self.a, self.b = self.b, self.a + 1\n"
        "a, b = call()\n"
        "for a, b in [(1, 2)]: pass\n"
        "a, *b = 1, *c\n"
    )
    assert lines_of(readability.double_assignments(str(source))) == [1, 3]


def test_what_stands_for_the_object_is_no_parameter(source: Path) -> None:
    seven = "def f(self, a, b, c, *, d, e, f, g, **rest): pass\n"
    eight = "def g(a, b, c, d, e, f, g, h): pass\n"
    source.write_text(seven + eight)
    assert lines_of(readability.wide_functions(str(source))) == [2]


@pytest.mark.parametrize(
    "docstring", ["Those of the account.", "Of a follower.", "The same.", "It ends."]
)
def test_a_docstring_that_points_elsewhere_leans(docstring: str) -> None:
    assert readability.leans(docstring)


@pytest.mark.parametrize(
    "docstring", ["Italic text.", "Send what is due.", "Offers of a server.", "The place of a row."]
)
def test_a_docstring_that_names_its_object_stands_alone(docstring: str) -> None:
    assert not readability.leans(docstring)
    assert not readability.opens_weakly(docstring)


@pytest.mark.parametrize("docstring", ["`key`.", "rows", "(a, b)", "From a to b.", "Only a."])
def test_a_docstring_opens_with_a_verb_or_a_noun(docstring: str) -> None:
    assert readability.opens_weakly(docstring)


def test_a_folder_is_crowded_by_its_modules_not_by_its_door_plate(tmp_path: Path) -> None:
    for folder in ("room", "management/commands"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(20):
            (tmp_path / folder / f"part_{number}.py").touch()
        (tmp_path / folder / "__init__.py").touch()
    figure = readability.crowded_folders(str(tmp_path))
    assert figure.value == 20
    assert [place.path.name for place in figure.places] == ["room"]

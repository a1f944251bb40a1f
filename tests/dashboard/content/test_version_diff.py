"""What differs between two versions, line by line."""

from apps.dashboard.content.version_diff import DiffLine, changes, compared, texts


def test_a_changed_line_is_one_taken_out_and_one_put_in() -> None:
    change = compared("Subject", "one\ntwo\nthree", "one\n2\nthree")
    assert change.lines == [
        DiffLine(" ", 1, 1, "one"),
        DiffLine("-", 2, None, "two"),
        DiffLine("+", None, 2, "2"),
        DiffLine(" ", 3, 3, "three"),
    ]
    assert (change.added, change.removed) == (1, 1)


def test_far_apart_changes_leave_out_what_lies_between() -> None:
    before = [f"line {number}" for number in range(30)]
    after = [*before]
    after[2] = "second"
    after[27] = "last"
    lines = compared("HTML", "\n".join(before), "\n".join(after)).lines
    assert [line.sign for line in lines].count("…") == 1
    assert lines[-1] == DiffLine(" ", 30, 30, "line 29")
    assert "line 15" not in [line.text for line in lines]


def test_only_places_that_differ_are_told_and_new_ones_too() -> None:
    words = {"en": {"email": {"subject": "Hello", "html": "<p>Hello</p>"}}}
    old = texts(words, variables=[], layout="House", default_language="en")
    new = texts(
        words | {"ru": {"in_app": {"title": "Привет"}}},
        variables=[{"name": "total", "type": "number"}],
        layout="House",
        default_language="en",
    )
    assert [change.place for change in changes(old, new)] == ["ru: In-app, Title", "Variable total"]
    assert changes(old, old) == []

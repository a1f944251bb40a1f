"""Finding what is wrong before anybody gets it, and refusing data that doesn't fit."""

import datetime as dt
from typing import Any

import pytest

from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.lint import (
    BadData,
    check_data,
    findings,
    layout_problems,
    left_behind,
    problems,
    sample_data,
)
from apps.content.models import Version
from tests.followers.fields.world import make_field
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
GOOD = {"email": {"subject": "Hi", "html": "<p>Hi</p>"}}


def a_draft(translations: dict[str, Any] | None = None, **fields: Any) -> Version:
    values = {"key": "t", "name": "T", "by": TESTER, "now": NOW}
    return drafts.create_template(
        translations=translations or {"en": GOOD}, **(values | fields)
    ).versions.get()


def with_html(html: str, **fields: Any) -> Version:
    return a_draft({"en": {"email": {"subject": "Hi", "html": html}}}, **fields)


def found(version: Version) -> list[tuple[str, int | None, str]]:
    return [(problem.where, problem.line, problem.message) for problem in problems(version)]


@pytest.mark.django_db
def test_a_good_version_has_no_problems() -> None:
    html = (
        "{{ follower.first_name }} {{ follower.metadata.town }} {{ links.preferences }} {{"
        " site.name }} {{ order.id }}"
    )
    assert found(with_html(html, variables=[{"name": "order", "type": "object"}])) == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("html", "line", "message"),
    [
        ("a\n{% assign x %}\n{{ y }}", 2, "Check what stands in the braces"),
        ("a\nb\n{{ follower.name | }}", 3, "Check what stands in the braces"),
        ("a\nb {{ name", 2, "never closed"),
        ("a\n\n{% if x %}", 3, "{% if %} is never closed with {% endif %}"),
        ("{% for i in order_number %}{% if i %}{% endfor %}", 1, "endfor"),
        ("{% fro x in y %}{% endfor %}", 1, "Did you mean for?"),
        ("{% include 'x' %}", 1, "no tag include"),
        ("a\n{{ follower.name | upcaze }}", 2, "Did you mean upcase?"),
        ("{{ follower.name | safe }}", 1, "no filter safe"),
        ("a\nb\n{{ follower.nmae }}", 3, "Did you mean follower.name?"),
        ("{{ follower.shoe_size }}", 1, "Known: name, first_name"),
        ("{{ links }}", 1, "links.preferences"),
        ("{{ oder_number }}", 1, "Did you mean order_number?"),
        ("{{ zzz }}", 1, "Declare it under Variables"),
        ("{% for i in things %}{{ i }}{% endfor %}", 1, "things is not declared"),
    ],
)
def test_a_mistake_is_found_with_its_line_and_a_hint(html: str, line: int, message: str) -> None:
    (problem,) = found(with_html(html, variables=[{"name": "order_number", "type": "string"}]))
    assert problem[:2] == ("en.email.html", line)
    assert message in problem[2]


@pytest.mark.django_db
def test_names_made_inside_the_template_need_no_declaration() -> None:
    html = (
        "{% assign a = 1 %}{% capture b %}x{% endcapture %}"
        "{% for i in list %}{{ forloop.index }}{{ i.x }}{{ a }}{{ b }}{% endfor %}"
    )
    assert found(with_html(html, variables=[{"name": "list", "type": "list"}])) == []


@pytest.mark.django_db
def test_missing_parts_and_channels_are_found() -> None:
    assert found(
        a_draft({"en": {"email": {"subject": "", "html": ""}, "in_app": {"body": "x"}}})
    ) == [
        ("en.email.subject", None, "Subject is empty."),
        ("en.email.html", None, "HTML or Text is empty."),
        ("en.in_app.title", None, "Title is empty."),
    ]


@pytest.mark.django_db
def test_every_language_offers_the_channels_of_the_default() -> None:
    both = {**GOOD, "in_app": {"title": "T"}}
    (missing,) = found(a_draft({"en": both, "ru": GOOD}))
    assert missing == ("ru.in_app", None, "In-app is there in en but not in ru.")
    (more,) = found(a_draft({"en": GOOD, "ru": both}, key="u"))
    assert more == ("ru.in_app", None, "In-app is there in ru but not in en.")


@pytest.mark.django_db
def test_the_default_language_needs_words() -> None:
    (problem,) = found(a_draft({"ru": GOOD}))
    assert "default language en has no words" in problem[2]
    (problem,) = found(a_draft({"en": {}}, key="u"))
    assert "no words for any channel" in problem[2]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ({"name": "follower", "type": "string"}, "keeps for itself"),
        ({"name": "my name", "type": "string"}, "not a name"),
        ({"name": "n", "type": "date"}, "type date is unknown"),
        ({"name": "n", "type": ["number"]}, "is unknown"),
        ({"name": ["n"]}, "not a name"),
        ({"name": "n", "type": "number", "default": "five"}, "default is not a number"),
        ({"name": "n", "type": "number", "example": True}, "example is not a number"),
    ],
)
def test_a_bad_declaration_is_found(variable: dict[str, Any], message: str) -> None:
    version = a_draft(variables=[variable])
    (problem,) = found(version)
    assert message in problem[2]
    assert len(sample_data(version)) == 1


@pytest.mark.django_db
def test_a_whole_document_inside_a_layout_is_found() -> None:
    layout = save_layout(
        key="frame", name="Frame", html="<html>{{ content }}</html>", by=TESTER, now=NOW
    )
    (problem,) = found(with_html("<html><body>x</body></html>", layout=layout))
    assert "whole document" in problem[2]


@pytest.mark.django_db
def test_html_of_which_no_whole_text_can_be_made_needs_a_text_by_hand() -> None:
    html = "<div style='display:none'>{% if x %}</div>seen{% endif %}"
    (problem,) = found(with_html(html, variables=[{"name": "x", "type": "boolean"}]))
    assert problem[0] == "en.email.text"
    assert "Write it by hand" in problem[2]


def test_a_layout_needs_its_content_once_and_known_words_only() -> None:
    assert (
        layout_problems(html="<b>{{ content }}</b>{{ links.unsubscribe }}", text="{{content}}")
        == []
    )
    for html, message in [
        ("<b></b>", "once, not 0 times"),
        ("{{ content }}{{- content -}}", "once, not 2 times"),
        ("{{ content }}{{ logo }}", "logo is not declared"),
        ("{{ content }}{% if %}", ""),
    ]:
        (problem,) = layout_problems(html=html, text="")
        assert message in problem.message


# ---- a caller's data
def declared(**about: Any) -> Version:
    return Version(variables=[{"name": "total", "type": "number", **about}])


def test_data_that_fits_passes_with_its_extras() -> None:
    assert check_data(declared(required=True), {"total": 5, "more": "x"}) == {
        "total": 5,
        "more": "x",
    }


def test_defaults_are_filled_in_and_optional_values_may_be_missing() -> None:
    assert check_data(declared(default=7), {}) == {"total": 7}
    assert check_data(declared(), {}) == {}


@pytest.mark.django_db
def test_missing_wrong_and_reserved_values_are_refused_together() -> None:
    version = with_html(
        "<p>{{ total }}</p>",
        variables=[
            {"name": "total", "type": "number", "required": True},
            {"name": "items", "type": "list"},
        ],
    )
    with pytest.raises(BadData) as refusal:
        check_data(version, {"items": "tea", "links": {}})
    assert (
        str(refusal.value)
        == "links is a word that Carillon fills itself; remove it. The value total is missing. Give"
        " a number for it, or make it optional among the template's variables. The value items must"
        " be a list, but it is text."
    )


MAIL = {"subject": "x", "html": "x"}


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "channels", "demanded"),
    [
        ({"email": {"subject": "{{ total }}", "html": "x"}}, None, True),
        ({"email": {"subject": "x", "html": "{% if total > 1 %}x{% endif %}"}}, ["email"], True),
        ({"email": MAIL}, None, False),
        ({"email": {"subject": "x", "html": "x", "text": "{{ total }}"}}, None, True),
        (
            {"email": {"subject": "x", "html": "x"}, "sms": {"body": "{{ total }}"}},
            ["email"],
            False,
        ),
        ({"email": MAIL, "sms": {"body": "{{ total }}"}}, ["sms"], True),
        ({"email": MAIL, "sms": {"body": "{{ total }}"}}, None, True),
        ({"email": {"subject": "x", "html": "{{ broken"}}, None, True),
        ({"email": {"subject": "x", "html": "{% assign total = 1 %}{{ total }}"}}, None, False),
    ],
)
def test_a_value_that_no_word_uses_is_not_demanded(
    words: dict[str, Any], channels: list[str] | None, demanded: bool
) -> None:
    needed = [{"name": "total", "type": "number", "required": True}]
    version = a_draft({"en": words}, variables=needed)
    if demanded:
        with pytest.raises(BadData, match="The value total is missing"):
            check_data(version, {}, channels=channels)
    else:
        assert check_data(version, {}, channels=channels) == {}


@pytest.mark.reported
@pytest.mark.django_db
def test_a_language_that_was_forgotten_is_told_where_another_was_changed() -> None:
    template = drafts.create_template(
        key="stock",
        name="Stock",
        translations={"en": GOOD, "ru": GOOD, "de": GOOD},
        stock=True,
        by=TESTER,
        now=NOW,
    )
    assert findings(template.versions.get()) == []
    drafts.publish(template=template, by=TESTER, now=NOW)
    copy = drafts.copy_template(template=template, key="copy", name="Copy", by=TESTER, now=NOW)
    assert left_behind(copy.versions.get()) == []
    other = {"email": {"subject": "Sale", "html": "<p>Sale</p>"}}

    def edit(**values: Any) -> list[str]:
        written = drafts.DraftValues(**values)
        return left_behind(drafts.edit_draft(template=copy, values=written, by=TESTER, now=NOW))

    assert edit(translations={"en": other, "ru": GOOD, "de": GOOD}) == ["de", "ru"]
    (first, _) = findings(copy.versions.get())
    assert (first.where, first.warns) == ("de", True)
    assert "Write them, remove the language, or keep them as they are." in first.message
    drafts.publish(template=copy, by=TESTER, now=NOW)
    assert edit(kept=["ru"]) == ["de"]
    assert edit(translations={"de": None}) == []


def test_true_is_no_number_and_one_is_no_boolean() -> None:
    with pytest.raises(BadData, match="must be a number, but it is true or false"):
        check_data(declared(), {"total": True})
    with pytest.raises(BadData, match="must be true or false, but it is a number"):
        check_data(Version(variables=[{"name": "x", "type": "boolean"}]), {"x": 1})


def test_samples_come_from_the_example_the_default_or_the_type() -> None:
    version = Version(
        variables=[
            {"name": "a", "type": "string", "example": "E", "default": "D"},
            {"name": "b", "type": "string", "default": "D"},
            {"name": "first_line", "type": "string"},
            {"name": "d", "type": "list"},
        ]
    )
    assert sample_data(version) == {"a": "E", "b": "D", "first_line": "first line", "d": []}


def test_data_that_no_template_may_see_is_refused_before_anybody_is_told() -> None:
    deep: dict[str, object] = {}
    for _ in range(11):
        deep = {"in": deep}
    assert check_data(declared(), {"more": deep})
    with pytest.raises(BadData, match=r"The value more can't be used: .*12 levels"):
        check_data(declared(), {"more": {"in": deep}})


@pytest.mark.django_db
def test_a_custom_field_that_is_written_wrong_is_named_and_a_free_value_is_not(
    settings: Any,
) -> None:
    html = "{{ follower.metadata.plan }} {{ follower.metadata.plna }} {{ follower.metadata.shoe }}"
    version = with_html(html)
    assert findings(version) == []
    make_field()
    [warning] = findings(version)
    assert (warning.where, warning.warns) == ("en.email.html", True)
    assert warning.message == (
        "follower.metadata.plna is no custom field. Did you mean follower.metadata.plan?"
    )
    settings.CUSTOM_FIELDS_ONLY = True
    assert [each.message for each in findings(version)][1:] == [
        "follower.metadata.shoe is no custom field."
    ]

"""Rendering: what comes out, in which language,
and what a hostile template or hostile data can't do.
"""

import datetime as dt
import time
from decimal import Decimal
from typing import Any

import pytest
from markupsafe import Markup

from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.liquid.limits import FAILURES
from apps.content.liquid.parse import parse
from apps.content.liquid.plain_data import plain
from apps.content.mail_html import inline_styles
from apps.content.mail_text import text_of
from apps.content.models import Version
from apps.content.problems import RenderError
from apps.content.render import compiled, pick_language
from tests.make import TESTER
from tests.patience import a_second

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)


def a_draft(*, layout: str = "", languages: tuple[str, ...] = ("en",), **email: str) -> Version:
    words = {"email": {"subject": "Hello", **email}}
    frame = None
    if layout:
        frame = save_layout(key="frame", name="Frame", html=layout, by=TESTER, now=NOW)
    template = drafts.create_template(
        key="t",
        name="T",
        translations=dict.fromkeys(languages, words),
        layout=frame,
        by=TESTER,
        now=NOW,
    )
    return template.versions.get()


def people(**follower: Any) -> dict[str, Any]:
    return {
        "follower": {"name": "Anna", "time_zone": "Europe/Berlin", **follower},
        "site": {},
        "links": {},
    }


# ---- what comes out
@pytest.mark.django_db
def test_a_name_is_escaped_in_html_and_as_typed_in_subject_and_text() -> None:
    version = a_draft(
        subject="Hi {{ follower.name }}",
        html="<p>{{ follower.name }}</p>",
        text="{{ follower.name }}",
    )
    parts = compiled(version).render("email", "en", people(name="<b>O'Neil & x")).parts
    assert "<p>&lt;b&gt;O&#39;Neil &amp; x</p>" in parts["html"]
    assert parts["subject"] == "Hi <b>O'Neil & x"
    assert parts["text"] == "<b>O'Neil & x"


@pytest.mark.django_db
def test_a_value_marked_safe_by_somebody_is_escaped_all_the_same() -> None:
    version = a_draft(html="<p>{{ note }}</p>")
    html = (
        compiled(version)
        .render("email", "en", {**people(), "note": Markup("<script>")})
        .parts["html"]
    )
    assert "&lt;script&gt;" in html


def test_no_filter_lets_markup_of_the_data_through() -> None:
    hostile = '<img src=x onerror="alert(1)">'
    for name in sorted(parse("", html=True).env.filters):
        for arguments in ("", ': "a"', ": 5", ': "a", "b"', ": v", ": v, v"):
            template = parse(
                "{{ v | " + name + arguments + " }}|{{ v | " + name + arguments + " | append: v }}",
                html=True,
            )
            try:
                assert "<img" not in template.render({"v": hostile, "w": [hostile]}), name
            except FAILURES:
                continue


@pytest.mark.django_db
def test_a_subject_is_one_line_whatever_the_data_says() -> None:
    version = a_draft(subject="Hi {{ follower.name }}\n")
    parts = (
        compiled(version).render("email", "en", people(name="A\r\nBcc: all@example.com\x00")).parts
    )
    assert parts["subject"] == "Hi A Bcc: all@example.com"


@pytest.mark.django_db
def test_an_in_app_link_is_a_web_address_or_a_path() -> None:
    words = {"in_app": {"title": "T", "link": "{{ url }}"}}
    version = drafts.create_template(
        key="t", name="T", translations={"en": words}, by=TESTER, now=NOW
    ).versions.get()
    for good in ("https://example.com/x?a=1&b=2", "/inbox/", ""):
        assert (
            compiled(version).render("in_app", "en", {**people(), "url": good}).parts["link"]
            == good
        )
    for bad in ("javascript:alert(1)", "//evil.example", "data:text/html,x"):
        with pytest.raises(RenderError, match="not a link"):
            compiled(version).render("in_app", "en", {**people(), "url": bad})


@pytest.mark.django_db
def test_the_layout_takes_the_body_in_without_escaping_it_and_knows_subject_and_preheader() -> None:
    layout = (
        "<html><title>{{ content.subject }}</title><i>{{ content.preheader }}</i><div>{{ content"
        " }}</div></html>"
    )
    version = a_draft(
        layout=layout, subject="A & B", preheader="Read {{ follower.name }}", html="<p>Body</p>"
    )
    html = compiled(version).render("email", "en", people()).parts["html"]
    assert "<div><p>Body</p></div>" in html
    assert "<title>A &amp; B</title><i>Read Anna</i>" in html


@pytest.mark.django_db
def test_without_a_layout_the_preheader_is_hidden_at_the_beginning() -> None:
    html = (
        compiled(a_draft(preheader="Psst", html="<body><p>Body</p></body>"))
        .render("email", "en", people())
        .parts["html"]
    )
    assert html.startswith('<body><div style="display:none')
    assert "Psst" in html


@pytest.mark.django_db
def test_a_missing_text_is_made_from_the_html_also_in_a_draft() -> None:
    version = a_draft(html='<p>Dear {{ follower.name }}</p><a href="https://example.com">Go</a>')
    assert (
        compiled(version).render("email", "en", people()).parts["text"]
        == "Dear Anna\n\nGo (https://example.com)"
    )


@pytest.mark.django_db
def test_a_channel_without_words_is_refused() -> None:
    with pytest.raises(RenderError, match="no words for this channel"):
        compiled(a_draft(html="x")).render("in_app", "en", people())


@pytest.mark.django_db
def test_one_broken_language_does_not_break_the_others() -> None:
    version = a_draft(html="<p>fine</p>", languages=("en",))
    version.translations.create(
        language="ru", parts={"email": {"subject": "{{ broken", "html": "x", "text": ""}}
    )
    assert "fine" in compiled(version).render("email", "en", people()).parts["html"]
    with pytest.raises(RenderError) as error:
        compiled(version).render("email", "ru", people())
    assert (error.value.problem.where, error.value.problem.line) == ("ru.email.subject", 1)


def test_languages_fall_back_from_special_to_general_to_the_default() -> None:
    for available, wanted, chosen in [
        (["en", "pt", "pt-BR"], "pt-BR", "pt-BR"),
        (["en", "pt"], "pt-BR", "pt"),
        (["en", "pt-BR"], "pt", "pt-BR"),
        (["en", "ru"], "RU", "ru"),
        (["en", "ru"], "de", "en"),
        (["en", "ru"], "", "en"),
        (["ru"], "de", "ru"),
        (["en", "zh-Hant"], "zh_Hant_TW", "zh-Hant"),
    ]:
        assert pick_language(available, wanted, "en") == chosen


@pytest.mark.parametrize(
    ("source", "language", "expected"),
    [
        ("{{ 1234567.5 | number }}", "en", "1,234,567.5"),
        ("{{ 1234567.5 | number }}", "ru", "1 234 567,5"),
        ('{{ 9.9 | money: "EUR" }}', "en", "€9.90"),
        ('{{ 9.9 | money: "EUR" }}', "ru", "9,90 €"),
        (
            '{{ "2026-11-20T23:30:00+00:00" | date: "long time" }}',
            "en",
            "November 21, 2026, 12:30 AM",
        ),
        ('{{ "2026-11-20" | date: "long" }}', "ru", "20 ноября 2026 г."),
        ('{{ "2026-11-20" | date: "%d.%m.%Y" }}', "en", "20.11.2026"),
        ('{{ "soon" | date: "long" }}', "en", "soon"),
        ('{{ 1 | plural: "item", "items" }}', "en", "item"),
        ('{{ 0 | plural: "item", "items" }}', "en", "items"),
        ('{{ 1 | plural: "товар", "товара", "товаров" }}', "ru", "товар"),
        ('{{ 22 | plural: "товар", "товара", "товаров" }}', "ru", "товара"),
        ('{{ 11 | plural: "товар", "товара", "товаров" }}', "ru", "товаров"),
    ],
)
def test_numbers_money_dates_and_plurals_follow_the_reader(
    source: str, language: str, expected: str
) -> None:
    context = {"content": {"language": language}, "follower": {"time_zone": "Europe/Berlin"}}
    text = parse(source).render(context)
    assert " ".join(text.split()) == " ".join(expected.split())


def test_one_moment_is_told_to_each_reader_by_the_clock_on_their_own_wall() -> None:
    template = parse('{{ "2026-11-20T23:30:00+00:00" | date: "short time" }}')
    told = [
        template.render({"content": {"language": "en"}, "follower": {"time_zone": zone}})
        for zone in ("Europe/Berlin", "America/New_York", "Europe/Berlin")
    ]
    assert [" ".join(text.split()) for text in told] == [
        "11/21/26, 12:30 AM",
        "11/20/26, 6:30 PM",
        "11/21/26, 12:30 AM",
    ]


def test_a_number_of_a_thousand_digits_is_refused() -> None:
    with pytest.raises(FAILURES, match="too long"):
        parse("{{ n | number }}").render({"n": "0" * 1000 + "1"})


# ---- HTML without harm to the Liquid in it
def test_moving_styles_into_tags_keeps_loops_in_tables_and_comparisons() -> None:
    source = (
        "<html><head><style>td { color: {{ colour }} } @media print { td { color: black }"
        " }</style></head><body><table><tbody>{% for r in rows %}{% if r > 1 %}<tr><td {% if r == 2"
        " %}class='x'{% endif %}>{{ r }}</td></tr>{% endif %}{% endfor"
        " %}</tbody></table></body></html>"
    )
    html = inline_styles(source)
    assert "{% for r in rows %}{% if r > 1 %}<tr><td" in html
    assert "@media print" in html
    rendered = parse(html, html=True).render({"rows": [1, 2, 3], "colour": "red"})
    assert rendered.count('style="color: red;"') == 2
    assert "<tbody><tr>" in rendered


def test_a_text_keeps_loops_links_and_values() -> None:
    source = (
        "<style>p {}</style><h1>Hi {{ name }}</h1><div style='display:none'>hidden</div><ul>{% for"
        " i in items %}<li>{{ i }} &amp; more</li>{% endfor %}</ul><table><tr><td>Sum</td><td>{{"
        " sum }}</td></tr></table><p>See <a href='{{ url }}'><b>this</b> page</a>, <a"
        " href='https://x.example'>https://x.example</a></p>"
    )
    text = text_of(source)
    assert "hidden" not in text
    assert "See this page ({{ url }}), https://x.example" in text
    assert "Sum {{ sum }}" in text
    rendered = parse(text).render(
        {"name": "Anna", "items": ["a", "b"], "sum": 3, "url": "https://u.example"}
    )
    assert "* a & more" in rendered
    assert "* b & more" in rendered


def test_odd_html_comes_through_both_tools_without_losing_liquid() -> None:
    for odd in (
        "liquid0x {{ a }}<style>p { color: red }</style><p>liquid0x</p>",
        "<style>p { color: {{ a }} </style><table>{{ a }}<tr><td>x</table>",
        "<style>@import 'https://example.com/x.css';</style>{{ a }}",
        "<a href='{{ a }}'>\x0b\x00</a><style>",
        "<style></style><?xml version='1.0' encoding='utf-8'?>{{ a }}<!-- {{ a }} --",
    ):
        inlined = inline_styles(odd)
        assert inlined.count("{{ a }}") >= odd.count("{{ a }}")
        assert inlined.count("liquid0x") == odd.count("liquid0x")
        text_of(odd)


# ---- what nobody can do
def test_only_plain_data_reaches_a_template() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC)
    assert plain({"a": (1, Decimal("2.50")), "d": moment, "n": None}) == {
        "a": [1, "2.50"],
        "d": "2026-01-02T03:04:00+00:00",
        "n": None,
    }


@pytest.mark.django_db
def test_a_model_in_the_data_is_refused_with_a_clear_message(anna: Any) -> None:
    with pytest.raises(RenderError, match="Follower is not plain data"):
        compiled(a_draft(html="{{ who }}")).render("email", "en", {**people(), "who": anna})


BOMBS = [
    "{% for i in (1..1000000000) %}x{% endfor %}",
    "{% for i in (1..1000000000) reversed %}x{% endfor %}",
    "{% for i in (1..1000000000) offset: 999999990 %}x{% endfor %}",
    "{% tablerow i in (1..1000000000) %}x{% endtablerow %}",
    (
        "{% for i in (1..300) %}{% for j in (1..300) %}{% for k in (1..300) %}x{% endfor %}{%"
        " endfor %}{% endfor %}"
    ),
    "{% for i in (1..19000) %}{{ big }}{% endfor %}",
    '{{ (1..99999999) | join: "," }}',
    "{% if (1..100000000) contains 'x' %}{% endif %}",
    "{{ 1 if (1..100000000) contains 'x' }}",
    '{{ big | split: "" | join: big }}',
    "{{ big | replace: '<', big }}",
    "{% assign s = 'xxxxxxxxxx' %}{% for i in (1..60) %}{% assign s = s | append: s %}{% endfor %}",
    "{% assign n = 9 %}{% for i in (1..60) %}{% assign n = n | times: n %}{% endfor %}{{ n }}",
    "{% for i in (1..99) %}{% capture a %}{{ a }}{{ a }}xxxxxxxxxx{% endcapture %}{% endfor %}",
    (
        "{% for i in (1..15000) %}{% assign z = big | split: '<' | sort_natural | uniq | join: ','"
        " %}{% endfor %}"
    ),
    "{% for i in (1..20000) %}" + "{{ follower[follower[nothing]] }}" * 200 + "{% endfor %}",
    "{% for i in (1..20000) %}" + "{{ nothing }}" * 5_000 + "{% endfor %}",
    "{{ '1e99999999' | number }}",
    "{{ '1e99999999' | ceil }}",
    "{{" * 20_000,
    "{{" + " " * 60_000,
    "{% if a %}" * 5_000,
    "{% comment %}" * 20_000,
]


@pytest.mark.django_db
@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_in_a_clear_error_within_a_second(bomb: str) -> None:
    template = compiled(a_draft(html=bomb, text=bomb))
    second = a_second()
    started = time.thread_time()
    with pytest.raises(RenderError) as error:
        template.render("email", "en", {**people(), "big": "<a" * 45_000})
    assert time.thread_time() - started < second
    assert len(str(error.value)) < 300


@pytest.mark.django_db
def test_a_published_version_is_parsed_once_and_a_draft_each_time(
    django_assert_num_queries: Any,
) -> None:
    template = a_draft(html="<p>x</p>").template
    version = drafts.publish(template=template, by=TESTER, now=NOW)
    first = compiled(version)
    with django_assert_num_queries(0):
        assert compiled(version) is first
    draft = drafts.edit_draft(template=template, values=drafts.DraftValues(), by=TESTER, now=NOW)
    assert compiled(draft) is not compiled(draft)

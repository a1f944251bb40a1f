"""The text part that is made of HTML says what the HTML shows."""

import datetime as dt

import pytest

from apps.content import drafts
from apps.content.layouts import save_layout, standard_layout
from apps.content.liquid.parse import parse
from apps.content.mail_html import inline_styles
from apps.content.mail_text import text_of
from apps.content.render import compiled
from apps.content.stock import install
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
PEOPLE = {
    "follower": {"name": "Anna"},
    "site": {"name": "Bell", "url": "https://bell.example", "address": "1 Bell Street"},
    "links": {
        "preferences": "https://bell.example/p/",
        "unsubscribe": "https://bell.example/u/",
    },
}


@pytest.mark.reported
@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<a href="#top">anchor</a>', "anchor"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="mailto:a@b.example?subject=Hi">a@b.example</a>', "a@b.example"),
        ('<a href="mailto:a@b.example">Write to us</a>', "Write to us (a@b.example)"),
        ('<a href="tel:+491234">+49 (12) 34</a>', "+49 (12) 34"),
        ('<a href="tel:+491234">Call</a>', "Call (+491234)"),
        ('<a href="https://x.example/">https://x.example</a>', "https://x.example"),
        ('<a href="https://x.example/">x.example</a>', "x.example (https://x.example/)"),
        ('<a href="">empty</a> <a>no link</a>', "empty no link"),
        ('<a href="https://x.example"><div>Go</div></a><p>on', "Go (https://x.example)\n\non"),
        ("<pre>a   b\n   c\n</pre>", "a   b\n   c"),
        ("<p style='white-space: pre-wrap'>a   b</p>", "a   b"),
        ("<p>a   b\n c</p>", "a b c"),
    ],
)
def test_a_text_shows_addresses_where_they_help_and_keeps_blanks_that_were_meant(
    html: str, text: str
) -> None:
    assert text_of(html).strip() == text


@pytest.mark.reported
@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p><img src="https://x.example/s.png" alt="Closed on Friday"></p>', "Closed on Friday"),
        (
            '<a href="https://x.example/s"><img src="s.png" alt="Summer &amp; sale"></a>',
            "Summer & sale (https://x.example/s)",
        ),
        ('<a href="https://x.example/s"><img src="s.png"></a>', "https://x.example/s"),
        ('<a href="https://x.example/s"><img src="s.png" alt=""></a>', "https://x.example/s"),
        ('<img alt="One"><img alt="Two">', "One Two"),
        ('<img alt="{{ name }}">', "{{ name }}"),
        ('<div style="display:none"><img alt="hidden"></div>seen', "seen"),
        ('<img style="display:none" alt="hidden">seen', "seen"),
        ('<style>.x { display: none !important }</style><i class="x">hidden</i>seen', "seen"),
        ("<i hidden>hidden</i>seen", "seen"),
        ("<!-- a --><![if !mso]>seen<![endif]><!--[if mso]>no<![endif]-->", "seen"),
    ],
)
def test_a_picture_says_its_alternative_text(html: str, text: str) -> None:
    assert text_of(html).strip() == text


def test_lists_tables_and_paragraphs_have_lines_of_their_own() -> None:
    html = (
        "<h1>Sale</h1>Hi<br>you<br><br>all<ul><li>One<li><p>Two</p></ul><ol><li>a<li>b</ol>"
        "<table><tr><td>Sum</td><td>3</td></tr><tr><td>Tax<td>1</table><p>Say <q>yes</q>.<hr>End"
    )
    lines = 'Sale||Hi|you||all|* One||* Two||1. a|2. b|Sum 3|Tax 1||Say "yes".||End|'
    assert text_of(html) == lines.replace("|", "\n")


def test_what_an_entity_spells_is_no_liquid() -> None:
    text = text_of("<p>&#123;&#123; name }} {{ name }} &lt;b&gt; &amp;lt;</p>")
    assert parse(text).render({"name": "Anna"}).strip() == "{{ name }} Anna <b> &lt;"


def test_a_page_of_any_depth_is_read_to_its_end() -> None:
    assert text_of("<div>" * 5_000 + "deep" + "</div>" * 5_000 + "end") == "deep\nend\n"


@pytest.mark.parametrize("unclosed", ["<b id={}>", "<div><a id={}>", "<table><tr><td id={}>"])
def test_a_page_whose_tree_would_fill_the_memory_is_read_as_it_stands(unclosed: str) -> None:
    styled = "<style>p { margin: 0 }</style>"
    page = styled + "".join(f"{unclosed.format(number)}<p>x" for number in range(2_000))
    assert text_of(page).split() == ["x"] * 2_000
    assert inline_styles(page) == page


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("html", "text"),
    [
        ('<p><img src="https://x.example/s.png" alt="Closed on Friday"></p>', "Closed on Friday"),
        ('<p><img src="https://x.example/s.png"></p>', ""),
        ('<a href="https://x.example"><img src="s.png"></a>', "https://x.example"),
    ],
)
def test_a_mail_of_one_picture_has_its_footer_address_and_way_out_in_the_text(
    html: str, text: str
) -> None:
    install(by=TESTER, now=NOW)
    frame = save_layout(
        key="frame",
        name="Frame",
        html="{{ content }}<p>{{ site.address }} <a href='{{ links.unsubscribe }}'>Leave</a></p>",
        by=TESTER,
        now=NOW,
    )
    for key, layout in (("a", standard_layout()), ("b", frame)):
        template = drafts.create_template(
            key=key,
            name="T",
            translations={"en": {"email": {"subject": "Hello", "html": html}}},
            layout=layout,
            by=TESTER,
            now=NOW,
        )
        draft = template.versions.get()
        published = drafts.publish(template=template, by=TESTER, now=NOW)
        for version in (draft, published):
            made = compiled(version).render("email", "en", PEOPLE).parts["text"]
            assert made.startswith(text)
            assert "1 Bell Street" in made
            assert "https://bell.example/u/" in made

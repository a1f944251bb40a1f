"""Moving styles into tags: what can't be moved stays, and nothing else of the mail changes."""

import pytest

from apps.content.links import links_in
from apps.content.liquid.parse import parse
from apps.content.mail_html import inline_styles

DOCTYPE = (
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"'
    ' "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">'
)


def mail(rules: str, body: str = '<p class="btn dark box g">Go</p>') -> str:
    return (
        f'{DOCTYPE}<html><head><meta charset="utf-8"><style>.btn {{ color: red }} {rules}</style>'
        f'</head><body class="body">{body}</body></html>'
    )


@pytest.mark.reported
@pytest.mark.parametrize(
    "rule",
    [
        ".btn:hover { color: blue !important; }",
        ".btn:visited { color: blue; }",
        ".btn:active { color: blue; }",
        ".btn::before { content: 'x'; }",
        "[data-ogsc] .dark { color: white; }",
        "[data-ogsb] .box { background: black; }",
        "u + .body .g { font-size: 10px; }",
        "#outlook a { padding: 0; }",
        ".ExternalClass { width: 100%; }",
        "#MessageViewBody .btn { color: blue; }",
        "@media (max-width: 600px) { .btn { color: green; } }",
        "@media (prefers-color-scheme: dark) { .btn { color: white; } }",
        "@supports (display: grid) { .btn { display: grid; } }",
        "@font-face { font-family: X; src: url(https://x.example/x.woff2); }",
    ],
)
def test_a_rule_that_no_tag_can_carry_stays_in_the_styles(rule: str) -> None:
    html = inline_styles(mail(rule))
    styles = html.partition("<style>")[2].partition("</style>")[0]
    assert "".join(rule.split()) == "".join(styles.split()).replace(";}", ";}")
    assert '<p class="btn dark box g" style="color: red;">' in html


@pytest.mark.reported
def test_of_a_list_of_selectors_only_those_that_were_moved_go() -> None:
    html = inline_styles(mail(".ExternalClass p, .g:hover, p { margin: 0 }"))
    assert ".ExternalClass p" in html
    assert ".g:hover" in html
    assert "color: red;margin: 0;" in html or "margin: 0;color: red;" in html


@pytest.mark.reported
@pytest.mark.parametrize(
    "kept",
    [
        DOCTYPE,
        '<head><meta charset="utf-8"><style>',
        "<!--[if mso]><table><tr><td width=600><![endif]-->",
        "<!--[if mso]></td></tr></table><![endif]-->",
        "<!--[if !mso]><!--><i>seen</i><!--<![endif]-->",
        "<![if !mso]><i>seen</i><![endif]>",
        "<!--[if gte mso 9]><xml><o:PixelsPerInch>{{ dots }}</o:PixelsPerInch></xml><![endif]-->",
        '<!--[if mso]><v:rect href="https://a.example/?a=1&copy=2"><![endif]-->',
        "<!-- a plain one {% if a > b %}x{% endif %} -->",
        "<!---->",
    ],
)
def test_comments_of_outlook_and_the_doctype_come_through_as_they_are(kept: str) -> None:
    body = "" if kept in (DOCTYPE, '<head><meta charset="utf-8"><style>') else kept
    assert kept in inline_styles(mail(".g:hover { color: blue }", f"<p>a</p>{body}<p>b</p>"))


@pytest.mark.reported
def test_an_attribute_that_liquid_says_twice_is_kept_twice() -> None:
    link = (
        '<a {% if a %}href="https://a.example"{% else %}href="https://b.example"{% endif %}>x</a>'
    )
    html = inline_styles(mail("", link))
    assert links_in(html) == ["https://a.example", "https://b.example"]
    for a, address in ((True, "https://a.example"), (False, "https://b.example")):
        rendered = parse(html, html=True).render({"a": a})
        assert links_in(rendered) == [address]


def test_what_an_entity_spells_is_no_liquid() -> None:
    html = inline_styles(mail("", "<p>&#123;&#123; a }}&#123;% if %} {{ a }}</p>"))
    rendered = parse(html, html=True).render({"a": "A"})
    assert "&#123;{ a }}&#123;% if %} A</p>" in rendered

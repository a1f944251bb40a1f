"""The links of a mail: which are found at publishing, where a tracked mail leads,
and what stays the author's.
"""

import datetime as dt
from typing import Any

import pytest
from django.conf import settings

from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.links import forget, links_in, target, tracked
from apps.content.liquid.fixed import TRACKING
from apps.content.models import Link, Version
from apps.content.render import Compiled, compiled
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
TOKEN = "Abc_-" * 15
CLICK = "/c/" + TOKEN + "/"
PIXEL = "/o/" + TOKEN + ".gif"
CONTEXT: dict[str, Any] = {
    "follower": {"name": "Anna"},
    "site": {"url": "https://carillon.example"},
    "links": {"preferences": "https://carillon.example/p/abc/", "unsubscribe": ""},
}
FRAME = (
    "<html><style>a { color: red }</style><body>{{ content }}<a"
    ' href="https://frame.example/">Us</a></body></html>'
)


def published(*, frame: str = "", **html: str) -> Version:
    """A version with this HTML in these languages."""
    layout = None
    if frame:
        layout = save_layout(key="frame", name="Frame", html=frame, by=TESTER, now=NOW)
    words = {
        language: {"email": {"subject": "Hello", "html": source}}
        for language, source in html.items()
    }
    template = drafts.create_template(
        key="t", name="T", translations=words, layout=layout, by=TESTER, now=NOW
    )
    return drafts.publish(template=template, by=TESTER, now=NOW)


def html_of(version: Version, stamp: str = "", language: str = "en") -> str:
    context = {**CONTEXT, "links": {**CONTEXT["links"], "tracking": stamp}}
    mail = compiled(version).render_mail(language, context, tracked=bool(stamp))
    return str(mail.parts["html"])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('<a href="https://a.example/x">', ["https://a.example/x"]),
        ("<A class='x' HREF = 'http://a.example'\n title=\"a > b\">", ["http://a.example"]),
        ("<area shape=rect href=https://a.example/x coords=1>", ["https://a.example/x"]),
        (
            '<a href="https://a.example/?a=1&amp;b=2&#38;c=3&copy=4&reg;">',
            ["https://a.example/?a=1&b=2&c=3&copy=4®"],
        ),
        ('<a href=" https://a.example/ ">', ["https://a.example/"]),
        ('<a href="https://пример.example/путь">', ["https://пример.example/путь"]),
        ('<a {% if a > b %}class="x"{% endif %} href="https://a.example">', ["https://a.example"]),
        ('<a title="{{ x | default: "y" }}" href="https://a.example">', ["https://a.example"]),
        (
            '<a {% if a %}href="https://a.example"{% else %}href="https://b.example"{% endif %}>',
            ["https://a.example", "https://b.example"],
        ),
        ('<!--[if mso]><a href="https://a.example"><![endif]-->', ["https://a.example"]),
        ('<a href="https://{{ host }}/x">', []),
        ('<a href="{{ url }}">', []),
        (
            '<a href="mailto:a@b.example"><a href="tel:+1"><a href="#top"><a href="/x"><a href="">',
            [],
        ),
        (
            (
                '<a href="javascript:alert(1)"><a href="ftp://x"><a href="https://"><a'
                ' href="//a.example">'
            ),
            [],
        ),
        ('<a href="https://a.example/ b">', []),
        ('<a href="https://a.example/\n/evil">', []),
        (f'<a href="https://a.example/{"x" * 2000}">', []),
        ('<a title=" href=https://no.example " data-href="https://no.example">', []),
        (
            (
                '<abbr href="https://a.example"><link href="https://a.example"><img'
                ' src="https://a.example">'
            ),
            [],
        ),
        ('{% raw %}<a href="https://a.example">{% endraw %}', []),
        ("{{ '<a href=\"https://a.example\">' }}", []),
    ],
)
def test_only_web_addresses_that_are_the_same_for_everyone_are_found(
    source: str, found: list[str]
) -> None:
    assert links_in(source) == found


def test_odd_sources_are_read_in_no_time() -> None:
    for odd in (
        "<a " + "x" * 200_000,
        "<a " * 60_000,
        '<a "' * 60_000,
        "<a " + "x " * 100_000 + ">",
        "<a href" * 9_999,
    ):
        assert links_in(odd) == []


def test_the_pixel_stands_before_the_last_end_of_the_body_or_at_the_end() -> None:
    for source, before, after in (
        ("<body><p>x</p></BODY ></html>", "<body><p>x</p>", "</BODY ></html>"),
        ("<!-- </body> --><body></body>", "<!-- </body> --><body>", "</body>"),
        ("<p>x</p>", "<p>x</p>", ""),
    ):
        html = tracked(source, {})
        assert html.startswith(before + '<img src="')
        assert html.endswith(
            f'/o/{TRACKING}.gif" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'
            + after
        )
        assert "display:none" not in html


@pytest.mark.django_db
def test_publishing_stores_each_address_once_in_the_order_of_the_document() -> None:
    version = published(
        frame=FRAME,
        en=(
            '<a href="https://b.example/?x=1&amp;y=2">B</a><a href="https://a.example">A</a><a'
            ' href="https://b.example/?x=1&y=2">'
        ),
        ru='<a href="https://a.example">А</a><a href="https://ru.example">Р</a>',
    )
    assert list(version.links.values_list("number", "url")) == [
        (1, "https://b.example/?x=1&y=2"),
        (2, "https://a.example"),
        (3, "https://frame.example/"),
        (4, "https://ru.example"),
    ]


@pytest.mark.django_db
def test_a_tracked_mail_leads_through_us_and_an_untracked_one_does_not() -> None:
    source = (
        '<p><a href="https://a.example/?x=1&amp;y=2">A</a> <a href="{{ links.preferences'
        " }}\">Settings</a> <a href='mailto:hi@a.example'>Write</a></p>"
    )
    version = published(frame=FRAME, en=source)
    plain = html_of(version)
    led = html_of(version, TOKEN)
    assert 'href="https://a.example/?x=1&amp;y=2"' in plain
    assert "/c/" not in plain
    assert ".gif" not in plain
    assert led.count(CLICK) == 2
    assert f'{CLICK}1" style="color: red;">A</a>' in led
    assert f"{CLICK}2" in led
    assert "https://a.example" not in led
    assert led.count(PIXEL) == 1
    assert TRACKING not in led + plain
    for kept in ('href="https://carillon.example/p/abc/"', "mailto:hi@a.example"):
        assert kept in plain
        assert kept in led


@pytest.mark.django_db
def test_a_link_that_a_template_keeps_for_later_leads_through_us_as_well() -> None:
    kept = '{% capture kept %}<a href="https://a.example">A</a>{% endcapture %}{{ kept }}'
    led = html_of(published(en=f"<p>{kept}</p>"), TOKEN)
    assert f'<a href="{settings.SITE_URL}{CLICK}1">A</a>' in led
    assert TRACKING not in led


@pytest.mark.django_db
def test_each_language_leads_to_its_own_addresses() -> None:
    version = published(en='<a href="https://en.example">', ru='<a href="https://ru.example">')
    for language, url in (("en", "https://en.example"), ("ru", "https://ru.example")):
        html = html_of(version, TOKEN, language)
        number = int(html.partition(CLICK)[2].partition('"')[0])
        assert target(version.pk, number) == url


@pytest.mark.django_db
def test_a_click_finds_its_address_without_asking_twice_and_nothing_else(
    django_assert_num_queries: Any,
) -> None:
    forget()
    version = published(en='<a href="https://a.example">')
    with django_assert_num_queries(1):
        assert target(version.pk, 1) == "https://a.example"
        assert target(version.pk, 2) is None
    assert target(version.pk + 1000, 1) is None


@pytest.mark.django_db
def test_a_version_published_before_links_were_stored_keeps_its_authors_links() -> None:
    version = published(en='<a href="https://a.example">')
    Link.objects.all().delete()
    html = html_of(version, TOKEN)
    assert 'href="https://a.example"' in html
    assert PIXEL in html


@pytest.mark.django_db
def test_a_draft_has_no_links_and_a_restored_version_gets_its_own() -> None:
    version = published(en='<a href="https://a.example">')
    draft = drafts.restore(version=version, by=TESTER, now=NOW)
    draft = drafts.edit_draft(
        template=version.template, values=drafts.DraftValues(note="x"), by=TESTER, now=NOW
    )
    assert not draft.links.exists()
    again = drafts.publish(template=version.template, by=TESTER, now=NOW)
    assert [link.url for link in again.links.all()] == ["https://a.example"]
    assert [link.url for link in version.links.all()] == ["https://a.example"]


@pytest.mark.django_db
def test_a_mail_without_html_stays_without() -> None:
    words = {"en": {"email": {"subject": "Hello", "text": "Hi https://a.example"}}}
    template = drafts.create_template(key="t", name="T", translations=words, by=TESTER, now=NOW)
    mail = compiled(drafts.publish(template=template, by=TESTER, now=NOW)).render_mail(
        "en", CONTEXT, tracked=True
    )
    assert not mail.parts["html"]
    assert mail.parts["text"] == "Hi https://a.example"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("source", "fields"),
    [
        ("{{ follower.name }} {{ follower['email'] }}", {"name", "email"}),
        ("{% for tag in follower.tags %}{{ tag }}{% endfor %}", {"tags"}),
        (
            "{% if follower.metadata.vip %}x{% endif %}{{ 'x' | append: follower.phone }}",
            {"metadata", "phone"},
        ),
        ("{{ when | date: 'long' }}", {"time_zone"}),
        ("{% assign f = follower %}{{ f.tags }}", "all"),
        ("{{ follower[field] }}", "all"),
        ("{% for pair in follower %}{{ pair }}{% endfor %}", "all"),
        ("{% assign follower = 'x' %}{{ follower.tags }}", {"tags"}),
        ("nothing", set()),
    ],
)
def test_the_sender_knows_what_a_version_asks_about_a_follower(
    source: str, fields: set[str] | str
) -> None:
    version = Version(layout_html="", state="published")
    everything = {
        "name",
        "first_name",
        "last_name",
        "email",
        "phone",
        "language",
        "time_zone",
        "external_id",
        "metadata",
        "tags",
    }
    for part in ("subject", "html", "text"):
        words = {"en": {"email": {"subject": "Hello", part: source}}}
        assert Compiled(version, words=words).follower_fields == (
            everything if fields == "all" else fields
        ), part

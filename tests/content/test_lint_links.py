"""Links, pictures and merge tags that work in no mail are found before anybody gets them."""

import datetime as dt
from typing import Any

import pytest

from apps.content import drafts
from apps.content.layouts import save_layout
from apps.content.lint import findings, problems
from apps.content.models import Version
from apps.content.problems import NotPublishable
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)


def a_draft(html: str = "<p>Hi</p>", **parts: Any) -> Version:
    words = {"subject": "Hi", "html": html, **parts}
    template = drafts.create_template(
        key="t", name="T", translations={"en": {"email": words}}, by=TESTER, now=NOW
    )
    return template.versions.get()


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("html", "said"),
    [
        ('<a href="/pricing">', "the link /pricing leads nowhere from a mail. Write the whole"),
        ('<a href="/pricing">', "such as {{ site.url }}/pricing."),
        ('<a href="../pricing">', "such as {{ site.url }}/pricing."),
        ('<a href="pricing.html?a=1">', "the link pricing.html?a=1 leads nowhere"),
        ('<a href="?a=1">', "the link ?a=1 leads nowhere"),
        ('<a href="/x/{{ follower.external_id }}">', "the link /x/… leads nowhere"),
        ('<a href="www.shop.example">', "Write https://www.shop.example."),
        ("<A HREF=shop.example/x>", "Write https://shop.example/x."),
        ('<a href="//shop.example/x">', "Write https://shop.example/x."),
        ('<a href="a@b.example">', "Write mailto:a@b.example."),
        ('<a href="">', "a link has no address"),
        ('<a href=" \n ">', "a link has no address"),
        ("<a href>", "a link has no address"),
        ('<a href="#">', "the link # leads nowhere yet"),
        ('<area href="/x">', "the link /x leads nowhere"),
        ('<!--[if mso]><a href="/x"><![endif]-->', "the link /x leads nowhere"),
        ('<img src="/logo.png">', "the picture /logo.png is not found from a mail"),
        ('<img src="logo.png">', "the picture logo.png is not found"),
        ('<img src="">', "a picture has no address"),
        ('<td background="bg.png">', "the picture bg.png is not found"),
        ('<a href="https:/shop.example/x">', "the link https:/shop.example/x leads nowhere. Write"),
        ('<a href="https:/shop.example/x">', "Write https://shop.example/x."),
        ('<a href="http:shop.example">', "Write https://shop.example."),
        ('<a href="htp://shop.example">', "Write https://shop.example."),
        ('<a href="HTTPSS://shop.example">', "Write https://shop.example."),
        ('<img src="htps://shop.example/x.png">', "the picture htps://shop.example/x.png is not"),
        ('<a href="http://localhost:8000/x">', "http://localhost:8000/x is found on your own"),
        ('<img src="https://127.0.0.1/x.png">', "is found on your own machine only"),
        ("Hi %FIRSTNAME%", "%FIRSTNAME% is a merge tag"),
        ("Hi [FIRST_NAME]", "Write {{ follower.first_name }} instead."),
        ("Hi [[first_name]]", "[[first_name]] is a merge tag"),
        ("Hi ${name}", "${name} is a merge tag"),
    ],
)
def test_what_leads_nowhere_warns_with_its_line_and_what_to_write(html: str, said: str) -> None:
    version = a_draft(f"<p>\n{html}</p>")
    assert problems(version) == []
    (found,) = findings(version)
    assert (found.where, found.line, found.warns) == ("en.email.html", 2, True)
    assert said in found.message


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("html", "said"),
    [
        ("Hi *|FNAME|*,", "*|FNAME|* is a merge tag of another system"),
        ("Hi *|FNAME|*,", "Write {{ follower.first_name }} instead."),
        ('<a href="*|UNSUB|*">x</a>', "Write {{ links.unsubscribe }} instead."),
        ("*|LIST:ADDRESS|*", "Write {{ site.address }} instead."),
        ("*|MMERGE5|*", "Write {{ follower.metadata.mmerge5 }} or another value instead."),
        ("%%first_name%%", "Write {{ follower.first_name }} instead."),
        ("%recipient.plan%", "%recipient.plan% is a merge tag"),
        ("%unsubscribe_url%", "Write {{ links.unsubscribe }} instead."),
        ("{{{unsubscribe}}}", "Write {{ links.unsubscribe }} instead."),
        ("{{{ unsubscribe }}}", "Write {{ links.unsubscribe }} instead."),
        ("<%email%>", "Write {{ follower.email }} instead."),
        ("{unsubscribe_url}", "Write {{ links.unsubscribe }} instead."),
        ("{contactfield=firstname}", "Write {{ follower.first_name }} instead."),
        ('<a href="javascript:alert(1)">', "runs a script, which no mail client does"),
        ('<a href=" JavaScript:alert(1)">', "runs a script"),
        ('<a href="java\nscript:alert(1)">', "runs a script"),
        ('<a href="&#106;avascript:alert(1)">', "runs a script"),
        ('<a href="vbscript:x">', "runs a script"),
    ],
)
def test_what_no_reader_could_use_is_not_published(html: str, said: str) -> None:
    version = a_draft(f"<p>\n{html}</p>")
    with pytest.raises(NotPublishable) as refusal:
        drafts.publish(template=version.template, by=TESTER, now=NOW)
    first = refusal.value.problems[0]
    assert (first.where, first.line) == ("en.email.html", 2)
    assert said in first.message


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize("part", ["subject", "preheader", "text"])
def test_a_merge_tag_is_found_in_every_part(part: str) -> None:
    version = a_draft(**{part: "Hi *|FNAME|*"})
    assert [found.where for found in problems(version)] == [f"en.email.{part}"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://a.example">',
        '<a href="{{ links.unsubscribe }}">',
        '<a href="{{ site.url }}/pricing">',
        '<a href="mailto:a@b.example?subject=Hi">',
        '<a href="tel:+491234">',
        '<a href="#top">',
        '<a name="top">',
        '<img src="https://a.example/x.png">',
        '<img src="cid:logo">',
        '<img alt="x">',
        "50%% off and 20%% more, [1], {{ site.name }}, 5 *|* 3",
        "[NEW] [SALE] 10%OFF% [FAQ] %C3%A4 [name]",
        '<a href="https://localhost.example/">',
        '<a href="tps:1">',
        "{% raw %}x{% endraw %}<!-- <a href='/x'> -->",
        "<style>a{color:red}</style>",
    ],
)
def test_what_works_is_not_spoken_of(html: str) -> None:
    assert findings(a_draft(html)) == []


@pytest.mark.reported
@pytest.mark.django_db
def test_a_layout_is_looked_at_too() -> None:
    frame = '<a href="/home">{{ content }}</a>'
    layout = save_layout(key="frame", name="Frame", html=frame, by=TESTER, now=NOW)
    template = drafts.create_template(
        key="t",
        name="T",
        translations={"en": {"email": {"subject": "Hi", "html": "<p>Hi</p>"}}},
        layout=layout,
        by=TESTER,
        now=NOW,
    )
    assert [found.where for found in findings(template.versions.get())] == ["layout.html"]
    with pytest.raises(NotPublishable, match="is a merge tag"):
        save_layout(key="frame", name="Frame", html="{{ content }}*|UNSUB|*", by=TESTER, now=NOW)

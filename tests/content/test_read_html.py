"""HTML is read by one set of rules, those of browsers: held against html5ever."""

import css_inline
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.content.links import links_in
from apps.content.mail_html import inline_styles
from apps.content.mail_text import text_of
from apps.content.read_html import Token, TokenKind, decoded, tags, tokens

HTML5EVER = css_inline.CSSInliner(inline_style_tags=False, keep_style_tags=True)
# what an address ends with -> what browsers make of it
AMBIGUOUS = {
    "amount=5&currency=EUR": "amount=5&currency=EUR",
    "a=1&region=de": "a=1&region=de",
    "a=1&section=2": "a=1&section=2",
    "a=1&notify=1": "a=1&notify=1",
    "a=1&copy=1": "a=1&copy=1",
    "a=1&copyright=1": "a=1&copyright=1",
    "a=1&reg=1": "a=1&reg=1",
    "a=1&params=1": "a=1&params=1",
    "a=1&times=3": "a=1&times=3",
    "a=1&para=3": "a=1&para=3",
    "a=1&not=3": "a=1&not=3",
    "a=1&notin=3": "a=1&notin=3",
    "a=1&lt=3": "a=1&lt=3",
    "a=1&gt_x=3": "a=1>_x=3",
    "a=1&ampere=3": "a=1&ampere=3",
    "a=1&amp;b=2": "a=1&b=2",
    "a=1&ampb=2": "a=1&ampb=2",
    "a=1&#38;b=2": "a=1&b=2",
    "a=1&#38b=2": "a=1&b=2",
    "a=1&#x26;b=2": "a=1&b=2",
    "a=1&amp;amp;b=2": "a=1&amp;b=2",
    "a=1&amp;lt;b": "a=1&lt;b",
    "a=1&notit;": "a=1&notit;",
    "a=1&copy;": "a=1©",
    "a=1&copy": "a=1©",
    "a=1&copy/b": "a=1©/b",
    "a=1&unknown;": "a=1&unknown;",
}


@pytest.mark.reported
@pytest.mark.parametrize(("written", "meant"), AMBIGUOUS.items())
def test_an_address_is_the_same_in_the_html_in_the_text_and_behind_a_click(
    written: str, meant: str
) -> None:
    html = f'<p><a href="https://pay.example/?{written}">Pay</a></p>'
    address = f"https://pay.example/?{meant}"
    assert text_of(html) == f"Pay ({address})\n"
    assert links_in(html) == [address]
    assert links_in(inline_styles("<style>p { margin: 0 }</style>" + html)) == [address]


def pictures(source: str) -> list[dict[str, str]]:
    """The attributes of each picture; of those said twice the first."""
    found = []
    for token in tokens(source):
        if token.kind is TokenKind.START and token.name == "img":
            said = {each.name: each.value for each in reversed(token.attributes)}
            found.append(said)
    return found


FRAGMENTS = st.sampled_from(
    [
        "<img src=",
        "<IMG\n",
        "<img/",
        "alt",
        "=",
        '"',
        "'",
        ">",
        "/>",
        "<",
        "</",
        "</ p>",
        "<p ",
        "<b>",
        "&copy=",
        "&copy;",
        "&copy",
        "&amp;lt;",
        "&#38",
        "x",
        " ",
        "\n",
        "<!--",
        "-->",
        "--!>",
        "<!-->",
        "<!x>",
        "<?xml?>",
        "<textarea>",
        "</textarea>",
        "</textarea x",
        "title=a",
        "`",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25))
def test_whatever_is_written_it_is_read_as_html5ever_reads_it(pieces: list[str]) -> None:
    source = "<!doctype html><body>" + "".join(pieces)
    assert pictures(source) == pictures(HTML5EVER.inline(source))


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS, max_size=25))
def test_tokens_leave_no_gap_and_touch_no_place_twice(pieces: list[str]) -> None:
    source = "".join(pieces)
    ends = [0]
    for token in tokens(source):
        assert token.start == ends[-1] < token.end or token.kind is TokenKind.RAW
        ends.append(token.end)
    assert ends[-1] == len(source)


def test_outlook_reads_what_a_conditional_comment_hides() -> None:
    source = (
        '<!--[if mso]><a href="https://a.example"><![endif]--><!-- <b> --><i title="{{ a > b }}">'
    )
    assert [tag.name for tag in tags(source)] == ["a", "i"]


def test_a_value_is_decoded_once() -> None:
    assert decoded("&amp;amp;") == "&amp;"
    assert decoded("no & one") == "no & one"


def test_of_an_attribute_said_twice_the_first_counts() -> None:
    (tag,) = list(tags("<img alt=a ALT=b>"))
    alt = Token.get(tag, "alt")
    assert alt is not None
    assert alt.value == "a"

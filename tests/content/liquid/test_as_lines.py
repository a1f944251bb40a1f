"""A mail whose lines a template writes says what the same template says in pieces: for any template
and any reader.
"""

import logging
import quopri
import re
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.channels.mail.quoted import body, ended
from apps.channels.pieces import ReaderToken
from apps.content.liquid.as_lines import as_lines
from apps.content.liquid.blank_lines import tidy
from apps.content.liquid.fixed import MANAGING, TRACKING, SameForAll
from apps.content.liquid.limits import FAILURES
from apps.content.liquid.parse import line_of, parse
from apps.content.models import Version
from apps.content.render import Compiled
from tests.content.liquid.test_nodes import ODD, OTHERS, TEMPLATES, VALUES

TOKENS = {"managing": ReaderToken("m" * 75), "tracking": ReaderToken("t" * 75)}
SITE = {"name": "Bells & <Co>", "address": "1 Long Street\nLondon"}
LINKS = {"preferences": f"https://x.example/p/{TOKENS['managing']}/", **TOKENS}
KNOWN: SameForAll = frozenset(
    {
        (("site", "name"), SITE["name"]),
        (("site", "address"), SITE["address"]),
        (("links", "preferences"), f"https://x.example/p/{MANAGING}/"),
    }
)


def outcome(render: Any) -> str:
    """What comes out, or the error with the line it points at."""
    try:
        return str(render())
    except FAILURES as error:
        return f"refused: {type(error).__name__} {error} {line_of(error)}"


def read(lines: bytes) -> str:
    """What a reader of these lines sees; they keep the rules."""
    assert lines.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\n\.|^\.", lines)
    assert max(map(len, lines.split(b"\r\n"))) <= 76
    assert lines.endswith(b"\r\n")
    return quopri.decodestring(lines).decode().replace("\r\n", "\n")


def written(source: str, values: dict[str, Any], *, html: bool, known: SameForAll) -> str | None:
    """The lines as their reader sees them; None where they are written by the longer way."""
    lines = parse(source, html=html, known=known).lines({**values, "links": LINKS, "site": SITE})
    if lines is None:
        return None
    return read(ended(lines))


def meant(source: str, values: dict[str, Any], *, html: bool) -> str:
    """What the pieces say, without anything known beforehand."""
    source = source.replace(TRACKING, TOKENS["tracking"])
    text = str(parse(source, html=html).render({**values, "links": LINKS, "site": SITE}))
    if not html:
        text = tidy(text)
    return read(ended(body(text)))


def same(source: str, values: dict[str, Any], *, html: bool) -> bool:
    """Both ways say the same, without and with what is known; whether the latter are lines."""
    told = outcome(lambda: meant(source, values, html=html))
    in_lines = False
    for known in (frozenset(), KNOWN):
        as_written = outcome(partial(written, source, values, html=html, known=known))
        in_lines = as_written != "None"
        if in_lines:
            assert as_written == told
    return in_lines


# ---- any template
@pytest.mark.once  # pure
@settings(max_examples=100, deadline=None)
@given(source=TEMPLATES, html=st.booleans(), values=st.sampled_from([VALUES, OTHERS, {}]))
def test_any_template_says_in_lines_what_it_says_in_pieces(
    source: str, html: bool, values: dict[str, Any]
) -> None:
    if not outcome(lambda: parse(source, html=html)).startswith("refused"):
        same(source, values, html=html)


HOSTILE = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(["\u202eevil", "=", "=\r\n", ".\r\n.", "x" * 1200, "\r\nBcc: e@x.org", "\x00"]),
    st.text(st.sampled_from(" .=\n\t\r\xa0\u202f\x85éa€😀_<&"), max_size=30),
    st.none(),
    st.integers(),
    st.booleans(),
)
WORDS = st.one_of(
    st.sampled_from(
        ["\n", "\n\n\n", " ", "  \n", "\n  ", "\t", "Hello ", "a.\n.b\n", "é = ", "x" * 80, "\xa0",
         TRACKING, "https://x.example/c/" + TRACKING + "/1", ". ", "\n\n \n* "]
    ),
    st.text(st.sampled_from(" .=\n\té<&"), max_size=12),
)  # fmt: skip
SHOWN = st.sampled_from(
    ["{{ a }}", "{{ b }}", "{{ a.b }}", "{{ i }}", "{{ site.name }}", "{{ site.address }}",
     "{{ links.preferences }}", "{{ a | upcase }}", "{{ site.name | upcase }}", "{{ nothing }}",
     "{% assign b = a %}", "{% assign site = a %}", "{% capture b %}x{{ a }}{% endcapture %}"]
)  # fmt: skip


def _in_blocks(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    within = st.lists(inside, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{% if a == b %}}{}{{% else %}}{}{{% endif %}}".format, within, within),
        st.builds("{{% unless a %}}{}{{% endunless %}}".format, within),
        st.builds("{{% for i in list %}}{}{{% endfor %}}".format, within),
        st.builds("{{% for site in list %}}{}{{% endfor %}}".format, within),
    )


LETTERS = st.lists(st.recursive(st.one_of(WORDS, SHOWN), _in_blocks, max_leaves=8), max_size=7)


@pytest.mark.once  # pure
@settings(max_examples=200, deadline=None)
@given(
    source=LETTERS.map("".join),
    html=st.booleans(),
    a=HOSTILE,
    b=HOSTILE,
    many=st.lists(HOSTILE, max_size=3),
)
@example(source="{{ a }} and", html=False, a="", b="", many=[])
@example(source="Bye \n{% if a == b %}{% endif %}", html=False, a="", b="", many=[])
@example(source="  {{ a }}\nx", html=False, a="", b="", many=[])
@example(
    source="{% for i in list %}\n\n{{ i }}\n\n{% endfor %}", html=False, a="", b="", many=["x"] * 3
)
def test_what_mails_are_made_of_says_the_same_for_hostile_readers(
    source: str, html: bool, a: Any, b: Any, many: list[Any]
) -> None:
    same(source, {"a": a, "b": b, "list": many}, html=html)


# ---- which way is taken
ORDINARY = (
    "{% assign l = 'en' %}Hello {{ name }},\n\n{% if n == 3 %}\nThree.\n{% else %}\nOther.\n"
    "{% endif %}\n{% for i in list %}\n* {{ i }}: {{ n }}\n{% endfor %}\n\n"
    "-- \n{{ site.name }}, {{ site.address }}\n{{ links.preferences }}\n"
)


@pytest.mark.parametrize(
    ("source", "html", "name", "in_lines"),
    [
        (ORDINARY, False, "Anna", True),
        (ORDINARY, False, "", True),
        (ORDINARY, False, "Анна =20 .", True),
        (ORDINARY, False, "two\nlines", False),  # this reader's way is the longer one
        (ORDINARY, False, " Anna", False),
        (ORDINARY, True, "two\nlines", True),
        ("<p>{% cycle 'a', 'b' %}{{ name }}</p>", True, "Anna", True),
        ("{% cycle 'a', 'b' %}{{ name }}", False, "Anna", False),  # and here everybody's
        ("x\n  {% if n == 3 %}y{% endif %}", False, "Anna", False),
        ("{% for i in list %}x{% endfor %}" * 2000, True, "Anna", False),
    ],
)
def test_lines_are_written_wherever_that_is_safe(
    source: str, html: bool, name: str, in_lines: bool
) -> None:
    assert same(source, {"name": name, "n": 3, "list": [1, "", "two"]}, html=html) is in_lines


def test_a_version_that_takes_longer_to_write_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    version = Version(default_language="en")
    text = "{% cycle 'a', 'b' %} {{ follower.name }}"
    words = {"en": {"email": {"subject": "x", "html": "<p>x</p>", "text": text}}}
    letter = Compiled(version, words=words)
    with caplog.at_level(logging.INFO, logger="carillon.content"):
        for _ in range(2):
            parts = letter.render_mail("en", {"follower": {"name": "Zoë"}}, lines=True).parts
            assert (parts["text"], parts["html"]) == (b"a Zo=C3=AB=\r\n", b"<p>x</p>=\r\n")
    said = f"The text part in en of version {version.uid} takes longer to write than others."
    assert [record.getMessage() for record in caplog.records] == [said]


def test_what_is_the_same_for_every_reader_is_encoded_with_the_words_around_it() -> None:
    parsed = parse(
        "<p>Hi from {{ site.name }}: {{ links.preferences }}</p>", html=True, known=KNOWN
    )
    assert [type(node).__name__ for node in parsed.nodes] == ["Words", "LinkToken", "Words"]
    assert parsed.lines({"links": LINKS}) == (
        b"<p>Hi from Bells &amp; &lt;Co&gt;: https://x.example/p/=\r\n"
        + TOKENS["managing"].encode() + b"=\r\n/</p>=\r\n"
    )  # fmt: skip


def test_a_name_that_the_template_gives_itself_is_not_ours() -> None:
    for source in (
        "{% assign site = other %}{{ site.name }}",
        "{% for site in others %}{{ site.name }}{% endfor %}",
        "{% capture site %}x{% endcapture %}{{ site.name }}{{ other.name }}",
    ):
        values = {"other": {"name": "Mine"}, "others": [{"name": "Mine"}]}
        assert written(source, values, html=True, known=KNOWN) == "Mine\n"


def test_a_limit_is_a_limit_in_lines_too() -> None:
    env = parse("x", html=True).env
    nodes = parse("{{ half }}{{ half }}{{ half }}", html=True).nodes
    write = as_lines(env, nodes)
    assert write
    with pytest.raises(FAILURES):
        write({"half": "x" * 400_000}, lambda _: None)  # type: ignore[arg-type,return-value]

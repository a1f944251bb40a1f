"""A mail put together from pieces says what the whole text says: for every template that ships,
and for any other.
"""

import datetime as dt
import re
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid import BoundTemplate

from apps.channels.mail.dkim import Signer
from apps.channels.mail.mime import as_bytes
from apps.channels.pieces import Pieces, ReaderToken, Static
from apps.content import drafts, stock
from apps.content.lint import sample_data
from apps.content.liquid.compiled import as_python
from apps.content.liquid.fixed import TRACKING
from apps.content.liquid.limits import FAILURES
from apps.content.liquid.nodes import MAX_OUTPUT, clean
from apps.content.liquid.parse import LimitedEnvironment, line_of, parse
from apps.content.liquid.plain_data import plain
from apps.content.models import Template
from apps.content.problems import RenderError
from apps.content.render import compiled
from tests.channels.mail.test_dkim import KEYS, LIST, accepted
from tests.channels.mail.test_smtp import a_mail
from tests.content.test_render import BOMBS, a_draft
from tests.content.test_stock import person
from tests.make import TESTER

NOW = dt.datetime(2026, 11, 21, 9, 0, tzinfo=dt.UTC)
TOKEN = ReaderToken("Abc_-" * 15)
ODD = [
    'Anna "Bell" O\'Hara & <Co>',
    "two\r\nlines",
    "🎉🔔" * 9,
    "מרים עברית",
    "x" * 300,
    "ж" * 300,
    "=?utf-8?q?no?=",
    ".",
    "..dots",
    "  blanks  ",
    "a\xa0b\u2028c",
    "\U0001f9d1\u200d\U0001f52c \U00020000",
    "",
    "a=b=20",
    "tab\t",
    "a\x00b\rc",
    TRACKING,
]


def lines_are_in_order(data: bytes) -> bytes:
    """CRLF only, nothing but ASCII, no line too long; returns the body."""
    assert data.isascii()
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)|\n\.", data)
    head, _, body = data.partition(b"\r\n\r\n")
    assert max(map(len, head.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76
    return body


def bodies(data: bytes) -> tuple[str, str]:
    """Text and HTML as Python's parser reads them, without the line end a part must have."""
    mail = message_from_bytes(data, policy=default)
    assert not mail.defects
    assert not any(part.defects for part in mail.walk())
    plain = mail.get_body(("plain",))
    html = mail.get_body(("html",))
    assert plain
    read = [part.get_content().replace("\r\n", "\n") if part else "" for part in (plain, html)]
    return read[0], read[1]


def ended(text: str) -> str:
    if text.endswith("\n"):
        return text
    return text + "\n"


# ---- what ships
@pytest.fixture(scope="module")
def signers() -> list[Signer]:
    return [Signer(domain="carillon.example", selector="bell", key=key) for key in KEYS.values()]


@pytest.fixture
def library(db: None) -> list[Template]:
    return stock.install(by=TESTER, now=NOW)


@pytest.mark.once  # 7 s of writing; the database only holds the templates
def test_every_template_in_every_language_for_every_odd_name(
    library: list[Template], signers: list[Signer]
) -> None:
    for template in library:
        version = drafts.published_version(template)
        assert version is not None
        words = compiled(version)
        sample = sample_data(version)
        for language in ("en", "ru"):
            for number, name in enumerate(ODD):
                context = plain({**sample, **person(language, name=name)})
                whole = words.render("email", language, context).parts
                links = {**context["links"], "tracking": TOKEN, "managing": TOKEN}
                context["links"] = links
                for tracked in {number > 3, True}:  # both for the first names
                    parts = words.render_mail(language, context, tracked=tracked).parts
                    subject = parts["subject"]
                    html = parts["html"]
                    assert (subject, parts["preheader"], parts["text"]) == (
                        whole["subject"], whole["preheader"], whole["text"],
                    )  # fmt: skip
                    if not tracked:
                        assert str(html) == whole["html"]
                    assert TRACKING not in str(html) or name == TRACKING
                    lines = words.render_mail(language, context, tracked=tracked, lines=True).parts
                    assert lines["subject"] == subject
                    fields = {"subject": subject, "to_name": " ".join(clean(name).split())}
                    from_pieces = a_mail(text=parts["text"], html=html, **fields)
                    as_they_are = lines["text"], lines["html"]
                    from_lines = a_mail(text="", html="", lines=as_they_are, **fields)
                    for data in (as_bytes(from_pieces), as_bytes(from_lines)):
                        lines_are_in_order(data)
                        read = message_from_bytes(data, policy=default)
                        assert "".join(str(read["Subject"]).split()) == "".join(subject.split())
                        assert bodies(data) == (ended(parts["text"]), ended(str(html)))
                        tokens = re.findall(
                            "[co]/" + TOKEN + r"(?:/|=2E)", data.replace(b"=\r\n", b"").decode()
                        )
                        assert len(tokens) == str(html).count(TOKEN)
                        assert bool(tokens) is tracked
                    if number == 0:
                        for signer in signers:
                            signed = a_mail(headers=LIST, text="", html="", lines=as_they_are)
                            assert accepted(signer.sign(as_bytes(signed)), signer)


# ---- any pieces
LETTERS = st.text(
    st.one_of(
        st.sampled_from(" .=\n\tэa€😀_<"),
        st.characters(blacklist_categories=("Cs",), blacklist_characters="\r"),
    ),
    max_size=200,
)
PIECES = st.lists(
    st.one_of(LETTERS, LETTERS.map(Static), st.text("x. =", max_size=90), st.just(TOKEN)),
    max_size=12,
)


@given(pieces=PIECES)
def test_pieces_read_back_as_the_whole_text(pieces: list[str]) -> None:
    data = as_bytes(a_mail(html=Pieces([*pieces, "!"])))
    lines_are_in_order(data)
    html = "".join([*pieces, "!"])
    assert bodies(data)[1] == ended(html) == bodies(as_bytes(a_mail(html=html)))[1]


def test_a_static_piece_is_encoded_once() -> None:
    piece = Static("Größe = 5 \n" * 9)
    first = as_bytes(a_mail(html=Pieces([piece, "Anna"])))
    kept = piece.lines
    second = as_bytes(a_mail(html=Pieces(["x" * 70, piece, "Boris"])))
    assert piece.lines is kept
    assert kept in first
    assert kept in second


# ---- any template: the same with python-liquid's own nodes
class _Slow(LimitedEnvironment):
    template_class = BoundTemplate


VALUES = {
    "name": "O'Neil <b>",
    "n": 3,
    "none": None,
    "yes": True,
    "list": [1, "two", {"three": 3}],
    "deep": {"er": {"st": "x"}, "size": 7},
    "text": "a\x00b\r\nc\rd\n\n",
    "partial": "mine",
}
OTHERS = {
    "name": 3,
    "n": 0,
    "list": {"a": "&", "b": [1]},
    "deep": "x",
    "yes": "",
    "text": False,
    "i": "mine",
    "none": 1.5,
}
EXPRESSIONS = st.sampled_from(
    [
        "name",
        "n",
        "none",
        "yes",
        "list",
        "deep",
        "deep.er.st",
        "deep.size",
        "deep.er.size",
        "list.size",
        "list[1]",
        "list[2].three",
        "list.first",
        "nothing",
        "nothing.at.all",
        "name.first",
        "text",
        "i",
        "i.three",
        "forloop.index",
        "forloop.last",
        "c",
        "(1..3)",
        "'lit & eral'",
        "deep[name]",
        "n | plus: 2",
        "name | upcase",
        "text | newline_to_br",
        "list | join: ', '",
        "name | escape",
        "name | append: c",
        "deep.er | json",
    ]
)
WORDS = st.sampled_from(["<p>", " ", "\n", "a\tb ", "&amp;", "é😀", "\r\n", ".\n", "x" * 90])


def _simple(expression: str) -> bool:
    return "|" not in expression and " if " not in expression


OPERANDS = EXPRESSIONS.filter(_simple)
CONDITIONS = st.one_of(
    OPERANDS,
    st.builds(
        "{} {} {}".format,
        OPERANDS,
        st.sampled_from(["==", "!=", "<", ">", "<=", ">=", "contains", "and", "or", "<>"]),
        st.one_of(
            OPERANDS,
            st.sampled_from(["3", "'two'", "nil", "empty", "blank", "true", "0.5", "n or yes"]),
        ),
    ),
)


def _blocks(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inside, max_size=3).map("".join)
    return st.one_of(
        st.builds("{{% if {} %}}{}{{% else %}}{}{{% endif %}}".format, CONDITIONS, body, body),
        st.builds(
            "{{% if {} %}}{}{{% elsif {} %}}{}{{% endif %}}".format,
            CONDITIONS,
            body,
            CONDITIONS,
            body,
        ),
        st.builds(
            "{{%- unless {} -%}}{}{{% endunless %}}".format, EXPRESSIONS.filter(_simple), body
        ),
        st.builds("{{% for i in {} %}}{}{{% endfor %}}".format, OPERANDS, body),
        st.builds(
            "{{% for name in list %}}{}{{{{ name.three }}}}{{% else %}}-{{% endfor %}}".format, body
        ),
        st.builds(
            "{{% for i in (1..n) reversed %}}{}{{% else %}}{}{{% endfor %}}".format, body, body
        ),
        st.builds("{{% tablerow i in list cols: 2 %}}{}{{% endtablerow %}}".format, body),
        st.builds("{{% capture c %}}{}{{% endcapture %}}".format, body),
        st.builds("{{% case n %}}{{% when 3 %}}{}{{% else %}}{}{{% endcase %}}".format, body, body),
        st.builds("{{% ifchanged %}}{}{{% endifchanged %}}".format, body),
        st.builds("{{% raw %}}{}{{% endraw %}}".format, WORDS),
    )


LEAVES = st.one_of(
    WORDS,
    EXPRESSIONS.map("{{{{ {} }}}}".format),
    EXPRESSIONS.map("{{{{- {} -}}}}".format),
    st.sampled_from(
        [
            "{% assign c = name %}",
            "{% cycle 'a', name, 'c' %}",
            "{% increment k %}",
            "{% break %}",
            "{% continue %}",
            "{% echo name %}",
            "{% liquid\nassign c = n\necho c %}",
            "{% comment %}x{% endcomment %}",
        ]
    ),
)
TEMPLATES = st.lists(st.recursive(LEAVES, _blocks, max_leaves=8), max_size=5).map("".join)


def _outcome(render: Any) -> str:
    """What comes out, or the error with the line it points at."""
    try:
        return str(render())
    except FAILURES as error:
        return f"refused: {type(error).__name__} {error} {line_of(error)}"


@pytest.mark.once  # pure
@settings(max_examples=250, deadline=None)
@given(source=TEMPLATES, html=st.booleans(), values=st.sampled_from([VALUES, OTHERS, {}]))
def test_quicker_nodes_and_python_write_what_python_liquid_writes(
    source: str, html: bool, values: dict[str, Any]
) -> None:
    slow = _outcome(lambda: _Slow(autoescape=html).from_string(source).render(dict(values)))
    template = _outcome(lambda: parse(source, html=html))
    if template.startswith("refused"):
        assert slow.startswith("refused")
        return
    parsed = parse(source, html=html)
    quick = _outcome(lambda: "".join(parsed._walked(dict(values))))
    assert clean(quick.replace("\r", "\n")) == quick
    assert re.sub(r"\n+", "\n", quick) == re.sub(
        r"\n+", "\n", clean(slow)
    )  # a break cut by a piece's end counts twice
    write = as_python(parsed.env, parsed.nodes)
    assert write
    for _ in range(2):  # nothing of the one before is left
        assert _outcome(lambda: "".join(write(dict(values), parsed._context))) == quick


@pytest.mark.parametrize(
    ("source", "as_it_is"),
    [
        ("{{ 'a' }}{{ name | upcase }}{{ nothing }}", True),
        (
            "{% for i in list limit:1 %}{{ i }}{% endfor %}"
            "{% for i in list offset:continue %}{{ i }}{% endfor %}",
            False,
        ),
        ("{% if n == 1" + " or n == 3" * 400 + " %}x{% endif %}", False),
        ("{% if n == 1 %}" + "{% elsif n == 3 %}x" * 900 + "{% endif %}", False),
        ("{% if n == 1 %}" + "{% elsif n == 3 %}x" * 90 + "{% endif %}", True),
        ("{% for i in list %}x{% endfor %}" * 2000, False),
        (
            "{% for a in list %}"
            "{% for b in list %}{{ forloop.parentloop.index }}{{ forloop.last }}{% endfor %}"
            "{{ forloop.index }}{% endfor %}",
            True,
        ),
        ("{% assign it = 'forloop' %}{% for i in list %}{{ [it].index }}{% endfor %}", True),
        ("{{ '{' }}{ {{ name }} }{% raw %}{{ x }}{% endraw %}\\ \\n 'q' \"q\"", True),
        (
            "{% if n > 2 and list contains 'two' %}yes{% elsif name <= 3 %}{% endif %}"
            "{% if name < 3 %}{% endif %}",
            True,
        ),
        ("\n\n{{ n | divided_by: 0 }}", True),
        ("a\n{% for i in list %}{{ i | money: 'EUR' }}{% endfor %}", True),
        (
            "{% if yes %}{% assign name = 'b' %}"
            "{% if name == 'b' %}{{ name }}{% endif %}x{% endif %}{{ name }}",
            True,
        ),
    ],
)
def test_what_is_odd_comes_out_as_python_liquid_has_it(source: str, as_it_is: bool) -> None:
    parsed = parse(source, html=True)
    write = as_python(parsed.env, parsed.nodes)
    assert bool(write) is as_it_is
    walked = _outcome(lambda: "".join(parsed._walked(dict(VALUES))))
    for _ in range(2):
        assert _outcome(lambda: "".join(parsed.pieces(dict(VALUES)))) == walked


def test_a_blank_block_writes_nothing_whatever_stands_in_it() -> None:
    for source in (
        "{% if yes %}\n {% assign a = 1 %} {% endif %}",
        "{% if yes %} {% capture c %}x{% endcapture %} {% endif %}",
    ):
        assert "".join(parse(source).pieces(dict(VALUES))).strip() == ""
    assert "x" in "".join(
        parse("{% if yes %} {% capture c %}x{% endcapture %} {% endif %}{{ c }}").pieces(
            dict(VALUES)
        )
    )


# ---- limits
@pytest.mark.django_db
@pytest.mark.parametrize("bomb", BOMBS, ids=range(len(BOMBS)))
def test_a_bomb_ends_in_pieces_too(bomb: str) -> None:
    version = a_draft(html=bomb, text="x")
    with pytest.raises(RenderError):
        compiled(version).render_mail("en", {"big": "<a" * 45_000}, lines=True)


def test_the_limit_of_the_output_counts_words_values_loops_and_captures_together() -> None:
    half = "x" * (MAX_OUTPUT // 2 - 10)
    for source in (
        "{{ half }}{{ half }}" + "y" * 30,
        "{% for i in (1..10) %}{{ tenth }}yyyyyyyyyy{% endfor %}",
        "{{ half }}{% capture a %}{{ half }}yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy{% endcapture %}",
        "{% tablerow i in (1..10) %}{{ tenth }}yyyyyyyyyy{% endtablerow %}",
    ):
        with pytest.raises(FAILURES):
            parse(source).pieces({"half": half, "tenth": "x" * (MAX_OUTPUT // 10 - 5)})
    assert len("".join(parse("{{ half }}{{ half }}").pieces({"half": half}))) == 2 * len(half)

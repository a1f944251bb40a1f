"""What python-liquid and markupsafe keep for themselves is there, and does what we use it for.

A failure here names the part that another release has changed:
apps/content/liquid/undocumented.py is the one place to mend.
"""

from functools import partial
from typing import Any

import markupsafe
import pytest
from liquid import Environment, RenderContext, Token
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.tags.for_tag import ForNode
from liquid.exceptions import LiquidTypeError
from markupsafe import Markup, escape

from apps.content.liquid import undocumented

TOKEN = Token("word", "x", 0, "x")
VALUES: list[Any] = [None, True, False, 0, 1, 1.5, "", "a", "b", "1", [], ["a"], {"a": 1}]
REFUSED = (LiquidTypeError, TypeError)
PAIRS = [(left, right) for left in VALUES for right in VALUES]


def rendered(condition: str, left: Any, right: Any) -> bool | None:
    """Whether python-liquid itself finds the condition true; None if it refuses to compare."""
    template = f"{{% if left {condition} right %}}yes{{% endif %}}"
    try:
        return Environment().from_string(template).render(left=left, right=right) == "yes"
    except REFUSED:
        return None


def compared(function: Any, *values: Any) -> bool | None:
    try:
        return bool(function(*values))
    except REFUSED:
        return None


@pytest.mark.parametrize(
    ("condition", "function"),
    [
        ("==", undocumented.equal),
        ("<", partial(undocumented.less, TOKEN)),
        ("<=", undocumented.at_most),
        ("contains", partial(undocumented.found_in, TOKEN)),
    ],
)
def test_two_values_compare_as_in_a_template(condition: str, function: Any) -> None:
    ours = [compared(function, *pair) for pair in PAIRS]
    assert ours == [rendered(condition, *pair) for pair in PAIRS]
    assert {True, False} <= set(ours)


def test_the_quick_escape_is_the_one_of_markupsafe() -> None:
    text = "<a href=\"x\">Tom & 'Jerry'</a>"
    assert undocumented.escaped is markupsafe._escape_inner, "markupsafe has another one now"
    assert undocumented.escaped(text) == str(escape(text))
    assert type(undocumented.escaped(text)) is str
    assert not isinstance(undocumented.escaped(text), Markup)


def test_a_watched_loop_shows_what_it_walks_and_walks_as_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = Environment().from_string(
        "{% for x in things reversed limit: 2 offset: 1 %}{{ x }}{% endfor %}"
    )
    [node] = template.nodes
    assert isinstance(node, ForNode)
    loop: Any = node.expression
    assert type(loop) is LoopExpression
    loop.__class__ = undocumented.WatchedLoop
    shown: list[object] = []
    monkeypatch.setattr(
        undocumented.WatchedLoop, "before_walking", lambda _, walked: shown.append(walked)
    )
    things = [1, 2, 3, 4]
    assert template.render(things=things) == "32"
    walked, length = loop.walk(things, RenderContext(template, globals={}))
    assert (list(walked), length) == (things, 4)
    assert shown == [things, things]

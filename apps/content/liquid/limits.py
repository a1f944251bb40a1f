"""Limits on what a template may cost: loops, ranges, filters and time.

Liquid can neither call nor read attributes, so a template reaches nothing but the data it is given.
What it could still do is burn time and memory; these limits end every such template well within a
second.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from django.utils.translation import gettext as _
from liquid import RenderContext
from liquid.builtin.tags.for_tag import ForTag
from liquid.builtin.tags.tablerow_tag import TablerowTag
from liquid.exceptions import FilterArgumentError, LiquidError

from apps.content.liquid.nodes import (
    MAX_ITERATIONS,
    Collector,
    refuse_long_range,
    too_many_rounds,
)
from apps.content.liquid.undocumented import WatchedLoop

MAX_LOCALS = 200_000  # bytes of all assigned values
MAX_STRING = 200_000  # characters a filter may make
MAX_SECONDS = 0.5  # of processor time for one part; an ordinary one takes far less

# What a hostile or unlucky template raises besides LiquidError: bad numbers, odd dates,
# deep nesting.
FAILURES = (
    LiquidError,
    ArithmeticError,
    ValueError,
    TypeError,
    LookupError,
    RecursionError,
    AttributeError,
)


class LimitedContext(RenderContext):
    """A context that counts the rounds of all loops together, and the time they take.

    python-liquid itself only multiplies the rounds of nested loops.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.rounds = 0
        self.began = time.monotonic()
        self.late_from = 0.0

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.rounds += length
        if self.rounds > MAX_ITERATIONS:
            too_many_rounds()

    def filter(self, name: str, token: Any = None) -> Callable[..., object]:
        self.hurry(token)  # filters do work that grows with the data
        return super().filter(name, token)

    def hurry(self, token: Any = None) -> None:
        if time.monotonic() - self.began > MAX_SECONDS / 2:
            self._refuse_long_work(token)

    def in_time(self, things: Iterable[Any]) -> Iterator[Any]:
        """Walk a loop; the number of its rounds is bounded, and not what each of them holds."""
        for thing in things:
            self.hurry()
            yield thing

    def _refuse_long_work(self, token: Any) -> None:
        """Count only work, not waiting for a processor.

        That clock is dear, so it is looked at only when time has passed.
        """
        worked = time.thread_time()
        self.late_from = self.late_from or worked
        if worked - self.late_from > MAX_SECONDS / 2:
            said = _("rendering takes longer than {seconds} s").format(seconds=MAX_SECONDS)
            raise LiquidError(said, token=token)

    def get_buffer(self, buf: Any = None) -> Any:
        if type(buf) is Collector:
            return Collector(buf.size)
        return Collector()


class _Loop(WatchedLoop):
    """A loop that refuses a long range before it is walked.

    `offset` and `reversed` would walk it before any limit is asked.
    """

    __slots__ = ()

    def before_walking(self, walked: object) -> None:
        refuse_long_range(walked)


class LimitedFor(ForTag):
    def parse(self, stream: Any) -> Any:
        node: Any = super().parse(stream)
        node.expression.__class__ = _Loop
        return node


class LimitedTablerow(TablerowTag):
    def parse(self, stream: Any) -> Any:
        node: Any = super().parse(stream)
        node.expression.__class__ = _Loop
        return node


def bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Measure a filter's input and output; `replace` and `join` multiply, so before they work."""

    @functools.wraps(function)
    def wrapper(value: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_long_range(value)
        if isinstance(value, int) and abs(value) > 10**30:
            raise FilterArgumentError(_("the number is too big"), token=None)
        if name == "replace" and len(args) == 2:
            _refuse_big_replacement(str(value), str(args[0]), str(args[1]))
        if name == "join" and args and isinstance(value, Sequence):
            _refuse_over(len(value) * len(str(args[0])))
        result = function(value, *args, **kwargs)
        if isinstance(result, str | list):
            _refuse_over(len(result))
        return result

    return wrapper


def _refuse_big_replacement(text: str, old: str, new: str) -> None:
    if old:
        times = text.count(old)
    else:
        times = len(text) + 1
    _refuse_over(len(text) + times * len(new))


def _refuse_over(size: int) -> None:
    if size > MAX_STRING:
        said = _("the result is longer than {count} characters").format(count=MAX_STRING)
        raise FilterArgumentError(said, token=None)

"""The template language staff write in: Liquid with every limit set, plain data only,
and filters that know languages.

Liquid can neither call nor read attributes, so a template reaches nothing but the data it is given.
What it could still do is burn time and memory; the limits below end every such template well within
a second.
"""

import bisect
import datetime as dt
import functools
import math
import re
import time
import zoneinfo
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

import babel
from babel import dates, numbers
from django.utils import timezone
from django.utils.functional import Promise
from liquid import BoundTemplate, Environment, RenderContext
from liquid.builtin.tags.for_tag import ForTag
from liquid.builtin.tags.tablerow_tag import TablerowTag
from liquid.exceptions import (
    FilterArgumentError,
    LiquidError,
    LiquidInterrupt,
    LiquidSyntaxError,
)
from liquid.filter import with_context

from apps.channels.pieces import Static
from apps.content.liquid.compiled import Writer, as_python
from apps.content.liquid.nodes import (
    MAX_ITERATIONS,
    MAX_OUTPUT,
    Collector,
    Words,
    clean,
    quicken,
    refuse_long_range,
    too_many_rounds,
)
from apps.content.liquid.undocumented import WatchedLoop

MAX_SOURCE = 500_000  # characters of one part
MAX_LOCALS = 200_000  # bytes of all assigned values
MAX_STRING = 200_000  # characters a filter may make
MAX_SECONDS = 0.5  # of processor time for one part; an ordinary one takes 0.0002

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


class Unrenderable(Exception):
    """A value that templates may not see, or a result that is too big."""


def plain(value: object, depth: int = 0) -> Any:
    """A copy made of dict, list, str, int, float, bool and None only: what Liquid may see.

    Dates become ISO 8601 text; decimals, UUIDs and lazy translations text;
    subclasses of str (safe strings!) lose their class.
    Raises Unrenderable for everything else: models, functions, files.
    """
    if depth > 12:
        raise Unrenderable("the data is nested more than 12 levels deep")
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return value + 0
    if isinstance(value, Decimal | UUID | Promise):
        return str(value)
    raise Unrenderable(
        f"{type(value).__name__} is not plain data (text, number, yes/no, list or object)"
    )


# ---- limits
class _Context(RenderContext):
    """Counts the rounds of all loops together:
    python-liquid itself only multiplies the nested ones.
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
        """The rounds of a loop: their number is bounded, and not what each of them holds."""
        for thing in things:
            self.hurry()
            yield thing

    def _refuse_long_work(self, token: Any) -> None:
        """Only work counts, not waiting for a processor.

        Looked at late: that clock took 6 % of a sender's time.
        """
        worked = time.thread_time()
        self.late_from = self.late_from or worked
        if worked - self.late_from > MAX_SECONDS / 2:
            raise LiquidError(f"rendering takes longer than {MAX_SECONDS} s", token=token)

    def get_buffer(self, buf: Any = None) -> Any:
        return Collector(buf.size if type(buf) is Collector else 0)


class Parsed(BoundTemplate):
    """A part, ready to be written for one reader after the other."""

    context_class = _Context

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        quicken(self.nodes)
        words = [node.text for node in self.nodes if type(node) is Words]
        self._fixed = words if len(words) == len(self.nodes) else None

    def pieces(self, values: dict[str, Any]) -> list[str]:
        """The words in pieces, clean: `Static` ones,
        and between them what differs from reader to reader.
        """
        if self._fixed is not None:
            return list(self._fixed)
        if self._write:
            return self._write(values, self._context)
        return self._walked(values)

    @functools.cached_property
    def _write(self) -> Writer | None:
        return as_python(self.env, self.nodes)

    def _context(self, values: dict[str, Any]) -> _Context:
        return _Context(self, globals=values)

    def _walked(self, values: dict[str, Any]) -> list[str]:
        """Node by node: a template so long that compiling it would take longer."""
        context = self._context(values)
        buffer = Collector()
        output: Any = buffer  # all that a node asks of it
        for node in self.nodes:
            try:
                context.hurry(node.token)
                node.render(context, output)
            except LiquidInterrupt as interrupt:
                self.env.error(LiquidSyntaxError(f"unexpected '{interrupt}'", token=node.token))
            except LiquidError as error:
                self.env.error(error, token=node.token)
        return [piece if type(piece) is Static else clean(piece) for piece in buffer.pieces]

    def render(self, *args: Any, **kwargs: Any) -> str:
        return "".join(self.pieces(dict(*args, **kwargs)))


class _Loop(WatchedLoop):
    """Refuses a long range before it is walked:
    `offset` and `reversed` would walk it before any limit is asked.
    """

    __slots__ = ()

    def before_walking(self, walked: object) -> None:
        refuse_long_range(walked)


class _For(ForTag):
    def parse(self, stream: Any) -> Any:
        node: Any = super().parse(stream)
        node.expression.__class__ = _Loop
        return node


class _Tablerow(TablerowTag):
    def parse(self, stream: Any) -> Any:
        node: Any = super().parse(stream)
        node.expression.__class__ = _Loop
        return node


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with its input and output measured; `replace` multiplies,
    so it is measured before it works.
    """

    @functools.wraps(function)
    def wrapper(value: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_long_range(value)
        if isinstance(value, int) and abs(value) > 10**30:
            raise FilterArgumentError("the number is too big", token=None)
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
        raise FilterArgumentError(f"the result is longer than {MAX_STRING} characters", token=None)


# ---- filters that know the reader's language and zone
def _language(context: RenderContext) -> str:
    content: Any = context.globals.get("content") or {}
    return str(content.get("language", ""))


def _time_zone(context: RenderContext) -> dt.tzinfo:
    follower: Any = context.globals.get("follower") or {}
    return _zone(follower.get("time_zone") or "")


@functools.lru_cache(maxsize=100)
def locale_of(language: str) -> babel.Locale:
    """The locale of a BCP 47 tag; English for a tag nobody knows."""
    try:
        return babel.Locale.parse(language.replace("-", "_"))
    except (babel.UnknownLocaleError, ValueError):
        base = language.partition("-")[0]
        if base != language:
            return locale_of(base)
        return babel.Locale("en")


@functools.lru_cache(maxsize=600)
def _zone(name: str) -> dt.tzinfo:
    try:
        if name:
            return zoneinfo.ZoneInfo(name)
        return timezone.get_default_timezone()
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return timezone.get_default_timezone()


def _number(value: object) -> Decimal:
    text = str(value).strip()
    if len(text) > 100:
        raise FilterArgumentError("the number is too long", token=None)
    try:
        number = Decimal(text or "0")
    except ArithmeticError as error:
        raise FilterArgumentError(f"“{str(value)[:40]}” is not a number", token=None) from error
    if not number.is_finite() or abs(number) >= 10**30 or (number and number.adjusted() < -30):
        raise FilterArgumentError("the number is too big", token=None)
    return number


@with_context
def number(value: object, *, context: RenderContext) -> str:
    """`{{ 1234.5 | number }}`: 1,234.5 in English, 1 234,5 in Russian."""
    return _number_in_words(str(_number(value)), _language(context))


@with_context
def money(value: object, currency: object = "USD", *, context: RenderContext) -> str:
    """`{{ total | money: "EUR" }}`: €1,234.50 or 1 234,50 €."""
    return _money_in_words(str(_number(value)), str(currency)[:3].upper(), _language(context))


@with_context
def plural(value: object, *forms: object, context: RenderContext) -> str:
    """`{{ n | plural: "товар", "товара", "товаров" }}`: the form for the number,
    in the order of the language's rules.

    English: one, other. Russian: one, few, many. Fewer forms than rules:
    the last one stands for the rest.
    """
    if not forms:
        raise FilterArgumentError("plural needs the forms of the word", token=None)
    locale = locale_of(_language(context))
    known = {*locale.plural_form.tags, "other"}
    order = [str(tag) for tag in ("zero", "one", "two", "few", "many", "other") if tag in known]
    return str(
        forms[min(order.index(str(locale.plural_form(abs(_number(value))))), len(forms) - 1)]
    )


@with_context
def date(value: object, fmt: object = "medium", *, context: RenderContext) -> str:
    """`{{ when | date: "long" }}`: short, medium, long, full, each also as `long time`;
    or a strftime pattern.

    ISO 8601 text; a moment (with zone) is shown in the follower's own zone.
    Other text is printed as it is.
    """
    moment = _moment(value)
    if moment is None:
        return str(value)
    if isinstance(moment, dt.datetime) and moment.tzinfo:
        moment = moment.astimezone(_time_zone(context))
    words = str(fmt).split()
    if words and words[0] in {"short", "medium", "long", "full"}:
        on_the_wall = moment
        if isinstance(moment, dt.datetime):
            on_the_wall = moment.replace(tzinfo=None)
        return _date_in_words(on_the_wall, words[0], words[1:] == ["time"], _language(context))
    return moment.strftime(str(fmt)[:100])


# The same prices and days stand in everybody's mail, and Babel takes 10 µs for each.
@functools.lru_cache(maxsize=2000)
def _number_in_words(number: str, language: str) -> str:
    return numbers.format_decimal(Decimal(number), locale=locale_of(language))


@functools.lru_cache(maxsize=2000)
def _money_in_words(number: str, currency: str, language: str) -> str:
    return numbers.format_currency(Decimal(number), currency, locale=locale_of(language))


@functools.lru_cache(maxsize=2000)
def _date_in_words(moment: dt.date, style: Any, with_time: bool, language: str) -> str:
    """`moment` without a zone: two that are equal in different zones look different."""
    locale = locale_of(language)
    day = dates.format_date(moment, style, locale=locale)
    if not with_time or not isinstance(moment, dt.datetime):
        return day
    return f"{day}, {dates.format_time(moment, 'short', locale=locale)}"


def _moment(value: object) -> dt.date | None:
    if value in {"now", "today"}:
        return timezone.now()
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    try:
        text = str(value).strip()[:40]
        if len(text) <= 10:
            return dt.date.fromisoformat(text)
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


# ---- the two environments
class _Environment(Environment):
    template_class = Parsed
    loop_iteration_limit = MAX_ITERATIONS
    local_namespace_limit = MAX_LOCALS
    output_stream_limit = MAX_OUTPUT
    context_depth_limit = 20
    block_nesting_limit = 20

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in (
            "include",
            "render",
        ):  # there is nothing to include: layouts are put around by us
            del self.tags[tag]
        del self.filters["safe"]  # would let a follower's own data into the mail as HTML
        del self.filters["escapejs"]  # marks its result safe as well, and mail runs no scripts
        self.add_tag(_For)
        self.add_tag(_Tablerow)
        for function in (number, money, plural, date):
            self.add_filter(function.__name__, function)
        self.filters = {name: _bounded(name, function) for name, function in self.filters.items()}


_HTML = _Environment(autoescape=True)
_TEXT = _Environment(autoescape=False)


class BadSyntax(ValueError):
    """The source can't be read; `line` counts from 1."""

    def __init__(self, message: str, line: int):
        super().__init__(message)
        self.line = line


_OPENING = re.compile(r"\{\{|\{%")
_VERBATIM = re.compile(r"-?\s{0,20}(raw|comment|doc)\s{0,20}-?")


def _scan(source: str) -> None:
    """One pass that finds what is never closed:
    python-liquid's own lexer took a minute over 20,000 times `{{`.
    """
    at = 0
    while found := _OPENING.search(source, at):
        line = source.count("\n", 0, found.start()) + 1
        closing = "%}"
        if found[0] == "{{":
            closing = "}}"
        end = source.find(closing, found.end())
        if end < 0:
            raise BadSyntax(f"{found[0]} is never closed with {closing}", line)
        inside = source[found.end() : end]
        if len(inside) > 20_000 or re.search(r"\s{100}", inside):
            raise BadSyntax(f"this {found[0]} … {closing} is too long", line)
        at = end + 2
        if closing == "%}" and (verbatim := _VERBATIM.fullmatch(inside)):
            ending = re.compile(rf"\{{%-?\s{{0,20}}end{verbatim[1]}\s{{0,20}}-?%\}}").search(
                source, at
            )
            if not ending:
                raise BadSyntax(
                    f"{{% {verbatim[1]} %}} is never closed with {{% end{verbatim[1]} %}}", line
                )
            at = ending.end()


def parse(source: str, *, html: bool = False) -> Parsed:
    """The template, with values escaped if `html`. Raises BadSyntax at the first mistake."""
    if len(source) > MAX_SOURCE:
        raise BadSyntax(f"this part is longer than {MAX_SOURCE} characters", 1)
    _scan(source)
    environment = _TEXT
    if html:
        environment = _HTML
    try:
        return cast(Parsed, environment.from_string(source))
    except LiquidError as error:
        message = str(error.message)
        if message.startswith("expected tag end"):
            block = message.removeprefix("expected tag end").partition(",")[0]
            raise BadSyntax(
                f"{{% {block} %}} is never closed with {{% end{block} %}}", _lines(source)
            ) from error
        raise BadSyntax(
            message, line_of(error) or _line_by_trying(environment, source, message)
        ) from error


def _lines(source: str) -> int:
    return source.count("\n") + 1


def _line_by_trying(environment: Environment, source: str, message: str) -> int:
    """Where an error without a place comes from:
    the end of the shortest beginning that has it too.
    """
    ends = [found.end() for found in re.finditer(r"\}\}|%\}", source)]

    def has_it(end: int) -> bool:
        try:
            environment.from_string(source[:end])
        except LiquidError as error:
            return str(error.message) == message
        return False

    at = bisect.bisect_left(ends, True, key=has_it)
    if at < len(ends):
        return _lines(source[: ends[at]])
    return 1


def known_filters() -> list[str]:
    return sorted(_TEXT.filters)


def known_tags() -> list[str]:
    return sorted(
        name
        for name in _TEXT.tags
        if name.isidentifier() and name not in {"illegal", "content", "output"}
    )


def line_of(error: BaseException) -> int | None:
    """The line an error points at, counted from 1."""
    if isinstance(error, BadSyntax):
        return error.line
    place = None
    if isinstance(error, LiquidError):
        place = error.context()
    if place:
        return place[0]
    return None

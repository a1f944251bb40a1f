"""Filters that know the reader's language and zone: number, money, plural and date."""

import datetime as dt
import functools
import math
import zoneinfo
from decimal import Decimal
from typing import Any

import babel
from babel import dates, numbers
from django.utils import timezone
from django.utils.translation import gettext as _
from liquid import RenderContext
from liquid.exceptions import FilterArgumentError
from liquid.filter import with_context


def _language(context: RenderContext) -> str:
    content: Any = context.globals.get("content") or {}
    return str(content.get("language", ""))


def _time_zone(context: RenderContext) -> dt.tzinfo:
    follower: Any = context.globals.get("follower") or {}
    return _zone(follower.get("time_zone") or "")


@functools.lru_cache(maxsize=100)
def locale_of(language: str) -> babel.Locale:
    """Find the locale of a BCP 47 tag; English for a tag nobody knows."""
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
        raise FilterArgumentError(_("the number is too long"), token=None)
    try:
        number = Decimal(text or "0")
    except ArithmeticError as error:
        said = _("“{value}” is not a number").format(value=str(value)[:40])
        raise FilterArgumentError(said, token=None) from error
    if not number.is_finite() or abs(number) >= 10**30 or (number and number.adjusted() < -30):
        raise FilterArgumentError(_("the number is too big"), token=None)
    return number


@with_context
def number(value: object, *, context: RenderContext) -> str:
    """Write a number: `{{ 1234.5 | number }}` is 1,234.5 in English, 1 234,5 in Russian."""
    return _number_in_words(str(_number(value)), _language(context))


@with_context
def money(value: object, currency: object = "USD", *, context: RenderContext) -> str:
    """Write an amount: `{{ total | money: "EUR" }}` is €1,234.50 or 1 234,50 €."""
    return _money_in_words(str(_number(value)), str(currency)[:3].upper(), _language(context))


@with_context
def plural(value: object, *forms: object, context: RenderContext) -> str:
    """Choose the form of a word: `{{ n | plural: "товар", "товара", "товаров" }}`.

    The forms stand in the order of the language's rules. English: one, other. Russian: one, few,
    many. With fewer forms than rules the last one stands for the rest.
    """
    if not forms:
        raise FilterArgumentError(_("plural needs the forms of the word"), token=None)
    locale = locale_of(_language(context))
    known = {*locale.plural_form.tags, "other"}
    order = [str(tag) for tag in ("zero", "one", "two", "few", "many", "other") if tag in known]
    rule = order.index(str(locale.plural_form(abs(_number(value)))))
    return str(forms[min(rule, len(forms) - 1)])


@with_context
def date(value: object, fmt: object = "medium", *, context: RenderContext) -> str:
    """Write a date: `{{ when | date: "long" }}`.

    Takes short, medium, long, full, each also as `long time`, or a strftime pattern. The value is
    ISO 8601 text; a moment (with zone) is shown in the follower's own zone. Other text is printed
    as it is.
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


# The same prices and days stand in everybody's mail, and Babel is slow.
@functools.lru_cache(maxsize=2000)
def _number_in_words(number: str, language: str) -> str:
    return numbers.format_decimal(Decimal(number), locale=locale_of(language))


@functools.lru_cache(maxsize=2000)
def _money_in_words(number: str, currency: str, language: str) -> str:
    return numbers.format_currency(Decimal(number), currency, locale=locale_of(language))


@functools.lru_cache(maxsize=2000)
def _date_in_words(moment: dt.date, style: Any, with_time: bool, language: str) -> str:
    """Write a moment without a zone: two that are equal in different zones look different."""
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

"""A segment's rules in the reader's words, and values as sentences quote them."""

from typing import Any

from django.utils.translation import gettext, ngettext, pgettext, pgettext_lazy

from apps.campaigns.audience import behaviour
from apps.campaigns.audience.language import FIELDS, OPERATORS, OPPOSITES, Group, Rule

_HAS_CHOSEN = {
    "on": pgettext_lazy("rule", "has switched on “{type}” by {channel}"),
    "off": pgettext_lazy("rule", "has switched off “{type}” by {channel}"),
    "none": pgettext_lazy("rule", "has never chosen “{type}” by {channel}"),
}
_HAS_NOT_CHOSEN = {
    "on": pgettext_lazy("rule", "has not switched on “{type}” by {channel}"),
    "off": pgettext_lazy("rule", "has not switched off “{type}” by {channel}"),
    "none": pgettext_lazy("rule", "has not never chosen “{type}” by {channel}"),
}


def sentence(part: Rule | Group) -> str:
    """Say rules without a full stop: `language is “ru” and has the tag “vip”`."""
    if isinstance(part, Rule):
        return _rule_sentence(part)
    text = _joined(part)
    if part.unless is None:
        return text
    denied = denial(part.unless)
    if not text:
        return denied
    but = gettext("({rules}), but {denied}")
    if part.every:
        but = gettext("{rules}, but {denied}")
    return but.format(rules=text, denied=denied)


def denial(group: Group) -> str:
    """Say that rules must not be true: `not (language is “ru”)`."""
    return gettext("not ({rules})").format(rules=sentence(group))


def _joined(group: Group) -> str:
    said = []
    for child in group.parts:
        text = sentence(child)
        if isinstance(child, Group):
            text = f"({text})"
        said.append(text)
    word = _or()
    if group.every:
        word = pgettext("rules", "and")
    return f" {word} ".join(said)


def _or() -> str:
    return pgettext("rules", "or")


def _rule_sentence(rule: Rule) -> str:
    said = quoted(rule.value)
    match rule.field:
        case "tag" if rule.value is None:
            yes = pgettext("rule", "has a tag")
            return _yes_or_no(rule, yes, pgettext("rule", "has no tag"))
        case "tag":
            yes = pgettext("rule", "has the tag {tags}")
            no = pgettext("rule", "does not have the tag {tags}")
            return _yes_or_no(rule, yes, no).format(tags=said)
        case "subscribed":
            if rule.value:
                return pgettext("rule", "is subscribed")
            return pgettext("rule", "is not subscribed")
        case "email_domain" if rule.value is None:
            yes = pgettext("rule", "has an email address")
            return _yes_or_no(rule, yes, pgettext("rule", "has no email address"))
        case "has_channel":
            yes = pgettext("rule", "has an active address for {channels}")
            no = pgettext("rule", "has no active address for {channels}")
            return _yes_or_no(rule, yes, no).format(channels=said)
        case "preference":
            return _preference_sentence(rule)
        case "behaviour":
            return behaviour.sentence(rule.value, denied=rule.op in OPPOSITES)
        case "created_at":
            return _sign_up_sentence(rule)
    label = rule.key or FIELDS[rule.field].label
    words = {"field": label, "comparison": OPERATORS[rule.op], "value": said}
    if rule.value is None:
        return gettext("{field} {comparison}").format(**words)
    return gettext("{field} {comparison} {value}").format(**words)


def _preference_sentence(rule: Rule) -> str:
    own = rule.value
    choice = own["choice"]
    said = _yes_or_no(rule, str(_HAS_CHOSEN[choice]), str(_HAS_NOT_CHOSEN[choice]))
    return said.format(type=own["type"], channel=own["channel"])


def _sign_up_sentence(rule: Rule) -> str:
    if rule.op == "within_days":
        said = ngettext(
            "signed up within the last {count} days",
            "signed up within the last {count} days",
            rule.value,
        )
        return said.format(count=rule.value)
    said = gettext("signed up after {date}")
    if rule.op == "before":
        said = gettext("signed up before {date}")
    return said.format(date=rule.value)


def _yes_or_no(rule: Rule, yes: str, no: str) -> str:
    if rule.op in OPPOSITES:
        return no
    return yes


def quoted(value: Any, *, longest: int | None = None) -> str:
    """Put a value in a sentence: `“pro”`, `true`, `“ru” or “en”`. Cuts after `longest`."""
    if isinstance(value, list):
        return f" {_or()} ".join(quoted(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, float):
        text = f"{value:g}"
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return pgettext("value", "“{text}”").format(text=text)

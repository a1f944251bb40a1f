"""A segment's rules in plain English, and values as sentences quote them."""

from typing import Any

from apps.campaigns.audience.language import CHOICES, FIELDS, OPERATORS, OPPOSITES, Group, Rule


def sentence(part: Rule | Group) -> str:
    """Say rules without a full stop: `language is “ru” and has the tag “vip”`."""
    if isinstance(part, Rule):
        return _rule_sentence(part)
    text = _joined(part)
    if part.unless is None:
        return text
    denied = f"not ({sentence(part.unless)})"
    if not text:
        return denied
    if part.every:
        return f"{text}, but {denied}"
    return f"({text}), but {denied}"


def _joined(group: Group) -> str:
    said = []
    for child in group.parts:
        text = sentence(child)
        if isinstance(child, Group):
            text = f"({text})"
        said.append(text)
    if group.every:
        return " and ".join(said)
    return " or ".join(said)


def _rule_sentence(rule: Rule) -> str:
    said = quoted(rule.value)
    match rule.field:
        case "tag" if rule.value is None:
            return _yes_or_no(rule, "has a tag", "has no tag")
        case "tag":
            return _yes_or_no(rule, f"has the tag {said}", f"does not have the tag {said}")
        case "subscribed":
            if rule.value:
                return "is subscribed"
            return "is not subscribed"
        case "email_domain" if rule.value is None:
            return _yes_or_no(rule, "has an email address", "has no email address")
        case "has_channel":
            address = f"active address for {said}"
            return _yes_or_no(rule, f"has an {address}", f"has no {address}")
        case "preference":
            own = rule.value
            chose = f"{CHOICES[own['choice']]} “{own['type']}” by {own['channel']}"
            return _yes_or_no(rule, f"has {chose}", f"has not {chose}")
        case "created_at" if rule.op == "within_days":
            return f"signed up within the last {rule.value} days"
        case "created_at":
            return f"signed up {rule.op} {rule.value}"
    label = rule.key or FIELDS[rule.field].label
    if rule.value is None:
        return f"{label} {OPERATORS[rule.op]}"
    return f"{label} {OPERATORS[rule.op]} {said}"


def _yes_or_no(rule: Rule, yes: str, no: str) -> str:
    if rule.op in OPPOSITES:
        return no
    return yes


def quoted(value: Any, *, longest: int | None = None) -> str:
    """Put a value in a sentence: `“pro”`, `true`, `“ru” or “en”`. Cuts after `longest`."""
    if isinstance(value, list):
        return " or ".join(quoted(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    if isinstance(value, float):
        text = f"{value:g}"
    if longest is not None and len(text) > longest:
        text = f"{text[: longest - 1]}…"
    return f"“{text}”"

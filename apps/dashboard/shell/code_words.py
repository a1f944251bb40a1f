"""Codes that pages show in words where no label stands beside them."""

from django.utils.functional import Promise
from django.utils.translation import pgettext_lazy

from apps.accounts.fact_words import FIELD_WORDS
from apps.notifications.models import sentences
from apps.notifications.reports.balance import explain

CODE_WORDS: dict[str, str | Promise] = {
    # what becomes of a row of an import
    "create": pgettext_lazy("code", "create"),
    "update": pgettext_lazy("code", "update"),
    "unchanged": pgettext_lazy("code", "unchanged"),
    "suppress": pgettext_lazy("code", "suppress"),
    "refused": pgettext_lazy("code", "refused"),
    # what a consent record says
    "subscribed": pgettext_lazy("code", "subscribed"),
    "unsubscribed": pgettext_lazy("code", "unsubscribed"),
    "preferences_changed": pgettext_lazy("code", "preferences changed"),
    "rhythm_changed": pgettext_lazy("code", "delivery preferences changed"),
    "phone_confirmed": pgettext_lazy("code", "phone confirmed"),
    # where it was said
    "preference_center": pgettext_lazy("code", "preference center"),
    "provider": pgettext_lazy("code", "the provider"),
    "mail": pgettext_lazy("code", "an email"),
    "one_click": pgettext_lazy("code", "one click"),
    "sign_up": pgettext_lazy("code", "sign up"),
    "staff": pgettext_lazy("code", "staff"),
    "import": pgettext_lazy("code", "import"),
    "command": pgettext_lazy("code", "command"),
    "system": pgettext_lazy("code", "system"),
    "follower": pgettext_lazy("code", "follower"),
    # where words of a template stand
    "draft": pgettext_lazy("code", "draft"),
    "published": pgettext_lazy("code", "published"),
    "archived": pgettext_lazy("code", "archived"),
    # where a message goes
    "email": pgettext_lazy("code", "email"),
    "in_app": pgettext_lazy("code", "in app"),
    "push": pgettext_lazy("code", "push"),
    "web_push": pgettext_lazy("code", "web push"),
    "webhook": pgettext_lazy("code", "webhook"),
    "voice": pgettext_lazy("code", "voice"),
}


def explained(name: str, text: str) -> str:
    """Say why something was so, where a fact carries it: by its code, or as it was stored."""
    if name == "reason":
        return explain(text)
    return sentences.in_words(text)


def in_words(code: str) -> str:
    """Say a code as in the middle of a sentence: `one_click` is "one click"."""
    return str(CODE_WORDS.get(code) or code.replace("_", " "))


def begun(code: str) -> str:
    """Say a code, or name a value by it, at the beginning of a line: "One click"."""
    if code in CODE_WORDS:
        said = str(CODE_WORDS[code])
    else:
        said = str(FIELD_WORDS.get(code, "")) or code.replace("_", " ")
    return said[:1].upper() + said[1:]

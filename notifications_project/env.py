"""Typed readers of the environment: a missing or wrong value stops the start and says what to
write.
"""

import os
import re
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from apps.lib.network.host_name import BadHost, ascii_host, ascii_url

_MISSING = object()
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def load_file(path: Path) -> None:
    """Read NAME=value lines into the environment; what is already set there wins."""
    if not path.exists():
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise ImproperlyConfigured(f"{path}, line {number}: expected NAME=value, got {line!r}.")
        os.environ.setdefault(name.strip(), value.strip())


def text(name: str, default: object = _MISSING) -> str:
    """The value of `name`, or of the file that `name`_FILE points to (container secrets),
    or `default`.
    """
    value = os.environ.get(name)
    if value is None and (path := os.environ.get(f"{name}_FILE")):
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(
                f"{name}_FILE points to {path}, which can't be read: {error}."
            ) from error
    if value is not None:
        return value
    if default is _MISSING:
        raise ImproperlyConfigured(
            f"{name} is not set. Set {name}, or {name}_FILE to a file that holds it."
        )
    return str(default)


def flag(name: str, default: bool) -> bool:
    usual = "no"
    if default:
        usual = "yes"
    value = text(name, usual).lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(
        f"{name}={value!r} is neither yes nor no. Use one of: 1, 0, true, false, yes, no, on, off."
    )


def integer(name: str, default: int, *, least: int = 0) -> int:
    value = text(name, default)
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r} is not a whole number.") from None
    if number < least:
        raise ImproperlyConfigured(f"{name}={number} is too small; the least is {least}.")
    return number


def integers(name: str, default: str) -> list[int]:
    """Comma-separated whole numbers."""
    words = listing(name, default)
    try:
        return [int(word) for word in words]
    except ValueError:
        raise ImproperlyConfigured(f"{name} is not a list of whole numbers: {words}.") from None


def choice(name: str, default: str, options: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in options:
        raise ImproperlyConfigured(f"{name}={value!r} is not one of: {', '.join(options)}.")
    return value


def listing(name: str, default: str = "") -> list[str]:
    """Comma-separated words."""
    return [part.strip() for part in text(name, default).split(",") if part.strip()]


def host(name: str, default: str) -> str:
    """A host's name, in ASCII as DNS has it."""
    return _in_ascii(name, text(name, default), ascii_host)


def hosts(name: str, default: str) -> list[str]:
    """Comma-separated names in ASCII; signs of Django's own (*, a dot in front, [::1]) stay."""
    found = []
    for each in listing(name, default):
        if each.isascii():
            found.append(each)
            continue
        bare = each.removeprefix(".")
        dot = each[: len(each) - len(bare)]
        found.append(dot + _in_ascii(name, bare, ascii_host))
    return found


def url(name: str, default: str) -> str:
    """A web address, its host in ASCII, without a slash at its end."""
    return _in_ascii(name, text(name, default), ascii_url).rstrip("/")


def mailbox(name: str, default: str, *, named: str, default_name: str) -> tuple[str, str]:
    """The name and the address of a sender: `name` holds the address, `named` its name.

    `name` may hold both, as Django's own setting does: the address then stands last, in < and >.
    """
    written = text(name, default).strip()
    shown = text(named, default_name).strip()
    if written.endswith(">") and "<" in written:
        before, _, written = written[:-1].rpartition("<")
        shown = _unquoted(before.strip()) or shown
    local, _, domain = written.strip().rpartition("@")
    if not re.fullmatch(r"[^\s,;@<>]+", local) or not (shown + " ").isprintable():
        raise ImproperlyConfigured(
            f"{name}={written!r} is not one address. Write it as news@example.com, and the name"
            f" into {named}."
        )
    return shown, f"{local}@{_in_ascii(name, domain, ascii_host)}"


def _unquoted(words: str) -> str:
    if len(words) > 1 and words[0] == words[-1] == '"':
        return re.sub(r"\\(.)", r"\1", words[1:-1])
    return words


def _in_ascii(name: str, value: str, change: Callable[[str], str]) -> str:
    try:
        return change(value)
    except BadHost as error:
        raise ImproperlyConfigured(f"{name}={value!r} {error}.") from error

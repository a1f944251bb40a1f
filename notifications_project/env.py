"""Typed readers of the environment: a missing or wrong value stops the start and says what to
write.
"""

import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path

from django.core.checks.security.base import (
    SECRET_KEY_MIN_LENGTH,
    SECRET_KEY_MIN_UNIQUE_CHARACTERS,
)
from django.core.exceptions import ImproperlyConfigured
from dotenv.parser import parse_stream

from apps.lib.network.host_name import BadHost, ascii_host, ascii_url

_MISSING = object()
_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}
_ONLY_A_COMMENT = re.compile(r"[^=]*=[^\S\n]+#")
MADE_BY = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'
# What stands in the repository is known to everybody.
FOR_DEVELOPMENT = "only-for-development"
LEAST_FIELD_KEY = 32  # characters


def secret_key(*, production: bool) -> str:
    """Read the key that signs links and sessions. In production a weak one is refused."""
    if not production:
        return text("SECRET_KEY", f"{FOR_DEVELOPMENT}-" * 3)
    key = text("SECRET_KEY")
    short = len(key) < SECRET_KEY_MIN_LENGTH
    if short or len(set(key)) < SECRET_KEY_MIN_UNIQUE_CHARACTERS or FOR_DEVELOPMENT in key:
        raise ImproperlyConfigured(
            f"SECRET_KEY is too weak: it signs links and log-ins, and needs "
            f"{SECRET_KEY_MIN_LENGTH} random characters. Make one: {MADE_BY}"
        )
    return key


def field_keys(*, production: bool) -> list[str]:
    """Read the keys that encrypt provider credentials. In production a weak first one is refused;
    others are there to read what they wrote.
    """
    if not production:
        return listing("FIELD_KEYS", FOR_DEVELOPMENT)
    keys = listing("FIELD_KEYS")
    if not keys:
        raise ImproperlyConfigured(
            "FIELD_KEYS is not set. Set it to a long random text; it encrypts provider credentials."
        )
    if len(keys[0]) < LEAST_FIELD_KEY:
        raise ImproperlyConfigured(
            f"The first of FIELD_KEYS is too short: it needs {LEAST_FIELD_KEY} random characters. "
            f"Put a longer one before it and keep it behind a comma. Make one: {MADE_BY}"
        )
    return keys


def load_file(path: Path) -> None:
    """Read NAME=value lines into the environment; what is already set there wins.

    They are read as a shell reads them: blanks and comments behind a value, quotes, `export`.
    """
    if not path.exists():
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} can't be read: {error}.") from None
    for line in parse_stream(StringIO(text)):
        if line.error or (line.key and line.value is None):
            raise ImproperlyConfigured(
                f"{path}, line {line.original.line}: write NAME=value, and close each quote."
            )
        if line.key:
            value = line.value or ""
            if _ONLY_A_COMMENT.match(line.original.string):
                value = ""
            os.environ.setdefault(line.key, value)


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

"""The library that comes with the product: nineteen templates in English and Russian,
and the layout around them.

They are read from `stock/<key>/`: `template.toml` (name,
variables) and one file per language with its words.
"""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from apps.content.drafts import KeyTaken, create_template, publish
from apps.content.layouts import STANDARD, save_layout
from apps.content.models import Layout, Template
from apps.lib.actor import Actor

FOLDER = Path(__file__).with_name("stock")


def keys() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/template.toml"))


def install(*, by: Actor, now: dt.datetime) -> list[Template]:
    """Create and publish what is not there yet, by key;
    what staff have changed since stays as it is.

    Returns the templates made by this call.
    """
    with transaction.atomic():
        layout = _layout(by=by, now=now)
        present = set(Template.objects.values_list("key", flat=True))
        return [_install_one(key, layout, by=by, now=now) for key in keys() if key not in present]


def ensure(key: str, *, by: Actor, now: dt.datetime) -> Template:
    """The one template, installed when it is not there:
    in a database that was set up before it shipped.
    """
    if found := Template.objects.filter(key=key).first():
        return found
    try:
        with transaction.atomic():
            return _install_one(key, _layout(by=by, now=now), by=by, now=now)
    except (KeyTaken, IntegrityError):  # another process was faster
        return Template.objects.get(key=key)


def _layout(*, by: Actor, now: dt.datetime) -> Layout:
    return Layout.objects.filter(key=STANDARD).first() or save_layout(
        key=STANDARD,
        name="Standard",
        html=(FOLDER / "layouts" / f"{STANDARD}.html").read_text("utf-8"),
        text=(FOLDER / "layouts" / f"{STANDARD}.txt").read_text("utf-8"),
        by=by,
        now=now,
    )


def _install_one(key: str, layout: Layout, *, by: Actor, now: dt.datetime) -> Template:
    about = _read(FOLDER / key / "template.toml")
    words = {path.stem: _read(path) for path in sorted((FOLDER / key).glob("??.toml"))}
    template = create_template(
        key=key,
        name=about["name"],
        description=about["description"],
        variables=about.get("variables", ()),
        translations={language: _trimmed(parts) for language, parts in words.items()},
        layout=layout,
        stock=True,
        by=by,
        now=now,
    )
    publish(template=template, by=by, now=now)
    return template


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


def _trimmed(channels: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {
        channel: {name: words.strip() for name, words in parts.items()}
        for channel, parts in channels.items()
    }

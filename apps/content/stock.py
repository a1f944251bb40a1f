"""The library that comes with the product: templates in English and Russian, and their layout.

They are read from `stock/<key>/`: `template.toml` (name, variables) and one file per language with
its words.
"""

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction

from apps.content.drafts import KeyTaken, create_template, publish
from apps.content.layouts import STANDARD, save_layout, standard_layout
from apps.content.models import Layout, Template
from apps.lib.actor import Actor

FOLDER = Path(__file__).with_name("stock")


def keys() -> list[str]:
    return sorted(path.parent.name for path in FOLDER.glob("*/template.toml"))


def install(*, by: Actor, now: dt.datetime) -> list[Template]:
    """Create and publish what is not there yet, by key; returns what this call made.

    What staff have changed since stays as it is.
    """
    with transaction.atomic():
        layout = _layout(by=by, now=now)
        present = set(Template.objects.values_list("key", flat=True))
        missing = [key for key in keys() if key not in present]
        return [_install_one(key, layout, by=by, now=now) for key in missing]


def ensure(key: str, *, by: Actor, now: dt.datetime) -> Template:
    """Return one template, installed now if the database was set up before it shipped."""
    if found := Template.objects.filter(key=key).first():
        return found
    try:
        with transaction.atomic():
            return _install_one(key, _layout(by=by, now=now), by=by, now=now)
    except (KeyTaken, IntegrityError):  # another process was faster
        return Template.objects.get(key=key)


def _layout(*, by: Actor, now: dt.datetime) -> Layout:
    if found := standard_layout():
        return found
    html = (FOLDER / "layouts" / f"{STANDARD}.html").read_text("utf-8")
    text = (FOLDER / "layouts" / f"{STANDARD}.txt").read_text("utf-8")
    return save_layout(key=STANDARD, name="Standard", html=html, text=text, by=by, now=now)


def _install_one(key: str, layout: Layout, *, by: Actor, now: dt.datetime) -> Template:
    folder = FOLDER / key
    about = _read(folder / "template.toml")
    words = {path.stem: _trimmed(_read(path)) for path in sorted(folder.glob("??.toml"))}
    template = create_template(
        key=key,
        name=about["name"],
        description=about["description"],
        variables=about.get("variables", ()),
        translations=words,
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
    trimmed = {}
    for channel, parts in channels.items():
        trimmed[channel] = {name: words.strip() for name, words in parts.items()}
    return trimmed

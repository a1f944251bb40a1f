"""Layouts, the frames around emails: one act makes or changes one."""

import datetime as dt

from django.db import transaction

from apps.content.lint import layout_problems
from apps.content.models import Layout
from apps.content.problems import NotPublishable
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell

STANDARD = "standard"  # the stock library's


def standard_layout() -> Layout | None:
    """Find the frame that new words get unless somebody chooses another.

    It carries the way out and the postal address.
    """
    return Layout.objects.filter(key=STANDARD).first()


def save_layout(
    *, key: str, name: str, html: str, text: str = "", by: Actor, now: dt.datetime
) -> Layout:
    """Make the layout or change the one with this key.

    Published versions keep the frame they were published with. Raises NotPublishable when
    `{{ content }}` is missing or the Liquid is wrong.
    """
    found = [each for each in layout_problems(html=html, text=text) if not each.warns]
    if found:
        raise NotPublishable(found)
    with transaction.atomic():
        layout, created = Layout.objects.update_or_create(
            key=key, defaults={"name": name, "html": html, "text": text, "updated_at": now}
        )
        tell(Kind.LAYOUT_CHANGED, by=by, now=now, about=layout, data={"created": created})
    return layout

"""What commands share: a rich console on the command's own output,
and text that can't be taken for markup.
"""

import sys
from typing import Any

from django.utils import timezone
from rich.console import Console
from rich.text import Text


def console(options: dict[str, Any]) -> Console:
    """Writes where the command was told to,
    in colours when that is a terminal (or --force-color says so).
    """
    return Console(
        file=options.get("stdout") or sys.stdout,
        no_color=options.get("no_color"),
        force_terminal=options.get("force_color") or None,
        highlight=False,
    )


def plain(value: object, style: str = "") -> Text:
    """Text of people: square brackets in a name are no markup."""
    return Text(str(value), style=style)


def moment(value: Any) -> str:
    """A datetime in the site's zone, to the minute; "" for None."""
    if value:
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    return ""

#!/usr/bin/env python
"""Django's command line for Carillon."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifications_project.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError as error:
        raise SystemExit(
            "Django is not installed in this Python. Run `make run` once, or use .venv/bin/python"
            " manage.py."
        ) from error
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        # reads the settings now, so that a wrong value is told in one sentence
        settings.INSTALLED_APPS  # noqa: B018
    except ImproperlyConfigured as error:
        raise SystemExit(f"Carillon does not start: {error}") from error
    execute_from_command_line(underscored(sys.argv))


def underscored(words: list[str]) -> list[str]:
    """Let `add-follower` be the command `add_follower`, and `help add-follower` explain it."""
    named = 1
    if words[1:2] == ["help"]:
        named = 2
    said = list(words)
    for place in range(1, min(named, len(words) - 1) + 1):
        if not said[place].startswith("-"):
            said[place] = said[place].replace("-", "_")
    return said


if __name__ == "__main__":
    main()

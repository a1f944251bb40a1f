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
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

"""What the project says about itself agrees: version, licence, changes."""

import re
import tomllib
from pathlib import Path

from django.conf import settings
from django.test import Client

from apps import __version__
from apps.accounts.models import User

ROOT = Path(settings.BASE_DIR)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_the_same_wherever_it_stands() -> None:
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert PROJECT["version"] == __version__ == newest[1]


def test_the_licence_is_the_one_that_the_project_names() -> None:
    assert PROJECT["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")


def test_staff_see_the_version_on_every_page(client: Client, viewer: User) -> None:
    client.force_login(viewer)
    assert f"Carillon {__version__}" in client.get("/account/").content.decode()

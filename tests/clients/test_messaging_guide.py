"""docs/messaging.md, played line by line on a site that runs as its readers run it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from apps.accounts import keys
from apps.ops.mailbox import store
from tests.make import TESTER
from tests.ops.processes import environment
from tests.patience import until

GUIDE = Path(settings.BASE_DIR) / "docs/messaging.md"
README = Path(settings.BASE_DIR) / "clients/python/README.md"
CLIENT = Path(settings.BASE_DIR) / "clients/python/src"
NEEDED = (  # as the guide says
    "followers:read",
    "followers:write",
    "campaigns:read",
    "campaigns:write",
    "campaigns:send",
    "content:read",
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- the next block ---"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.reported,
    pytest.mark.django_db(transaction=True),
]


def blocks(page: Path, site: str, key: str) -> list[tuple[str, str]]:
    """A page's blocks as (language, text), with this site's address, key and Python."""
    text = page.read_text("utf-8")
    for said, meant in (("http://127.0.0.1:8000", site), ("car_live_…", key)):
        assert said in text
        text = text.replace(said, meant)
    return BLOCK.findall(text.replace(".venv/bin/python", sys.executable))


def python_of(told: list[tuple[str, str]], folder: Path) -> str:
    """What the page's one block of Python prints."""
    (python,) = [text for language, text in told if language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", python],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def shape(value: Any) -> Any:
    """What a reader relies on: names of fields, and what kind of value each has."""
    if isinstance(value, list):
        return [shape(each) for each in value[:1]]
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return type(value).__name__


def test_the_guide_says_what_happens(running_site: str, tmp_path: Path) -> None:
    _, key = keys.issue(name="Guide", scopes=NEEDED, by=TESTER, now=timezone.now())
    told = blocks(GUIDE, running_site, key)
    shell = [text for language, text in told if language == "sh"]
    env = environment(tmp_path, CARILLON_MODE="development", PYTHONPATH=str(CLIENT))
    played = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"echo; echo '{MARK}'\n".join(shell)],
        cwd=settings.BASE_DIR,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    said = iter(played.stdout.split(MARK))
    answer = ""
    compared = 0
    for language, text in told:
        if language == "sh":
            answer = next(said)
        if language == "json":
            compared += 1
            assert shape(json.loads(answer.strip().splitlines()[-1])) == shape(json.loads(text))
    assert compared == 4
    assert "409" in python_of(told, tmp_path)
    python_of(blocks(README, running_site, key), tmp_path)

    def readers() -> set[str]:
        return {each.recipients[0] for each in store.letters(tmp_path / "mailbox")}

    wanted = {f"{name}@example.com" for name in ("anna", "boris", "chen", "frieda")}
    until(lambda: readers() >= wanted, "the mails arrive")
    assert "dana@example.com" not in readers(), "who unsubscribed"

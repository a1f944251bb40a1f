"""What the project says about itself agrees: version, licence, changes, checks, commits."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client

from apps import __version__
from apps.accounts.models import User
from tests import checks, covered, scripts

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


# ---- what make lint and git's hooks run
def hooks() -> dict[str, dict[str, Any]]:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (repository,) = config["repos"]
    assert repository["repo"] == "local"
    return {hook["id"]: hook for hook in repository["hooks"]}


def test_the_hooks_of_git_run_each_check_of_make_lint_once() -> None:
    entries = [hook["entry"] for hook in hooks().values()]
    asked = [re.fullmatch(r'make lint ARGS="(.+)"', entry) for entry in entries]
    names = [name for found in asked if found for name in found[1].split()]
    assert sorted(names) == sorted(checks.CHECKS)


def test_templates_are_checked_by_name_and_a_check_that_is_not_there_is_refused() -> None:
    (command,) = checks.commands(["templates"]).values()
    assert "templates/dashboard/base.html" in command
    with pytest.raises(checks.NoSuchCheck, match="no check called nope"):
        checks.commands(["types", "nope"])


def test_a_script_that_can_not_be_parsed_is_named(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:  # said by the next test and by every run
        assert not os.environ.get("CI"), scripts.NO_NODE
        return
    good = tmp_path / "good.js"
    good.write_text("export const theme = matchMedia;\n")
    bad = tmp_path / "bad.js"
    bad.write_text("export const theme = ;\n")
    assert scripts.fault(node, good) == ""
    assert scripts.fault(node, bad).startswith("bad.js: [stdin]:1\n")


@pytest.mark.parametrize(("ci", "code"), [("", scripts.LEFT_OUT), ("true", 1)])
def test_a_machine_without_node_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, code: int
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CI", ci)
    assert scripts.main() == code
    assert "node is missing" in capsys.readouterr().out


def test_modules_that_must_be_reached_whole_and_their_tests_are_there() -> None:
    assert [path for path in [*covered.MODULES, *covered.TESTS] if not (ROOT / path).exists()] == []


def commit(message: str, tmp_path: Path) -> str:
    """Call the hook as git does, and give what it says; nothing when it lets the message pass."""
    path = tmp_path / "COMMIT_EDITMSG"
    path.write_text(message)
    command = [sys.executable, str(ROOT / ".ci" / "commit_subject.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == (done.stderr == "")
    return done.stderr.strip()


@pytest.mark.parametrize(
    "message",
    [
        "Show why a message waits\n",
        "x" * 60 + "\n\n" + "A story may be as long as it likes, " * 9,
        "Скажи, почему сообщение ждёт, шестьдесят знаков это не байты\n",
        "# a comment of git's\nShow why\n# another\n",
        'Revert "' + "x" * 60 + '"\n\nThis reverts commit 1.\n',
    ],
)
def test_a_subject_of_at_most_60_characters_passes(message: str, tmp_path: Path) -> None:
    assert commit(message, tmp_path) == ""


def test_a_longer_subject_is_refused_with_its_length(tmp_path: Path) -> None:
    assert commit("x" * 61, tmp_path).startswith("The subject has 61 characters, 60 are allowed")


def test_a_story_that_git_takes_for_the_subject_is_refused(tmp_path: Path) -> None:
    assert commit("Show why\nand more", tmp_path).startswith("The second line must be empty")

"""The command line: its commands have dashes too, and it tells a wrong setting in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from manage import underscored

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"


def test_a_wrong_setting_stops_with_one_sentence_and_no_traceback() -> None:
    environment = os.environ | {"WORKERS_BULK": "many"}
    done = subprocess.run(
        [sys.executable, MANAGE, "check"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "Carillon does not start: WORKERS_BULK='many' is not a whole number.\n"


@pytest.mark.reported
@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            ["add-follower", "--email", "a-b@c-d.example"],
            ["add_follower", "--email", "a-b@c-d.example"],
        ),
        (["help", "create-cloudmind-message"], ["help", "create_cloudmind_message"]),
        (["send-message", "some-id"], ["send_message", "some-id"]),
        (["--version"], ["--version"]),
        (["help", "--commands"], ["help", "--commands"]),
        (["help"], ["help"]),
        ([], []),
    ],
)
def test_a_command_may_be_written_with_dashes(words: list[str], meant: list[str]) -> None:
    assert underscored(["manage.py", *words]) == ["manage.py", *meant]


@pytest.mark.reported
@pytest.mark.parametrize(
    "name",
    [
        "add-follower",
        "list-followers",
        "create-message",
        "create-cloudmind-message",
        "send-message",
        "list-messages",
    ],
)
def test_the_first_six_commands_are_there(name: str) -> None:
    called = underscored(["manage.py", name])[1]
    assert get_commands()[called] == "apps.ops"

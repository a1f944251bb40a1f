"""The command line tells a wrong setting in one sentence."""

import os
import subprocess
import sys
from pathlib import Path

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

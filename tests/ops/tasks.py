"""Tasks that tests put into real lanes."""

import time
from pathlib import Path


def nap(*, seconds: float, done: str) -> None:
    time.sleep(seconds)
    Path(done).touch()

"""Where globally installed packages of Node are; the tests install none."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

NEEDED = ("openapi-typescript", "openapi-fetch", "typescript")


class NoNode(RuntimeError):
    """Node or a package of it is not here; the text says which."""


@cache
def packages() -> Path:
    """Find the folder that holds all of NEEDED: in NODE_PATH, or Node's global one.

    Raises NoNode.
    """
    if not shutil.which("node"):
        raise NoNode("no Node here")
    places = [Path(each) for each in os.environ.get("NODE_PATH", "").split(os.pathsep) if each]
    places += _global()
    for place in places:
        if all((place / name / "package.json").is_file() for name in NEEDED):
            return place
    raise NoNode(f"not installed globally: {', '.join(NEEDED)}")


def missing() -> str:
    """Say what is not here; empty when all is."""
    try:
        packages()
    except NoNode as error:
        return str(error)
    return ""


def _global() -> list[Path]:
    npm = shutil.which("npm")
    if npm is None:
        return []
    told = subprocess.run([npm, "root", "-g"], capture_output=True, text=True, check=False)
    if told.returncode:
        return []
    return [Path(told.stdout.strip())]

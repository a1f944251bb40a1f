"""Finding a Chromium for the browser tests, or installing one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class NoChromium(RuntimeError):
    """No Chromium can be had; the text says what to do."""


def find() -> str | None:
    """Path of a browser: CHROMIUM from the environment, one on PATH,
    or the one that playwright keeps.
    """
    if given := os.environ.get("CHROMIUM"):
        return shutil.which(given)
    on_path = next(filter(None, map(shutil.which, NAMES)), None)
    return on_path or _playwrights_own()


def _playwrights_own() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    if path.exists():
        return str(path)
    return None


def install() -> str:
    """Debian's package for root, else playwright's own build. Raises NoChromium."""
    print("No Chromium on this machine: installing one ...", flush=True)
    tries = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        apt = ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"]
        tries = [apt, ["sh", "-c", "apt-get update && " + " ".join(apt)], *tries]
    for command in tries:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        if done.returncode == 0 and (found := find()):
            return found
    raise NoChromium(
        "No Chromium for the browser tests: install one (Debian: apt-get install chromium), name"
        " one with CHROMIUM=/path/to/it, or leave these tests out with BROWSER=0."
    )

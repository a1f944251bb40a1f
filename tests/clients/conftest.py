"""A site that runs as its readers run it."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.make import make_staff
from tests.ops.processes import program
from tests.patience import PATIENCE, until
from tests.receiver import unused_port


@pytest.fixture
def running_site(tmp_path: Path) -> Iterator[str]:
    """The address of a site in development mode: web server, workers and mailbox."""
    port = unused_port()
    address = f"http://127.0.0.1:{port}"
    ports = {"PORT": str(port), "MAILBOX_PORT": str(unused_port()), "SITE_URL": address}
    make_staff("adele", role="admin")  # somebody is there, so that no demo world is made
    with program(tmp_path, "run", CARILLON_MODE="development", **ports):
        until(lambda: _answers(f"{address}/readyz"), "the site is ready")
        yield address


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False

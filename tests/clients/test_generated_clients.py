"""Clients that others' programs make of the OpenAPI document: whole, and good for a story."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.utils import timezone

from apps.accounts import keys
from apps.accounts.permissions import Scope
from tests.clients import node
from tests.make import TESTER

DOCUMENT = Path(settings.BASE_DIR) / "tests/api/openapi.yaml"
STORIES = Path(__file__).with_name("stories")
RAN = "The story ran.\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.once,
    pytest.mark.reported,
    pytest.mark.django_db(transaction=True),
]


def run(*words: str | Path, folder: Path, **more: str) -> str:
    """What a program prints, which has to end well."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=os.environ | more,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def operations() -> list[str]:
    document: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text("utf-8"))
    return [each["operationId"] for path in document["paths"].values() for each in path.values()]


@pytest.fixture
def key() -> str:
    return keys.issue(name="Shop", scopes=tuple(Scope), by=TESTER, now=timezone.now())[1]


def test_a_python_client_of_the_document_is_whole_and_plays_an_integrators_story(
    running_site: str, key: str, tmp_path: Path
) -> None:
    (tmp_path / "plain.json").write_text(json.dumps({"post_hooks": []}))  # formats nothing
    words: list[str | Path] = [sys.executable, "-m", "openapi_python_client", "generate"]
    words += ["--path", DOCUMENT, "--output-path", "carillon_api", "--meta", "none"]
    told = run(*words, "--config", "plain.json", "--fail-on-warning", folder=tmp_path)
    assert "arning" not in told
    modules = {path.stem for path in (tmp_path / "carillon_api/api").glob("*/*.py")}
    assert sorted(modules - {"__init__"}) == sorted(operations())
    story = STORIES / "story.py"
    assert run(sys.executable, story, running_site, key, folder=tmp_path, PYTHONPATH=".") == RAN


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder in which the packages of Node are found."""
    try:
        found = node.packages()
    except node.NoNode as error:
        pytest.skip(f"The TypeScript client is left out: {error}.")
    (tmp_path / "node_modules").symlink_to(found)
    return tmp_path


def test_a_typescript_client_of_the_document_compiles_and_plays_an_integrators_story(
    packages: Path, running_site: str, key: str
) -> None:
    generate = packages / "node_modules/openapi-typescript/bin/cli.js"
    # a field with a default may be left out
    words = [DOCUMENT, "--output", "schema.ts", "--default-non-nullable", "false"]
    told = run("node", generate, *words, folder=packages)
    assert "warn" not in told.lower()
    schema = (packages / "schema.ts").read_text()
    assert [name for name in operations() if f"\n    {name}: {{" not in schema] == []
    (packages / "story.ts").write_text((STORIES / "story.ts").read_text())
    strict = ["--strict", "--target", "es2022", "--module", "commonjs", "--lib", "es2022,dom"]
    strict += ["--skipLibCheck", "--typeRoots", "none"]  # nobody else's types
    compiler = packages / "node_modules/typescript/bin/tsc"
    run("node", compiler, *strict, "story.ts", folder=packages)
    assert run("node", "story.js", running_site, key, folder=packages) == RAN

"""`make test ARGS=--next`: what it installs, and what it says where it can't."""

import re
from pathlib import Path

import pytest

from tests import next_django


def version(pin: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", pin.partition("==")[2])]


def test_only_the_pin_of_django_differs_and_is_newer() -> None:
    ours = [pin for file in next_django.REQUIREMENTS for _, pin in next_django._named(file)]
    theirs = next_django.pins()
    [(old, new)] = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    assert old.startswith("Django==")
    assert new.startswith("Django==")
    assert version(new) > version(old)


def test_a_replacement_of_what_we_do_not_use_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in next_django.REQUIREMENTS:
        (tmp_path / file).write_text("-r other.txt\nDjango==1.0  # a note\n")
    (tmp_path / next_django.REPLACEMENTS).write_text("Flask==3.0\n")
    monkeypatch.setattr(next_django, "ROOT", tmp_path)
    with pytest.raises(next_django.NotReady, match="names Flask, which we don't use"):
        next_django.pins()


@pytest.mark.parametrize("chosen", ["", "/no/such/python", "/bin/false"])
def test_without_a_newer_python_one_line_says_what_is_missing(
    chosen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXT_PYTHON", chosen)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(next_django.NotReady, match=r"needs Python 3\.12 or newer") as refused:
        next_django.find_python()
    assert "\n" not in str(refused.value)


def test_of_several_pythons_the_newest_is_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("3.9.18", "3.12.1", "3.14.0", "3.13.0"):
        bin_folder = tmp_path / ".pyenv" / "versions" / name / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "python3").touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    names = [Path(python).parent.parent.name for python in next_django._of_pyenv()]
    assert names == ["3.14.0", "3.13.0", "3.12.1", "3.9.18"]


def test_each_deprecation_is_told_once() -> None:
    line = "  x.py:3: RemovedInDjango70Warning: The A setting is deprecated."
    assert next_django.deprecations([f"{line}\n{line}\n", line, "3 passed"]) == [
        "RemovedInDjango70Warning: The A setting is deprecated."
    ]

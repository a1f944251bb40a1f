"""How the whole run is divided, and what a test leaves behind for the next."""

from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType

from apps.followers.models import Follower
from tests import conftest, slate

TESTS = Path(__file__).parent
FILES = set(TESTS.rglob("test_*.py"))


def taken(part: str, monkeypatch: pytest.MonkeyPatch) -> set[Path]:
    """The files that a part of the run reads."""
    monkeypatch.setenv("FILES", part)
    return {path for path in FILES if not conftest.pytest_ignore_collect(path)}


def test_each_file_is_in_one_half(monkeypatch: pytest.MonkeyPatch) -> None:
    even = taken("even", monkeypatch)
    odd = taken("odd", monkeypatch)
    assert even | odd == FILES == taken("", monkeypatch)
    assert even & odd == set()
    assert min(len(even), len(odd)) > len(FILES) / 3


def test_no_file_that_starts_programs_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = taken("slow", monkeypatch)
    assert TESTS / "slow/test_two_sites.py" in slow
    assert TESTS / "ops/test_supervision.py" in slow
    assert len(slow) < len(FILES) / 10


@pytest.mark.django_db(transaction=True)
def test_what_was_committed_is_wiped_and_what_migrations_made_stays(anna: Follower) -> None:
    before = ContentType.objects.count()
    assert before > 50
    slate.wipe()
    kept = {ContentType, apps.get_model("auth", "Permission")}
    filled = [
        model._meta.label
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and model not in kept and model._default_manager.exists()
    ]
    assert filled == []
    assert ContentType.objects.count() == before

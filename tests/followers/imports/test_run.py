"""A kill loses nothing, a second run changes nothing."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.imports import run
from apps.followers.imports.judging import slices as judged
from apps.followers.imports.preview import preview_of
from apps.followers.imports.upload import AlreadyStarted
from apps.followers.models import ConsentRecord, Follower, Import, ImportState
from apps.lib.queue.announce import waiting
from apps.lib.queue.lanes import Lane
from tests.followers.imports.world import counts, people, run_import, upload
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db


def test_a_killed_worker_loses_nothing_and_doubles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLICES", dict.fromkeys(run.SLICES, 10))
    job = upload(people(45))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    written = run.write
    calls = 0

    def killed_in_the_third_slice(*args: Any, **kwargs: Any) -> None:
        nonlocal calls
        calls += 1
        written(*args, **kwargs)
        if calls == 3:
            raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(run, "write", killed_in_the_third_slice)
        with pytest.raises(SystemExit):
            run.run(job.pk)
    job.refresh_from_db()
    assert (job.rows_done, Follower.objects.count()) == (20, 20)

    run.run(job.pk)  # the lease of the dead worker still holds
    assert Follower.objects.count() == 20
    later = timezone.now() + dt.timedelta(minutes=2)
    assert run.resume_stalled(now=later) == 1
    assert run.resume_stalled(now=later) == 0
    assert waiting(Lane.BULK) == 2  # from the start, and now
    run.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.rows_done, counts(job)) == (ImportState.FINISHED, 45, (45, 0, 0, 0))
    assert Follower.objects.count() == ConsentRecord.objects.count() == 45


def test_a_file_that_keeps_killing_its_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    job = upload(people(3))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())

    def killed(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    monkeypatch.setattr(run, "write", killed)
    for _ in range(3):
        with pytest.raises(SystemExit):
            run.run(job.pk)
        Import.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    run.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == (
        ImportState.FAILED,
        "Stopped 3 times in the rows from line 2 on.",
    )
    assert AuditEntry.objects.filter(kind="import.failed").exists()
    assert run.resume_stalled(now=timezone.now() + dt.timedelta(hours=1)) == 0


def test_a_worker_that_was_given_up_too_early_writes_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "SLICES", dict.fromkeys(run.SLICES, 10))
    job = upload(people(30))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    slow = run.slices(job.pk)
    next(slow)
    Import.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    quick = run.slices(job.pk)
    next(quick)
    with pytest.raises(run.Taken):
        next(slow)
    assert [done.rows_done for done in quick][-1] == 30
    assert Follower.objects.count() == 30


def test_a_long_import_hands_over_to_the_next_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "SLICES", dict.fromkeys(run.SLICES, 10))
    monkeypatch.setattr(run, "RUN_SECONDS", 0)
    job = upload(people(25))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    for tasks, done in ((2, 10), (3, 20), (3, 25)):
        run.run(job.pk)
        job.refresh_from_db()
        assert (waiting(Lane.BULK), job.rows_done) == (tasks, done)
    assert job.state == ImportState.FINISHED


def test_a_double_click_on_start_runs_once_and_a_finished_import_stays_finished() -> None:
    job = run_import(people(2))
    with pytest.raises(AlreadyStarted):
        run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    with pytest.raises(AlreadyStarted):
        preview_of(job, job.mapping)
    run.run(job.pk)
    assert Follower.objects.count() == 2


def test_the_uploaded_file_goes_when_its_people_are_in(
    settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        run_import(people(2))
    assert not list((Path(settings.MEDIA_ROOT) / "imports").iterdir())


def test_a_file_that_vanished_fails_the_import_with_its_reason(settings: Any) -> None:
    job = upload(people(2))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    (Path(settings.MEDIA_ROOT) / job.path).unlink()
    run.run(job.pk)
    job.refresh_from_db()
    assert job.state == ImportState.FAILED
    assert "No such file" in job.error


def test_somebody_added_between_the_look_and_the_write_is_no_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = upload(people(2))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    looked = judged.look_up
    calls = 0

    def look_up_then_lose_the_race(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        known = looked(*args, **kwargs)
        if calls == 1:
            known.owners.clear()
        return known

    make_follower(email="p0@example.com", name="Quicker")
    monkeypatch.setattr(judged, "look_up", look_up_then_lose_the_race)
    run.run(job.pk)
    job.refresh_from_db()
    assert counts(job) == (1, 1, 0, 0)


def test_a_slice_costs_the_same_number_of_queries_whatever_its_size(
    django_assert_max_num_queries: Any,
) -> None:
    run_import(people(200))
    changed = people(200).replace("Person", "Human")
    job = upload(changed)
    run.start(job=job, mapping=job.mapping, options={"tags": ["x"]}, by=TESTER, now=timezone.now())
    with django_assert_max_num_queries(50):
        run.run(job.pk)
    assert Follower.objects.filter(name__startswith="Human", tags__name="x").count() == 200

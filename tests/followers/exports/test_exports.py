"""What is taken out: all of it once, whatever dies on the way, and readable by nobody else."""

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.consent.suppression import suppress
from apps.followers.exports import write
from apps.followers.exports.files import fetch, written
from apps.followers.exports.source import BadExport
from apps.followers.exports.start import MOST_RUNNING, TooManyExports, start_export
from apps.followers.models import Export, ExportChunk, Follower
from apps.lib.facts import Kind
from apps.lib.refusals import WrongState
from tests.followers.imports.world import counts, run_import, upload
from tests.make import TESTER, make_follower

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


def begun(kind: str = "followers", **asked: Any) -> Export:
    return start_export(kind=kind, asked=asked, by=TESTER, now=timezone.now())


def taken_out(kind: str = "followers", **asked: Any) -> list[dict[str, Any]]:
    job = begun(kind, **asked)
    write.run(job.pk)
    job.refresh_from_db()
    assert job.state == "ready"
    return [json.loads(line) for line in b"".join(written(job, "jsonl")).splitlines()]


def test_everybody_comes_once_with_all_that_is_known(
    anna: Follower, boris: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SLICE", 1)
    ida = make_follower(
        email="ida@example.com", name="Ида", tags=["vip", "press"], metadata={"plan": "pro"}
    )
    rows = taken_out()
    assert [row["email"] for row in rows] == ["anna@example.com", "boris@example.com",
                                              "ida@example.com"]  # fmt: skip
    assert rows[-1]["tags"] == ["press", "vip"]
    assert rows[-1]["metadata"] == {"plan": "pro"}
    assert rows[-1]["follower_id"] == str(ida.uid)
    assert [row["subscribed"] for row in rows] == [True, False, True]


def test_a_filter_is_the_one_of_the_list(anna: Follower, boris: Follower) -> None:
    assert [row["email"] for row in taken_out(subscribed=False)] == ["boris@example.com"]
    assert [row["email"] for row in taken_out(search="anna@")] == ["anna@example.com"]
    with pytest.raises(BadExport):
        begun(colour="red")
    with pytest.raises(BadExport):
        begun(subscribed="yes")
    with pytest.raises(BadExport):
        begun("cats")
    with pytest.raises(BadExport):
        start_export(kind="followers", asked={}, columns=["cats"], by=TESTER, now=NOW)


def test_a_csv_runs_nothing_in_a_spreadsheet_and_comes_back_as_it_was(
    db: None, tmp_path: Any, settings: Any
) -> None:
    settings.MEDIA_ROOT = tmp_path
    evil = '=HYPERLINK("https://evil.example")'
    make_follower(email="ida@example.com", name=evil, phone="+4915112345678")
    job = begun()
    write.run(job.pk)
    job.refresh_from_db()
    text = b"".join(written(job, "csv")).decode()
    assert text.startswith("\ufeff")
    [row] = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert row["name"] == f"'{evil}"
    assert row["phone"] == "+4915112345678"
    guessed = upload(text).mapping
    assert (guessed["external_id"], guessed["follower_id"]) == ("external_id", "ignore")
    assert counts(run_import(text)) == (0, 0, 1, 0)  # unchanged


def test_a_worker_that_dies_in_the_middle_loses_and_doubles_nothing(
    anna: Follower, boris: Follower, chen: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SLICE", 1)
    job = begun()
    real = write.pack
    calls = []

    def dies(rows: Any) -> str:
        calls.append(rows)
        if len(calls) == 2:
            raise MemoryError
        return real(rows)

    monkeypatch.setattr(write, "pack", dies)
    with pytest.raises(MemoryError):
        write.run(job.pk)
    assert ExportChunk.objects.count() == 1
    assert write.resume_stalled(now=timezone.now()) == 0  # not before its time
    assert write.resume_stalled(now=timezone.now() + 2 * write.PATIENCE) == 1
    write.run(job.pk)
    job.refresh_from_db()
    emails = [
        json.loads(line)["follower_id"] for line in b"".join(written(job, "jsonl")).splitlines()
    ]
    assert emails == [str(each.uid) for each in (anna, boris, chen)]


def test_what_kills_every_worker_is_given_up_with_its_reason(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(rows: Any) -> str:
        raise MemoryError

    monkeypatch.setattr(write, "pack", dies)
    job = begun()
    for _ in range(write.MOST_ATTEMPTS):
        with pytest.raises(MemoryError):
            write.run(job.pk)
    write.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("failed", "Stopped 3 times after 0 rows.")
    with pytest.raises(WrongState):
        written(job, "csv")


def test_what_is_kept_is_readable_with_the_keys_only_and_for_a_day(anna: Follower) -> None:
    job = begun()
    write.run(job.pk)
    body = ExportChunk.objects.get().body
    assert "anna" not in body
    assert "anna@example.com" in str(write.unpack(body))
    assert write.forget_old(now=timezone.now()) == 0
    write.forget_old(now=timezone.now() + write.KEPT + dt.timedelta(minutes=1))
    assert not ExportChunk.objects.exists()
    assert not Export.objects.exists()


def test_who_began_and_who_fetched_stands_in_the_history(anna: Follower) -> None:
    job = begun()
    write.run(job.pk)
    job.refresh_from_db()
    b"".join(fetch(export=job, file_format="csv", by=TESTER, now=timezone.now()))
    kinds = list(AuditEntry.objects.filter(subject_type="export").values_list("kind", flat=True))
    assert sorted(kinds) == sorted([Kind.EXPORT_STARTED, Kind.EXPORT_FINISHED, Kind.EXPORT_FETCHED])


def test_more_than_a_few_at_once_are_asked_to_wait(anna: Follower) -> None:
    for _ in range(MOST_RUNNING):
        begun()
    with pytest.raises(TooManyExports):
        begun()


def test_the_suppression_list_and_consent_records_come_out_too(anna: Follower) -> None:
    suppress(channel="email", value="x@example.com", reason="stop", by=TESTER, now=timezone.now())
    assert [row["address"] for row in taken_out("suppressions", reason="stop")] == ["x@example.com"]
    assert taken_out("suppressions", search="nobody") == []
    [record] = taken_out("consent")
    assert (record["follower"], record["act"]) == (str(anna.uid), "subscribed")

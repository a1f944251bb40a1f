"""Exports that begin by themselves and are put where other programs find them."""

import csv
import dataclasses
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.exports import places, store, write
from apps.followers.exports.due import failed_schedules, next_time, start, start_due
from apps.followers.exports.files import columns_of, some_rows
from apps.followers.exports.formats import FORMATS
from apps.followers.exports.schedules import (
    BadSchedule,
    ScheduleValues,
    Store,
    change_schedule,
    create_schedule,
    delete_schedule,
    store_of,
)
from apps.followers.exports.source import BadExport
from apps.followers.models import Export, ExportSchedule, Follower, Shipment
from apps.lib import steady_clock
from apps.lib.facts import Kind
from tests.fake_s3 import BUCKET, KEY, SECRET, FakeS3
from tests.make import TESTER

NIGHTLY = ScheduleValues(
    name="Nightly",
    kind="followers",
    file_format="csv",
    every="daily",
    at=dt.time(3),
    place="folder",
    folder="bi/followers",
)


@pytest.fixture
def s3() -> Iterator[FakeS3]:
    with FakeS3() as fake:
        yield fake


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    settings.EXPORT_FOLDER = str(tmp_path)
    return tmp_path


def into(s3: FakeS3, **said: Any) -> ScheduleValues:
    opened = {"bucket": BUCKET, "endpoint": s3.address, "access_key": KEY, "secret_key": SECRET}
    return dataclasses.replace(NIGHTLY, place="s3", store=Store(**opened | said))


def made(values: ScheduleValues = NIGHTLY) -> ExportSchedule:
    return create_schedule(values=values, by=TESTER, now=timezone.now())


def ran(schedule: ExportSchedule) -> Shipment:
    """Begin one now, and let all of its work be done."""
    job = start(schedule=schedule, by=TESTER, now=timezone.now())
    write.run(job.pk)
    assert store.announce_due(now=steady_clock.now()) == 1
    store.run(job.shipment.pk)
    return Shipment.objects.get(export=job)


@pytest.mark.parametrize(
    ("every", "at", "after", "expected"),
    [
        ("hourly", "00:20", "2026-05-04T12:20", "2026-05-04T13:20"),
        ("hourly", "00:20", "2026-05-04T12:19", "2026-05-04T12:20"),
        ("daily", "03:00", "2026-05-04T00:59", "2026-05-04T01:00"),
        ("daily", "03:00", "2026-05-04T01:00", "2026-05-05T01:00"),
        ("daily", "02:30", "2026-03-29T00:00", "2026-03-29T01:00"),  # 02:30 does not exist
        ("weekly", "03:00", "2026-05-05T00:00", "2026-05-11T01:00"),
        ("monthly", "03:00", "2026-05-01T01:00", "2026-06-01T01:00"),
    ],
)
def test_a_schedule_goes_by_the_clock_of_the_site(
    every: str, at: str, after: str, expected: str
) -> None:
    found = next_time(
        every=every,
        at=dt.time.fromisoformat(at),
        zone="Europe/Berlin",
        after=dt.datetime.fromisoformat(f"{after}Z"),
    )
    assert found == dt.datetime.fromisoformat(f"{expected}Z")


def test_what_is_due_begins_once_and_its_files_are_in_the_folder(
    root: Path, anna: Follower, boris: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SLICE", 1)
    monkeypatch.setattr(store, "CHUNKS_PER_FILE", 1)
    schedule = made()
    assert schedule.next_at
    assert start_due(now=schedule.next_at - dt.timedelta(seconds=1)) == 0
    assert start_due(now=schedule.next_at) == 1
    assert start_due(now=schedule.next_at) == 0
    job = Export.objects.get()
    assert store.announce_due(now=timezone.now()) == 0  # not before its rows are there
    write.run(job.pk)
    Shipment.objects.update(due_at=timezone.now())
    store.run(job.shipment.pk)
    [folder] = (root / "bi/followers").iterdir()
    assert folder.name.startswith(f"{job.created_at:%Y-%m-%dT%H%M%SZ}-followers-")
    assert sorted(path.name for path in folder.iterdir()) == [
        "manifest.json",
        "part-0001.csv",
        "part-0002.csv",
    ]
    found: list[dict[str, str]] = []
    for path in sorted(folder.glob("*.csv")):
        found += csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    assert [row["email"] for row in found] == ["anna@example.com", "boris@example.com"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["rows"], manifest["files"]) == (2, 2)
    schedule.refresh_from_db()
    assert schedule.stored_at
    assert AuditEntry.objects.filter(kind=Kind.EXPORT_STORED).count() == 1


def test_two_that_are_due_together_share_a_place_and_no_file(root: Path, anna: Follower) -> None:
    one = made()
    other = made(dataclasses.replace(NIGHTLY, name="Another", kind="suppressions"))
    again = made(dataclasses.replace(NIGHTLY, name="Once more"))
    now = timezone.now()
    for schedule in (one, other, again):
        start(schedule=schedule, by=TESTER, now=now)
    for job in Export.objects.all():
        write.run(job.pk)
        store.run(job.shipment.pk)
    found = [json.loads(path.read_text()) for path in root.glob("bi/followers/*/manifest.json")]
    assert sorted(each["kind"] for each in found) == ["followers", "followers", "suppressions"]


def test_a_store_gets_a_large_file_in_pieces(
    s3: FakeS3, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    Follower.objects.update(metadata={"noise": "".join(map(str, range(9_000)))})
    monkeypatch.setattr(places, "PIECE", 5 * 1024)
    monkeypatch.setattr("s3transfer.upload.ChunksizeAdjuster", AsItIs)
    shipment = ran(made(dataclasses.replace(into(s3), file_format="xlsx")))
    assert shipment.state == "stored"
    [place] = {name.rpartition("/")[0] for name in s3.files}
    assert place.startswith("bi/followers/")
    assert set(s3.files) == {f"{place}/part-0001.xlsx", f"{place}/manifest.json"}
    rows = some_rows(shipment.export, 0, 1)
    made_here = b"".join(FORMATS["xlsx"].write(columns_of(shipment.export), rows))
    stored = s3.files[f"{place}/part-0001.xlsx"]
    assert len(stored) == len(made_here) > 2 * places.PIECE  # a workbook has the time in it
    assert next(s3.ids) == 2  # one upload in parts


class AsItIs:  # a store takes no parts below 5 MB; the fake does
    def adjust_chunksize(self, size: int, _file_size: Any = None) -> int:
        return size


def test_a_store_that_is_down_is_tried_again_and_told_to_staff(s3: FakeS3, anna: Follower) -> None:
    s3.down = True
    schedule = made(into(s3))
    shipment = ran(schedule)
    assert (shipment.state, shipment.attempts) == ("waiting", 1)
    assert "SlowDown" in shipment.error
    assert failed_schedules() == 1
    schedule.refresh_from_db()
    assert "SlowDown" in schedule.error
    s3.down = False
    store.run(shipment.pk)  # not before its time
    assert s3.files == {}
    Shipment.objects.update(due_at=timezone.now())
    store.run(shipment.pk)
    assert len(s3.files) == 2
    assert failed_schedules() == 0


def test_what_is_refused_each_time_is_given_up(
    s3: FakeS3, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WAITS", store.WAITS[:2])
    shipment = ran(made(into(s3, secret_key="wrong")))
    for _ in store.WAITS[1:]:
        Shipment.objects.update(due_at=timezone.now())
        store.run(shipment.pk)
    shipment.refresh_from_db()
    assert shipment.state == "failed"
    assert "SignatureDoesNotMatch" in shipment.error
    told = AuditEntry.objects.filter(kind=Kind.EXPORT_NOT_STORED)
    assert told.count() == 2  # at the first failure, and at the end
    assert SECRET not in str([each.data for each in AuditEntry.objects.all()])


def test_a_worker_that_dies_puts_the_file_once_more(
    root: Path, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = made()
    job = start(schedule=schedule, by=TESTER, now=timezone.now())
    write.run(job.pk)
    Shipment.objects.update(due_at=timezone.now())

    def dies(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(places.FolderPlace, "put", dies)
        with pytest.raises(MemoryError):
            store.run(job.shipment.pk)
    assert store.announce_due(now=timezone.now()) == 0  # somebody may be at work on it
    later = timezone.now() + store.LEASE + dt.timedelta(seconds=1)
    assert store.announce_due(now=later) == 1
    Shipment.objects.update(due_at=timezone.now())
    store.run(job.shipment.pk)
    assert Shipment.objects.get().state == "stored"


def test_the_secret_is_kept_encrypted_and_stays_with_its_address(s3: FakeS3, db: None) -> None:
    schedule = made(into(s3))
    assert SECRET not in schedule.settings
    kept = change_schedule(
        schedule=schedule, values=into(s3, secret_key=None), by=TESTER, now=timezone.now()
    )
    assert store_of(kept).secret_key == SECRET
    elsewhere = into(s3, secret_key=None, endpoint="https://evil.example")
    with pytest.raises(BadSchedule) as refused:
        change_schedule(schedule=schedule, values=elsewhere, by=TESTER, now=timezone.now())
    assert refused.value.field == "secret_key"


def test_a_schedule_whose_key_is_lost_can_be_typed_anew_and_removed(s3: FakeS3, db: None) -> None:
    schedule = made(into(s3))
    ExportSchedule.objects.update(settings="closed")
    schedule.refresh_from_db()
    with pytest.raises(BadSchedule) as refused:
        change_schedule(
            schedule=schedule, values=into(s3, secret_key=None), by=TESTER, now=timezone.now()
        )
    assert refused.value.field == "secret_key"
    kept = change_schedule(schedule=schedule, values=into(s3), by=TESTER, now=timezone.now())
    assert store_of(kept).secret_key == SECRET
    ExportSchedule.objects.update(settings="closed")
    kept.refresh_from_db()
    delete_schedule(schedule=kept, by=TESTER, now=timezone.now())
    assert not ExportSchedule.objects.exists()


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"name": " "}, "name"),
        ({"folder": "../etc"}, "folder"),
        ({"folder": "a/../../b"}, "folder"),
        ({"folder": ""}, "folder"),
        ({"file_format": "pdf"}, "file_format"),
        ({"place": "s3"}, "bucket"),
        ({"place": "s3", "store": Store(bucket="b-1", endpoint="ftp://x")}, "endpoint"),
        ({"place": "s3", "store": Store(bucket="b-1", endpoint="https://a b")}, "endpoint"),
        ({"place": "s3", "store": Store(bucket="b-1", endpoint="https://a:x")}, "endpoint"),
        ({"place": "s3", "store": Store(bucket="b-1", endpoint="https://u:p@a.test")}, "endpoint"),
        ({"place": "s3", "store": Store(bucket="b-1", region="eu central")}, "region"),
        ({"place": "s3", "store": Store(bucket="b-1", endpoint="https://a..b")}, "place"),
        ({"place": "s3", "store": Store(bucket="b-1", access_key="k")}, "secret_key"),
    ],
)
def test_a_schedule_that_can_not_be_is_refused_beside_its_field(
    root: Path, db: None, said: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadSchedule) as refused:
        made(dataclasses.replace(NIGHTLY, **said))
    assert refused.value.field == field


def test_a_folder_needs_a_root_and_no_link_leads_out_of_it(
    settings: Any, tmp_path: Path, db: None
) -> None:
    with pytest.raises(BadSchedule, match="EXPORT_FOLDER"):
        made()
    (tmp_path / "root").mkdir()
    (tmp_path / "root/bi").symlink_to(tmp_path)
    settings.EXPORT_FOLDER = str(tmp_path / "root")
    with pytest.raises(BadSchedule, match="outside"):
        made()


def test_a_segment_that_is_gone_is_told_and_the_next_time_comes(root: Path, db: None) -> None:
    with pytest.raises(BadExport):
        made(dataclasses.replace(NIGHTLY, kind="segment"))
    schedule = made()
    ExportSchedule.objects.update(kind="segment", asked={"segment": "x"})
    before = schedule.next_at
    assert before
    assert start_due(now=before) == 0
    schedule.refresh_from_db()
    assert "no such one" in schedule.error
    assert schedule.next_at
    assert schedule.next_at > before
    delete_schedule(schedule=schedule, by=TESTER, now=timezone.now())
    assert not ExportSchedule.objects.exists()

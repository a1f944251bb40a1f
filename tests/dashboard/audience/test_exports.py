"""Lists have a button that takes out what they show; the file waits for a day."""

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Segment
from apps.dashboard.shell import menu
from apps.followers.exports import due, write
from apps.followers.exports.files import written
from apps.followers.exports.formats import FORMATS
from apps.followers.exports.source import sources
from apps.followers.models import Export, ExportSchedule, Follower
from apps.ops.demo import world
from tests.make import TESTER, make_staff

NOT_IN_THE_DEMO = {
    "imports",
    "api_keys",
    "webhooks",
    "deliveries",
    "undelivered",
    "events",
    "ledger",
}


def emails(client: Client) -> list[str]:
    """Let the latest export run, and read its file."""
    job = Export.objects.latest("pk")
    write.run(job.pk)
    answer = client.post(f"/exports/{job.uid}/file/", {"format": "csv"})
    assert answer["Content-Disposition"].startswith(f'attachment; filename="{job.kind}-')
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return [row["email"] for row in csv.DictReader(io.StringIO(text))]


def test_a_sender_takes_out_what_the_list_shows(
    client: Client, anna: Follower, boris: Follower
) -> None:
    client.force_login(make_staff("selma", role="sender"))
    shown = client.get("/followers/?state=unsubscribed").content.decode()
    assert '<input type="hidden" name="state" value="unsubscribed">' in shown
    answer = client.post("/exports/start/", {"export": "followers", "state": "unsubscribed"})
    assert answer["Location"] == "/exports/"
    assert "Running" in client.get("/exports/").content.decode()
    assert emails(client) == ["boris@example.com"]
    page = client.get("/exports/").content.decode()
    assert "JSONL" in page
    assert "Subscribed: no" in " ".join(page.split())


def test_all_tags_of_the_list_go_with_the_button(client: Client, anna: Follower) -> None:
    client.force_login(make_staff("selma", role="sender"))
    shown = client.get("/followers/?tag=vip&tag=press").content.decode()
    for tag in ("vip", "press"):
        assert f'<input type="hidden" name="tag" value="{tag}">' in shown


def test_the_people_of_a_segment_come_out(client: Client, anna: Follower, boris: Follower) -> None:
    client.force_login(make_staff("selma", role="sender"))
    rules = {"all": [{"field": "subscribed", "op": "is", "value": True}]}
    segment = create_segment(
        values=SegmentValues(name="In", rules=rules), by=TESTER, now=timezone.now()
    )
    assert "/exports/start/" in client.get(f"/segments/{segment.uid}/").content.decode()
    client.post("/exports/start/", {"export": "segment", "segment": str(segment.uid)})
    assert emails(client) == ["anna@example.com"]


def test_what_is_not_ready_or_not_known_is_said(client: Client, anna: Follower) -> None:
    client.force_login(make_staff("selma", role="sender"))
    client.post("/exports/start/", {"export": "followers"})
    job = Export.objects.get()
    page = client.post(f"/exports/{job.uid}/file/", follow=True)
    assert "not ready yet" in page.content.decode()
    page = client.post("/exports/start/", {"export": "cats"}, follow=True)
    assert "can&#x27;t be exported" in page.content.decode()
    assert Export.objects.count() == 1


def test_an_editor_takes_nothing_out(client: Client, anna: Follower) -> None:
    client.force_login(make_staff("edgar", role="editor"))
    assert "/exports/start/" not in client.get("/followers/").content.decode()
    assert client.post("/exports/start/", {"export": "followers"}).status_code == 403
    assert client.get("/exports/").status_code == 403


def test_what_only_administrators_see_is_taken_out_by_them_alone(
    client: Client, admin: User
) -> None:
    client.force_login(admin)
    sent = {"export": "audit", "person": f"staff:{admin.uid}", "noun": "export"}
    assert client.post("/exports/start/", sent).status_code == 302
    job = Export.objects.get()
    assert job.asked == {"actor_kind": "staff", "actor_id": str(admin.uid), "noun": "export."}
    client.force_login(make_staff("selma", role="sender"))
    assert client.post("/exports/start/", {"export": "staff"}).status_code == 403
    assert str(job.uid) not in client.get("/exports/").content.decode()
    assert client.post(f"/exports/{job.uid}/file/").status_code == 404


def test_every_list_has_a_button_and_every_kind_comes_out(
    client: Client, admin: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    User.objects.all().delete()
    monkeypatch.setattr(world, "FOLLOWERS", 20)
    world.make_demo_world(now=timezone.now())
    client.force_login(User.objects.get(username="admin"))
    segment = Segment.objects.first()
    assert segment
    paths = [reverse(item.url_name) for item in menu.ITEMS] + [f"/segments/{segment.uid}/"]
    offered = set()
    for path in paths:
        page = client.get(path).content.decode()
        offered |= set(re.findall(r'name="export" value="(\w+)"', page))
    assert offered == set(sources())
    empty = set()
    for kind in sorted(sources()):
        sent = {"export": kind, "segment": str(segment.uid)}
        client.post("/exports/start/", sent)
        job = Export.objects.latest("pk")
        assert job.kind == kind
        write.run(job.pk)
        job.refresh_from_db()
        assert job.state == "ready"
        assert job.rows_done >= job.rows_total, kind  # the audit log has this export itself
        for name in FORMATS:
            assert b"".join(written(job, name)) or not job.rows_done
        if not job.rows_done:
            empty.add(kind)
    assert empty <= NOT_IN_THE_DEMO


def test_an_administrator_schedules_an_export_and_staff_see_when_it_fails(
    client: Client, admin: User, settings: Any, tmp_path: Path
) -> None:
    settings.EXPORT_FOLDER = str(tmp_path)
    client.force_login(admin)
    typed = {"name": "Nightly", "kind": "followers", "file_format": "csv", "every": "daily"}
    typed |= {"at": "03:00", "place": "folder", "folder": "bi", "active": "on"}
    refused = client.post("/exports/scheduled/add/", typed | {"folder": "../bi"})
    assert "letters, digits" in refused.content.decode()
    assert client.post("/exports/scheduled/add/", typed).status_code == 302
    schedule = ExportSchedule.objects.get()
    assert schedule.next_at
    assert (
        client.post(f"/exports/scheduled/{schedule.uid}/", typed | {"name": "N"}).status_code == 302
    )
    client.post(f"/exports/scheduled/{schedule.uid}/run/")
    assert Export.objects.get().shipment.schedule == schedule
    due.fail(schedule=schedule, error="No space left", now=timezone.now())
    client.force_login(make_staff("selma", role="sender"))
    assert "1 scheduled export failed" in client.get("/").content.decode()
    page = client.get("/exports/scheduled/").content.decode()
    assert "No space left" in page
    assert "/add/" not in page
    for act in ("", "run/", "remove/"):
        assert client.post(f"/exports/scheduled/{schedule.uid}/{act}").status_code == 403
    client.force_login(admin)
    client.post(f"/exports/scheduled/{schedule.uid}/remove/")
    assert not ExportSchedule.objects.exists()

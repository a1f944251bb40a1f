"""Lists have a button that takes out what they show; the file waits for a day."""

import csv
import io

from django.test import Client
from django.utils import timezone

from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.followers.exports import write
from apps.followers.models import Export, Follower
from tests.make import TESTER, make_staff


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
    answer = client.post("/exports/start/", {"kind": "followers", "state": "unsubscribed"})
    assert answer["Location"] == "/exports/"
    assert "Running" in client.get("/exports/").content.decode()
    assert emails(client) == ["boris@example.com"]
    page = client.get("/exports/").content.decode()
    assert "JSONL" in page


def test_the_people_of_a_segment_come_out(client: Client, anna: Follower, boris: Follower) -> None:
    client.force_login(make_staff("selma", role="sender"))
    rules = {"all": [{"field": "subscribed", "op": "is", "value": True}]}
    segment = create_segment(
        values=SegmentValues(name="In", rules=rules), by=TESTER, now=timezone.now()
    )
    assert "/exports/start/" in client.get(f"/segments/{segment.uid}/").content.decode()
    client.post("/exports/start/", {"kind": "segment", "segment": str(segment.uid)})
    assert emails(client) == ["anna@example.com"]


def test_what_is_not_ready_or_not_known_is_said(client: Client, anna: Follower) -> None:
    client.force_login(make_staff("selma", role="sender"))
    client.post("/exports/start/", {"kind": "followers"})
    job = Export.objects.get()
    page = client.post(f"/exports/{job.uid}/file/", follow=True)
    assert "not ready yet" in page.content.decode()
    page = client.post("/exports/start/", {"kind": "cats"}, follow=True)
    assert "can&#x27;t be exported" in page.content.decode()
    assert Export.objects.count() == 1


def test_an_editor_takes_nothing_out(client: Client, anna: Follower) -> None:
    client.force_login(make_staff("edgar", role="editor"))
    assert "/exports/start/" not in client.get("/followers/").content.decode()
    assert client.post("/exports/start/", {"kind": "followers"}).status_code == 403
    assert client.get("/exports/").status_code == 403

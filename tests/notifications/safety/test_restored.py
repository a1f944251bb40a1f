"""A restored backup sends nothing again unasked."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.campaigns import launch, lifecycle
from apps.campaigns.models import Campaign
from apps.followers.models import Follower
from apps.lib.refusals import WrongState
from apps.notifications.models import Generation, Notification
from apps.notifications.safety import restored
from apps.notifications.safety.restored import Answer, RestoreMark, is_older
from tests.campaigns.drafts import make_campaign
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


def count_on(times: int = 1) -> None:
    for _ in range(times):
        restored.count_on(now=timezone.now())


@pytest.fixture
def backup(receiver: Receiver) -> Notification:
    """A database that was put back: two of a send wait in it, and the mark is further on."""
    count_on()
    people = [make_follower(email=f"p{number}@example.com") for number in range(2)]
    notification = tell(make_type("old"), people, version=make_version("old"))
    old = Generation.objects.get().number
    count_on(3)
    Generation.objects.update(number=old)
    return notification


def test_only_an_older_generation_of_the_same_database_was_restored() -> None:
    mark = RestoreMark("a", 7)
    assert is_older(mark, database="a", number=6)
    assert not is_older(mark, database="a", number=7)
    assert not is_older(mark, database="b", number=1)
    assert not is_older(None, database="a", number=0)


@pytest.mark.reported
def test_a_restored_backup_sends_nothing_again_unasked(
    receiver: Receiver, backup: Notification, anna: Follower
) -> None:
    drain()
    backup.refresh_from_db()
    assert (backup.state, stands(backup)) == ("paused", {"pending": 2})
    assert receiver.arrived == []
    found = restored.held()
    assert found is not None
    assert found.may_repeat == 2
    assert AuditEntry.objects.get(kind="database.restored").data["may_repeat"] == 2
    fresh = tell(make_type("code", category="critical"), [anna], version=make_version("code"))
    drain()
    assert stands(fresh) == {"sent": 1}, "what is new goes out"
    count_on()
    assert restored.held() is not None, "until a person has answered"


@pytest.mark.reported
@pytest.mark.parametrize(
    ("how", "state", "stand"),
    [
        (Answer.RESUME, "done", {"sent": 2}),
        (Answer.CANCEL, "cancelled", {"cancelled": 2}),
        (Answer.KEEP, "paused", {"pending": 2}),
    ],
)
def test_a_person_says_how_to_go_on(
    backup: Notification, how: Answer, state: str, stand: dict[str, int]
) -> None:
    drain()
    assert restored.go_on(how=how, by=TESTER, now=timezone.now()) == 1
    drain()
    backup.refresh_from_db()
    assert (backup.state, stands(backup), restored.held()) == (state, stand, None)
    with pytest.raises(WrongState, match="Nothing is held"):
        restored.go_on(how=how, by=TESTER, now=timezone.now())


@pytest.mark.reported
@pytest.mark.parametrize(("how", "state"), [("keep", "draft"), ("resume", "sending")])
def test_a_campaign_whose_time_went_by_starts_only_if_somebody_says_so(
    backup: Notification, anna: Follower, how: str, state: str
) -> None:
    now = timezone.now()
    campaign = make_campaign(now=now)
    wall = (now + dt.timedelta(hours=1)).replace(tzinfo=None)
    lifecycle.schedule(campaign=campaign, wall=wall, zone="UTC", by=TESTER, now=now)
    Campaign.objects.update(send_at=now - dt.timedelta(hours=1))
    launch.start_due(now=now)
    campaign.refresh_from_db()
    assert campaign.state == "scheduled"
    restored.go_on(how=Answer(how), by=TESTER, now=now)
    launch.start_due(now=timezone.now())
    campaign.refresh_from_db()
    assert campaign.state == state


def test_a_mark_that_is_damaged_or_of_another_database_holds_nothing(
    receiver: Receiver, settings: Any, anna: Follower
) -> None:
    count_on()
    path = Path(settings.JOURNAL_DIR).parent / "generation"
    for said in ("", "[]", '{"database": "another", "number": 99}'):
        path.write_text(said)
        assert not restored.look(now=timezone.now())
    count_on()
    assert path.read_text().startswith('{"database": "')


def test_the_command_asks_how_and_the_home_page_too(
    backup: Notification, client: Client, admin: Any, viewer: Any, capsys: Any
) -> None:
    with pytest.raises(CommandError, match="Up to 2 messages would be sent again"):
        call_command("restored")
    client.force_login(viewer)
    page = client.get("/").content.decode()
    assert "The database was restored" in page
    assert "An administrator says how to go on." in page
    assert client.post("/restored/resume/").status_code == 403
    client.force_login(admin)
    assert "Send all that waits" in client.get("/").content.decode()
    assert client.post("/restored/nonsense/").status_code == 404
    assert client.post("/restored/cancel/").status_code == 302
    assert stands(backup) == {"cancelled": 2}
    call_command("restored")
    assert "Nothing is held" in capsys.readouterr().out

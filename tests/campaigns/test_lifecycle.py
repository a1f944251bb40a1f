"""A campaign's states: each step once, refused in the wrong state with a sentence that helps."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.campaigns import compose, lifecycle
from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentValues,
    create_segment,
    delete_segment,
)
from apps.campaigns.compose import BadCampaign, StaleEdit
from apps.campaigns.lifecycle import CampaignNotReady
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.content.models import Template, VersionState
from apps.lib.actor import Actor, ActorKind
from apps.lib.refusals import WrongState
from apps.notifications import control
from apps.notifications.models import Notification, NotificationState
from tests.campaigns.drafts import WORDS, make_campaign
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 5, 1, 12, tzinfo=dt.UTC)
ACT: dict[str, Any] = {"by": TESTER, "now": NOW}
JUNE = dt.datetime(2026, 6, 1, 9, 0)


@pytest.fixture
def campaign(anna: Any) -> Campaign:
    return make_campaign(now=NOW)


def kinds(campaign: Campaign) -> list[str]:
    entries = AuditEntry.objects.filter(subject_type="campaign", subject_id=str(campaign.uid))
    return [entry.kind.removeprefix("campaign.") for entry in entries.order_by("pk")]


# ------------------------------------------------------------------ compose
def test_a_new_campaign_has_words_of_its_own_and_knows_its_author(editor: Any) -> None:
    library = make_template("letter")
    by = Actor(ActorKind.STAFF, id=str(editor.uid), label="Edgar")
    made = compose.create_campaign(
        template=library,
        values=compose.CampaignValues(
            name=" Spring ", notification_type=make_type(), channels=["email"]
        ),
        by=by,
        now=NOW,
    )
    assert made.name == "Spring"
    assert made.created_by == editor
    assert made.template.private
    assert made.template != library
    assert (
        made.template.versions.get().translations.get().parts["email"]["subject"]
        == "Hello {{ follower.name }}"
    )


def test_a_copy_shares_nothing_with_its_source(campaign: Campaign) -> None:
    copy = compose.create_campaign(
        values=compose.CampaignValues(
            name="Again", notification_type=campaign.notification_type, channels=["email"]
        ),
        copy_of=campaign,
        **ACT,
    )
    words = {"en": {"email": {"subject": "Other", "html": "<p>x</p>"}}}
    compose.change_campaign(campaign=copy, values=compose.CampaignValues(translations=words), **ACT)
    assert (
        campaign.template.versions.get()
        .translations.get()
        .parts["email"]["subject"]
        .startswith("Hello")
    )


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "  "}, "name"),
        ({"channels": ["pigeon"]}, "channels"),
        ({"data": []}, "data"),
        ({"wall": dt.datetime(2026, 3, 29, 2, 30), "zone": "Europe/Berlin"}, "wall"),
        ({"wall": dt.datetime(2026, 4, 1, 9), "zone": "Europe/Berlin"}, "wall"),
        ({"wall": JUNE, "zone": "+03:00"}, "zone"),
        ({"translations": {"en": {"fax": {"body": "x"}}}}, "translations"),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_at_its_field(
    campaign: Campaign, changes: Any, field: str
) -> None:
    with pytest.raises(BadCampaign) as refusal:
        compose.change_campaign(campaign=campaign, values=compose.CampaignValues(**changes), **ACT)
    assert refusal.value.field == field
    assert kinds(campaign) == ["created"]


def test_the_second_of_two_editors_is_told(campaign: Campaign) -> None:
    seen = campaign.revision
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(name="First"), revision=seen, **ACT
    )
    with pytest.raises(StaleEdit, match="Somebody else changed this campaign"):
        compose.change_campaign(
            campaign=campaign, values=compose.CampaignValues(name="Second"), revision=seen, **ACT
        )
    assert Campaign.objects.get().name == "First"
    entry = AuditEntry.objects.get(kind="campaign.changed")
    assert entry.data == {"before": {"name": "Spring news"}, "after": {"name": "First"}}


def test_a_scheduled_campaign_is_changed_only_after_it_left_the_schedule(
    campaign: Campaign,
) -> None:
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="Europe/Berlin", **ACT)
    with pytest.raises(WrongState, match="Take it off the schedule first"):
        compose.change_campaign(campaign=campaign, values=compose.CampaignValues(name="New"), **ACT)
    lifecycle.unschedule(campaign=campaign, **ACT)
    compose.change_campaign(campaign=campaign, values=compose.CampaignValues(name="New"), **ACT)
    assert campaign.state == CampaignState.DRAFT
    assert campaign.send_at is None
    assert campaign.send_at_wall == JUNE.replace(tzinfo=dt.UTC)  # still filled in


def test_a_deleted_draft_takes_its_words_along_and_others_cannot_be_deleted(
    campaign: Campaign,
) -> None:
    other = make_campaign("Other", notification_type=campaign.notification_type, now=NOW)
    lifecycle.schedule(campaign=other, wall=JUNE, zone="UTC", **ACT)
    compose.delete_campaign(campaign=campaign, **ACT)
    assert Template.objects.count() == 1
    with pytest.raises(WrongState, match="Only drafts can be deleted"):
        compose.delete_campaign(campaign=other, **ACT)


def test_a_segment_that_a_draft_excludes_cannot_be_deleted(campaign: Campaign) -> None:
    rules = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
    segment = create_segment(values=SegmentValues(name="Russian", rules=rules), **ACT)
    chosen = {"everyone": True, "exclude_segments": [str(segment.uid)]}
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(audience=chosen), **ACT
    )
    with pytest.raises(SegmentInUse, match="“Spring news” uses this segment"):
        delete_segment(segment=segment, **ACT)


# ------------------------------------------------------------------ schedule
def test_a_wall_time_is_read_in_its_zone_and_the_words_are_published(campaign: Campaign) -> None:
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="Europe/Berlin", **ACT)
    assert campaign.state == CampaignState.SCHEDULED
    assert campaign.send_at == dt.datetime(2026, 6, 1, 7, tzinfo=dt.UTC)
    assert campaign.template.versions.get().state == VersionState.PUBLISHED
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="Europe/Berlin", **ACT)  # pressed twice
    assert kinds(campaign) == ["created", "scheduled"]
    with pytest.raises(WrongState, match="Take it off the schedule first"):
        lifecycle.schedule(
            campaign=campaign, wall=JUNE + dt.timedelta(days=1), zone="Europe/Berlin", **ACT
        )


@pytest.mark.parametrize(
    ("wall", "zone", "message"),
    [
        (
            dt.datetime(2027, 3, 28, 2, 30),
            "Europe/Berlin",
            "does not exist in Europe/Berlin.*Choose 03:00 or later",
        ),
        (
            dt.datetime(2026, 5, 1, 13, 59),
            "Europe/Berlin",
            "has passed: it is 14:00 on 01 May 2026 in Europe/Berlin",
        ),
        (JUNE, "Berlin", "is not a time zone"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(
    campaign: Campaign, wall: dt.datetime, zone: str, message: str
) -> None:
    with pytest.raises(BadCampaign, match=message):
        lifecycle.schedule(campaign=campaign, wall=wall, zone=zone, **ACT)
    assert Campaign.objects.get().state == CampaignState.DRAFT


def test_an_hour_that_happens_twice_means_the_first_and_the_history_says_so(
    campaign: Campaign,
) -> None:
    wall = dt.datetime(2026, 10, 25, 2, 30)
    lifecycle.schedule(campaign=campaign, wall=wall, zone="Europe/Berlin", **ACT)
    assert campaign.send_at == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)
    assert AuditEntry.objects.get(kind="campaign.scheduled").data["repeated_hour"] is True


def test_all_that_is_missing_is_said_at_once_and_nothing_is_published(anna: Any) -> None:
    kind = make_type(channels=["email"], default_channels=["email"])
    words = {
        "en": {
            "email": {"subject": "Hi {{ follower.nam }}", "html": "<p>{{ code }}</p>", "text": ""}
        }
    }
    campaign = make_campaign(
        notification_type=kind, translations=words, audience={"tags": []}, now=NOW
    )
    with pytest.raises(CampaignNotReady) as refusal:
        lifecycle.schedule(campaign=campaign, wall=JUNE, zone="UTC", **ACT)
    said = [(problem.step, problem.message) for problem in refusal.value.problems]
    assert ("content", "“News” is not offered by In-app. Choose other channels.") in said
    assert ("audience", "Choose who gets it.") in said
    assert any("In-app in the default language" in message for _, message in said)
    assert any("follower.nam" in message for _, message in said)
    assert any("code" in message for _, message in said)
    assert campaign.template.versions.get().state == VersionState.DRAFT
    assert kinds(campaign) == ["created"]


def test_values_the_words_need_must_be_given(anna: Any) -> None:
    words = {"en": {"email": {"subject": "Hi", "html": "<p>{{ code }}</p>", "text": ""}}}
    needed = [{"name": "code", "type": "string", "required": True}]
    campaign = make_campaign(translations=words, variables=needed, channels=["email"], now=NOW)
    with pytest.raises(CampaignNotReady, match="code"):
        lifecycle.send_now(campaign=campaign, **ACT)
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(data={"code": "4711"}), **ACT
    )
    assert lifecycle.send_now(campaign=campaign, **ACT).notification.data == {"code": "4711"}


def test_an_audience_of_nobody_is_not_sent_to(campaign: Campaign, anna: Any) -> None:
    chosen = {"everyone": True, "exclude_followers": [str(anna.uid)]}
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(audience=chosen), **ACT
    )
    with pytest.raises(CampaignNotReady, match="Nobody matches this audience"):
        lifecycle.send_now(campaign=campaign, **ACT)


def test_an_expiry_before_the_start_is_refused(campaign: Campaign) -> None:
    compose.change_campaign(
        campaign=campaign,
        values=compose.CampaignValues(expires_at=NOW + dt.timedelta(days=1)),
        **ACT,
    )
    with pytest.raises(CampaignNotReady, match="expire before it is sent"):
        lifecycle.schedule(campaign=campaign, wall=JUNE, zone="UTC", **ACT)


# ------------------------------------------------------------------ send
def test_send_pressed_twice_makes_one_run(campaign: Campaign) -> None:
    first = lifecycle.send_now(campaign=campaign, **ACT)
    again = Campaign.objects.get()
    assert lifecycle.send_now(campaign=again, **ACT) == first
    assert Run.objects.count() == Notification.objects.count() == 1
    assert first.notification.version.template == campaign.template
    assert kinds(campaign) == ["created", "started"]


def test_a_cancelled_campaign_is_not_sent_again(campaign: Campaign) -> None:
    lifecycle.send_now(campaign=campaign, **ACT)
    lifecycle.cancel(campaign=campaign, **ACT)
    with pytest.raises(WrongState, match=r"is cancelled\. Copy it to send it once more"):
        lifecycle.send_now(campaign=campaign, **ACT)


def test_pause_and_resume_reach_the_notification(campaign: Campaign) -> None:
    run = lifecycle.send_now(campaign=campaign, **ACT)
    lifecycle.pause(campaign=campaign, **ACT)
    run.notification.refresh_from_db()
    assert (campaign.state, run.notification.state) == (
        CampaignState.PAUSED,
        NotificationState.PAUSED,
    )
    assert lifecycle.pause(campaign=campaign, **ACT)["total"] == 0
    lifecycle.resume(campaign=campaign, **ACT)
    run.notification.refresh_from_db()
    assert (campaign.state, run.notification.state) == (
        CampaignState.SENDING,
        NotificationState.PLANNING,
    )
    assert lifecycle.resume(campaign=campaign, **ACT)["total"] == 0
    lifecycle.cancel(campaign=campaign, **ACT)
    with pytest.raises(WrongState, match="only a paused one"):
        lifecycle.resume(campaign=campaign, **ACT)
    with pytest.raises(WrongState, match="is cancelled; only one that is sending"):
        lifecycle.pause(campaign=campaign, **ACT)


def test_a_scheduled_campaign_can_be_cancelled_before_it_starts(campaign: Campaign) -> None:
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="UTC", **ACT)
    assert lifecycle.cancel(campaign=campaign, **ACT)["total"] == 0
    assert campaign.state == CampaignState.CANCELLED
    assert lifecycle.cancel(campaign=campaign, **ACT)["total"] == 0


def test_stopping_the_notification_itself_cancels_the_campaign(campaign: Campaign) -> None:
    run = lifecycle.send_now(campaign=campaign, **ACT)
    control.cancel(notification=run.notification, **ACT)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.CANCELLED


def test_a_cancel_just_as_it_starts_stops_its_notification_too(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="UTC", **ACT)
    look = lifecycle._locked

    def started_meanwhile(one: Campaign) -> Notification | None:
        monkeypatch.undo()
        before = look(one)
        lifecycle.start_scheduled(
            campaign=Campaign.objects.get(pk=one.pk), now=JUNE.replace(tzinfo=dt.UTC)
        )
        return before

    monkeypatch.setattr(lifecycle, "_locked", started_meanwhile)
    lifecycle.cancel(campaign=campaign, **ACT)
    assert campaign.state == CampaignState.CANCELLED
    assert Notification.objects.get().state == NotificationState.CANCELLED


def test_archive_is_for_what_is_over_or_never_began(campaign: Campaign) -> None:
    run = lifecycle.send_now(campaign=campaign, **ACT)
    with pytest.raises(WrongState, match=r"is sending\. Cancel it first"):
        lifecycle.archive(campaign=campaign, **ACT)
    lifecycle.cancel(campaign=campaign, **ACT)
    lifecycle.archive(campaign=campaign, **ACT)
    lifecycle.archive(campaign=campaign, **ACT)
    assert campaign.state == CampaignState.ARCHIVED
    assert kinds(campaign) == ["created", "started", "cancelled", "archived"]
    assert run.pk


def test_nothing_failed_is_nothing_to_retry(campaign: Campaign) -> None:
    with pytest.raises(WrongState, match="is draft; failed messages"):
        lifecycle.retry_failed(campaign=campaign, by=TESTER, now=timezone.now())
    lifecycle.send_now(campaign=campaign, **ACT)
    assert lifecycle.retry_failed(campaign=campaign, **ACT) == 0


def test_words_changed_after_a_schedule_are_published_at_the_next_one(campaign: Campaign) -> None:
    lifecycle.schedule(campaign=campaign, wall=JUNE, zone="UTC", **ACT)
    lifecycle.unschedule(campaign=campaign, **ACT)
    changed = {"en": WORDS["en"] | {"email": {"subject": "New", "html": "<p>New</p>"}}}
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(translations=changed), **ACT
    )
    run = lifecycle.send_now(campaign=campaign, **ACT)
    assert run.notification.version.number == 2

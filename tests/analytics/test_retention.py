"""What was kept long enough goes, in small portions, and every figure stays as it is."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.ledger import seal_new, verify
from apps.accounts.models import AuditEntry
from apps.analytics.models import DayOfRetention
from apps.analytics.results import counts
from apps.analytics.retention import rules, run
from apps.analytics.retention.decide import Limit, LimitedBy, limit
from apps.analytics.retention.kinds import BY_KEY, KINDS
from apps.followers.models import Follower, Import, ImportProblem
from apps.inbox.models import InboxItem
from apps.lib.refusals import WrongState
from apps.notifications import replay
from apps.notifications.books import let_go as messages
from apps.notifications.engagement import store
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    Engagement,
    EngagementTally,
    Notification,
    Tally,
)
from apps.notifications.reports.sent_to import with_titles
from tests.dashboard.pages import as_role
from tests.dashboard.send.results.world import AGENTS, AT, make_world
from tests.make import TESTER, make_type
from tests.notifications.world import make_version, tell

pytestmark = pytest.mark.django_db
LATER = AT + dt.timedelta(days=200)
CODE = [{"name": "code", "type": "string", "required": False, "example": "1"}]
KEEP = {"engagement": 90, "messages": 90}


def figures(sent: Sequence[Notification]) -> list[Any]:
    """All that results and reports show in numbers."""
    found: list[Any] = [counts.count(each).as_data() for each in sent]
    places = ("notification", "channel", "status", "reason")
    found.append(sorted(Tally.objects.values_list(*places).annotate(n=Sum("count"))))
    looks = ("notification", "kind", "link")
    sums = EngagementTally.objects.values_list(*looks)
    found.append(sorted(sums.annotate(p=Sum("people"), t=Sum("times"))))
    marks = ("pk", "status", "reason", "finished_at", "opened_at", "clicked_at")
    found.append(list(Delivery.objects.order_by("pk").values_list(*marks)))
    return found


def people_in(found: Sequence[Any]) -> list[Any]:
    return [row[:4] for row in found[4]]


def over(*sent: Notification) -> None:
    pks = [each.pk for each in sent]
    Notification.objects.filter(pk__in=pks).update(state="done", finished_at=AT, created_at=AT)


def all_gone(key: str, now: dt.datetime = LATER) -> int:
    """Work one kind off; how many portions that took."""
    portions = 1
    while run.portion(kind=BY_KEY[key], now=now):
        portions += 1
        assert portions < 200
    return portions


def test_every_figure_is_the_same_before_and_after(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = make_world(7, people=12).notifications
    over(*sent)
    Delivery.objects.update(provider_id="abc", error="550 for p1@example.com")
    before = figures(sent)
    looked_at = Engagement.objects.count()
    assert looked_at > 10
    rules.change(values=KEEP, by=TESTER, now=LATER)
    monkeypatch.setattr(messages, "AT_ONCE", 7)
    all_gone("engagement")
    monkeypatch.setattr(messages, "AT_ONCE", 1000)
    monkeypatch.setattr(messages, "DELIVERIES", 5)
    assert all_gone("messages") > 5
    assert not Engagement.objects.exclude(user_agent="").exists()
    assert Engagement.objects.count() < looked_at
    assert not Delivery.objects.exclude(provider_id="", error="").exists()
    after = figures(sent)
    assert after == before
    # a person who clicks once more is the same person
    clicks = Engagement.objects.filter(kind="click", machine="")
    clicked = clicks.filter(delivery__follower__measured=True).first()
    assert clicked is not None
    assert clicked.link
    store.store([store.Event(clicked.delivery.uid, clicked.link, LATER, AGENTS[0])])
    assert figures(sent)[:4] == before[:4]
    assert people_in(figures(sent)) == people_in(before)


def test_what_is_young_or_not_over_stays_whole(anna: Follower) -> None:
    version = make_version(body="<p>{{ code }}</p>", variables=CODE)
    kind = make_type("news")
    young, waiting = (
        tell(kind, [anna], version=version, data={"code": code}, now=AT) for code in ("1", "2")
    )
    over(young)
    Notification.objects.filter(pk=young.pk).update(finished_at=LATER - dt.timedelta(days=89))
    rules.change(values=KEEP, by=TESTER, now=LATER)
    all_gone("messages")
    assert [each.data for each in Notification.objects.order_by("pk")] == [
        {"code": "1"},
        {"code": "2"},
    ]
    waiting.refresh_from_db()
    assert waiting.words_gone_at is None


def test_a_message_without_its_words_is_neither_shown_nor_sent_again(anna: Follower) -> None:
    version = make_version(body="<p>{{ code }}</p>", variables=CODE)
    sent = tell(make_type("news"), [anna], version=version, data={"code": "canary"}, now=AT)
    row = sent.deliveries.get()
    DeliveryEvent.objects.create(delivery=row, at=AT, kind="failed", detail={"said": "canary"})
    Delivery.objects.filter(pk=row.pk).update(
        status="failed", reason="gave_up", error="canary", finished_at=AT, data={"own": "canary"}
    )
    over(sent)
    rules.change(values=KEEP, by=TESTER, now=LATER)
    all_gone("messages")
    sent.refresh_from_db()
    row.refresh_from_db()
    assert (sent.data, row.data, row.error) == ({}, None, "")
    assert row.events.get().detail == {}
    [shown] = with_titles(anna, [row])
    assert (shown.title, shown.has_web_copy) == ("", False)
    with pytest.raises(WrongState) as refused:
        replay.retry_delivery(delivery=row, by=TESTER, now=LATER)
    assert str(refused.value) == (
        "The words of this notification are no longer kept. Order a new one."
    )


def test_a_walk_that_was_killed_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent = make_world(3, people=6).notifications
    over(*sent)
    Delivery.objects.update(provider_id="abc")
    rules.change(values=KEEP, by=TESTER, now=LATER)
    monkeypatch.setattr(messages, "DELIVERIES", 4)
    assert run.portion(kind=BY_KEY["messages"], now=LATER)
    assert Delivery.objects.filter(provider_id="").count() == 4
    with monkeypatch.context() as dying:
        dying.setattr(DayOfRetention.objects, "get_or_create", _die)
        with pytest.raises(RuntimeError):
            run.portion(kind=BY_KEY["messages"], now=LATER)
    assert Delivery.objects.filter(provider_id="").count() == 4
    all_gone("messages")
    assert not Delivery.objects.exclude(provider_id="").exists()
    assert DayOfRetention.objects.get().rows == Delivery.objects.count()


def _die(**_values: object) -> None:
    raise RuntimeError("killed")


def test_old_messages_leave_the_inbox_and_those_taken_back_keep_their_place(
    anna: Follower,
) -> None:
    for at, removed in ((AT, None), (AT, AT), (LATER, None)):
        InboxItem.objects.create(
            follower=anna,
            delivery=uuid4(),
            category="marketing",
            title="Hello",
            created_at=at,
            removed_at=removed,
        )
    rules.change(values={"inbox": 30}, by=TESTER, now=LATER)
    all_gone("inbox")
    left = InboxItem.objects.order_by("pk").values_list("title", "created_at")
    assert list(left) == [("", AT), ("Hello", LATER)]


def test_refused_rows_of_imports_go_and_their_number_stays() -> None:
    job = Import.objects.create(
        file_name="a.csv", path="", dialect={}, refused=1, by_kind="staff", created_at=AT,
        finished_at=AT, state="finished",
    )  # fmt: skip
    ImportProblem.objects.create(job=job, line=2, message="?", row=["p@example.com"])
    rules.change(values={"import_problems": 10}, by=TESTER, now=LATER)
    all_gone("import_problems")
    job.refresh_from_db()
    assert (job.problems.count(), job.refused) == (0, 1)


def test_the_audit_log_tells_what_was_changed_and_once_what_went_on_a_day() -> None:
    over(*make_world(3, people=4).notifications)
    rules.change(values=KEEP, by=TESTER, now=LATER)
    changed = AuditEntry.objects.filter(kind="retention.changed").order_by("pk")
    assert [(each.subject_id, each.data) for each in changed] == [
        ("engagement", {"days": [0, 90]}),
        ("messages", {"days": [0, 90]}),
    ]
    run.let_go(now=LATER)
    assert not AuditEntry.objects.filter(kind="retention.applied").exists()
    for _ in range(2):
        run.let_go(now=LATER + dt.timedelta(days=1))
    rows = DayOfRetention.objects.get(kind="engagement").rows
    told = AuditEntry.objects.get(kind="retention.applied")
    assert told.subject_id == LATER.date().isoformat()
    assert told.data["rows"]["engagement"] == rows
    seal_new(now=LATER)
    assert verify("audit").broken == ""


def test_the_limit_says_why() -> None:
    by_days, read = LATER - dt.timedelta(days=90), LATER - dt.timedelta(days=120)
    assert limit(days=0, read_for=30, now=LATER) == Limit(None, LimitedBy.FOR_EVER)
    assert limit(days=90, read_for=30, now=LATER) == Limit(by_days, LimitedBy.DAYS)
    assert limit(days=90, read_for=120, now=LATER) == Limit(read, LimitedBy.STILL_READ)


def test_without_a_word_of_anybody_it_is_as_it_was(settings: Any) -> None:
    settings.EVENT_DAYS = 17
    assert rules.chosen() == {
        "engagement": 0,
        "messages": 0,
        "inbox": 0,
        "events": 17,
        "sign_ups": 90,
        "import_problems": 0,
        "domain_reports": 180,
    }


def test_the_page_looks_first_saves_and_refuses(client: Client, admin: Any, editor: Any) -> None:
    over(*make_world(3, people=4).notifications)
    Notification.objects.update(finished_at=timezone.now() - dt.timedelta(days=100))
    page = reverse("dashboard:retention")
    as_role(client, admin)
    values: dict[str, Any] = {kind.key: "" for kind in KINDS}
    looked = client.post(page, values | {"messages": 90, "look": "1"})
    assert "about 3" in looked.content.decode()
    assert rules.chosen()["messages"] == 0
    bad = client.post(page, values | {"engagement": 3})
    assert "Write from 30 to 36500 days" in bad.content.decode()
    assert client.post(page, values | {"engagement": 90, "events": 20}).status_code == 302
    assert (rules.chosen()["engagement"], rules.chosen()["events"]) == (90, 20)
    assert rules.chosen()["sign_ups"] == 0
    as_role(client, editor)
    assert client.get(page).status_code == 403

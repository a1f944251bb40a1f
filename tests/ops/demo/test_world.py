"""The demo world and the groundwork of every site, made by the domain's own acts."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accounts.models import AuditEntry, User
from apps.campaigns.events import run_rules
from apps.campaigns.models import Campaign, CampaignState, Event, EventOutcome, EventRule, Recurring
from apps.campaigns.recurring.clocks import coming
from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.models import (
    Address,
    Channel,
    ConsentRecord,
    Follower,
    NotificationType,
    Preference,
    Rhythm,
    Suppression,
)
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.models import Cap, Notification, ProviderAccount
from apps.notifications.types.edit import template_of
from apps.ops import site_setup
from apps.ops.demo import world as demo_world
from apps.ops.demo.people import people
from tests.make import TESTER

pytestmark = pytest.mark.django_db

OUT_OF_THE_BOX = {Channel.EMAIL, Channel.IN_APP, Channel.WEB_PUSH, Channel.WEBHOOK}


def run(name: str, *arguments: str) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out)
    return out.getvalue()


def test_a_site_gets_its_types_templates_and_ways_out_once() -> None:
    made = site_setup.set_up_site(by=TESTER, now=timezone.now())
    assert set(made.types) == set(site_setup.TYPES)
    for kind in NotificationType.objects.all():
        template = template_of(kind)
        assert template is not None
        version = published_version(template)
        assert version is not None
        for translation in version.translations.all():
            # where it is offered and has no words nothing would ever come
            assert set(kind.channels) <= set(translation.parts), kind.key
        assert Channel.SMS not in kind.default_channels or kind.category == "critical"
        assert {"name", "description"} == set(kind.translations["ru"])
    assert set(ProviderAccount.objects.values_list("channel", flat=True)) == OUT_OF_THE_BOX
    assert NotificationType.objects.get(key="security_alert").category == "critical"
    assert NotificationType.objects.get(key="code").lifetime == 600
    assert vapid_public_key()

    ours = {"name": "Ours", "channels": [Channel.EMAIL], "default_channels": [Channel.EMAIL]}
    NotificationType.objects.filter(key="update").update(**ours)
    again = site_setup.set_up_site(by=TESTER, now=timezone.now())
    assert (again.types, again.templates) == ([], [])
    assert NotificationType.objects.filter(key="update", **ours).exists()
    assert ProviderAccount.objects.count() == len(OUT_OF_THE_BOX)


def test_the_command_makes_the_first_administrator_and_leaves_one_that_is_there(
    settings: Any,
) -> None:
    settings.PRODUCTION = True
    said = run("setup_site", "--admin", "ada", "--email", "ada@example.com")
    password = said.split("password ")[1].split()[0]
    user = User.objects.get(username="ada")
    assert user.role == "admin"
    assert user.check_password(password)
    assert "already an account named ada" in run("setup_site", "--admin", "ada")
    user.refresh_from_db()
    assert user.check_password(password)


def test_the_demo_people_are_many_distinct_and_nobody() -> None:
    crowd = list(people(300))
    assert len({person.email for person in crowd}) == 300
    assert {person.email.partition("@")[2] for person in crowd} == {
        "example.com",
        "example.org",
        "example.net",
    }
    assert all(person.email.isascii() for person in crowd)
    assert len({person.language for person in crowd}) >= 8
    assert list(people(300)) == crowd


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> demo_world.DemoWorld:
    monkeypatch.setattr(demo_world, "FOLLOWERS", 130)  # 300 say no more and take longer
    return demo_world.make_demo_world(now=timezone.now())


def test_the_demo_world_has_everything_a_visitor_looks_for_and_is_made_once(
    world: demo_world.DemoWorld,
) -> None:
    assert Follower.objects.count() == world.followers == demo_world.FOLLOWERS
    assert ConsentRecord.objects.filter(act="subscribed").count() == demo_world.FOLLOWERS
    assert Follower.objects.filter(subscribed=False).exists()
    assert Preference.objects.exists()
    assert Suppression.objects.exists()
    assert Follower.objects.exclude(addresses__channel=Channel.EMAIL).exists()
    assert Address.objects.filter(channel=Channel.SMS).exists()
    assert Template.objects.filter(stock=True).count() == world.templates
    assert {user.role for user in User.objects.all()} == {"viewer", "editor", "sender", "admin"}
    assert list(Campaign.objects.order_by("id").values_list("state", flat=True)) == [
        CampaignState.SENDING,
        CampaignState.SCHEDULED,
        CampaignState.DRAFT,
    ]
    assert Notification.objects.get().source == "campaign"
    assert Rhythm.objects.filter(cadence="daily").exists()
    assert Cap.objects.exists()
    assert EventRule.objects.count() == 2
    assert coming(Recurring.objects.get(), after=timezone.now())
    assert User.objects.get(username="admin").check_password(demo_world.PASSWORD)
    while Event.objects.filter(due_at__isnull=False).exists():  # half a second at a time
        run_rules.work_off()
    assert set(EventOutcome.objects.values_list("result", flat=True)) == {"notified", "not_matched"}
    kinds = set(AuditEntry.objects.values_list("kind", flat=True))
    assert {"follower.added", "campaign.started", "template.published", "staff.created"} <= kinds

    with pytest.raises(demo_world.DemoRefused, match="in use"):
        demo_world.make_demo_world(now=timezone.now())
    assert "no demo world was made" in run("demo")
    assert Follower.objects.count() == world.followers


def test_there_is_never_a_demo_world_in_production(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="never made in production"):
        run("demo")
    assert not Follower.objects.exists()
    assert not User.objects.exists()


def test_a_fault_in_the_middle_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(demo_world, "FOLLOWERS", 5)
    monkeypatch.setattr(demo_world, "make_segments", fail)
    with pytest.raises(OSError, match="disk full"):
        demo_world.make_demo_world(now=timezone.now())
    assert demo_world.is_empty()

"""The demo world: believable people, messages and staff,
made through the same acts that staff and programs use.
"""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from apps.accounts.models import Role, User
from apps.accounts.staff import StaffValues, create_staff
from apps.campaigns import compose, lifecycle
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Campaign, Segment
from apps.content.models import Template
from apps.followers.consent.acts import set_preferences, unsubscribe
from apps.followers.consent.matrix import Key
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import suppress
from apps.followers.fields.define import FieldValues, create_field
from apps.followers.models import (
    Channel,
    FieldKind,
    Follower,
    NotificationType,
    SuppressionReason,
)
from apps.followers.people.contacts import add_follower
from apps.followers.people.profile import Profile
from apps.lib.actor import Actor, ActorKind, command
from apps.lib.refusals import RefusalKind, Refused
from apps.ops.demo.forms import make_forms
from apps.ops.demo.people import DemoPerson, people
from apps.ops.demo.rules import let_some_choose_hours, let_things_happen, make_rules
from apps.ops.site_setup import set_up_site

FOLLOWERS = 300
# printed with the user names; there is no demo world in production
PASSWORD = "bells-ring-at-noon"  # noqa: S105
STAFF = {
    "viewer": (Role.VIEWER, "Vera Viewer"),
    "editor": (Role.EDITOR, "Edgar Editor"),
    "sender": (Role.SENDER, "Selma Sender"),
    "admin": (Role.ADMIN, "Ada Admin"),
}


class DemoRefused(Refused):
    """There must be no demo world here; the text says why."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class DemoWorld:
    followers: int
    segments: int
    templates: int
    campaigns: int


def is_empty() -> bool:
    """Nobody has used this database yet: no staff, no followers, no campaigns."""
    return not (User.objects.exists() or Follower.objects.exists() or Campaign.objects.exists())


def make_demo_world(*, now: dt.datetime) -> DemoWorld:
    """All of it or, after a fault, nothing.

    The first campaign is started: workers send it to the mailbox.

    Raises DemoRefused in production mode and when the database is in use.
    """
    if settings.PRODUCTION:
        raise DemoRefused(
            "The demo world is never made in production mode. Use manage.py setup_site instead."
        )
    with transaction.atomic():
        if not is_empty():
            raise DemoRefused(
                "This database is in use already; the demo world is only made in an empty one."
            )
        by = command("demo")
        templates = set_up_site(by=by, now=now).templates
        staff = {name: make_staff(name, by=by, now=now) for name in STAFF}
        _define_fields(by=by, now=now)
        followers = _make_followers(by=by, now=now)
        _let_some_speak(followers, now=now)
        let_some_choose_hours(followers, now=now)
        segments = make_segments(by=staff["editor"], now=now)
        campaigns = _make_campaigns(
            segments, editor=staff["editor"], sender=staff["sender"], now=now
        )
        make_forms(by=staff["editor"], now=now)
        make_rules(segments, by=staff["sender"], now=now)
        let_things_happen(followers, now=now)
    return DemoWorld(len(followers), len(segments), len(templates), len(campaigns))


def make_staff(username: str, *, by: Actor, now: dt.datetime) -> Actor:
    role, name = STAFF[username]
    user = create_staff(
        username=username,
        values=StaffValues(
            email=f"{username}@carillon.example",
            password=PASSWORD,
            role=role,
            name=name,
            time_zone="Europe/Berlin",
        ),
        by=by,
        now=now,
    )
    return Actor(ActorKind.STAFF, str(user.uid), name)


def _profile(number: int, person: DemoPerson) -> Profile:
    email = person.email
    if number % 41 == 0:
        email = ""
    phone = ""
    if person.time_zone == "Europe/London":
        # 07700 900000 to 900999 are numbers Ofcom keeps for stories
        phone = f"+447700900{number:03}"
    return Profile(
        email=email,
        phone=phone,
        name=person.name,
        external_id=f"C-{1000 + number}",
        language=person.language,
        time_zone=person.time_zone,
        tags=person.tags,
        metadata=person.metadata,
    )


def _define_fields(*, by: Actor, now: dt.datetime) -> None:
    plans = {"free": ("Free", "Бесплатный"), "pro": ("Pro", "Про"), "team": ("Team", "Команда")}
    options = [
        {"value": value, "labels": {"en": english, "ru": russian}}
        for value, (english, russian) in plans.items()
    ]
    plan = FieldValues(kind=FieldKind.CHOICE, labels={"en": "Plan", "ru": "Тариф"}, options=options)
    create_field(key="plan", values=plan, by=by, now=now)
    orders = FieldValues(kind=FieldKind.NUMBER, labels={"en": "Orders", "ru": "Заказы"}, position=1)
    create_field(key="orders", values=orders, by=by, now=now)


def _make_followers(*, by: Actor, now: dt.datetime) -> list[Follower]:
    """Most by email; a few with a phone as well, and a few known by name only,
    who are reached in-app.
    """
    crowd = sorted(people(FOLLOWERS), key=lambda person: -person.days_ago)
    made = []
    for number, person in enumerate(crowd, start=1):
        since = now - dt.timedelta(days=person.days_ago)
        proof = Proof(source="sign_up", by=by, now=since)
        follower = add_follower(values=_profile(number, person), proof=proof)
        if "Events" in person.tags:  # they ticked it when they signed up
            asked: dict[Key, bool | None] = {("promotion", Channel.EMAIL): True}
            set_preferences(follower=follower, cells=asked, mutes={}, proof=proof)
        made.append(follower)
    return made


def _let_some_speak(followers: Sequence[Follower], *, now: dt.datetime) -> None:
    """Some unsubscribed, some switched one thing off, some addresses bounced:
    lists and results show every reason.
    """
    chance = random.Random(11)  # noqa: S311  # a story, not a secret
    reasons = ("Too many messages", "Not interesting any more", "I never signed up", "")
    for follower in followers:
        by = Actor(ActorKind.FOLLOWER, str(follower.uid), follower.name)
        lot = chance.random()
        since = now - dt.timedelta(days=chance.uniform(0, 30))
        if lot < 0.06:
            unsubscribe(
                follower=follower,
                reason=chance.choice(reasons),
                proof=Proof(source="preference_center", by=by, now=since),
            )
        elif lot < 0.12:
            cells: dict[tuple[str, str], bool | None] = {("update", Channel.EMAIL): False}
            set_preferences(
                follower=follower,
                cells=cells,
                mutes={},
                proof=Proof(source="preference_center", by=by, now=since),
            )
        elif lot < 0.15:
            mutes = {Channel.IN_APP.value: True}
            set_preferences(
                follower=follower,
                cells={},
                mutes=mutes,
                proof=Proof(source="preference_center", by=by, now=since),
            )
        elif lot < 0.17 and (address := follower.addresses.filter(channel=Channel.EMAIL).first()):
            suppress(
                channel=Channel.EMAIL,
                value=address.value,
                reason=SuppressionReason.HARD_BOUNCE,
                note="550 5.1.1 no such user",
                by=command("demo"),
                now=since,
            )


def make_segments(*, by: Actor, now: dt.datetime) -> dict[str, Segment]:
    questions = {
        "Paying customers": {
            "all": [{"field": "metadata.plan", "op": "in", "value": ["pro", "team"]}]
        },
        "Read Russian": {"all": [{"field": "language", "op": "is", "value": "ru"}]},
        "New in the last 30 days": {
            "all": [{"field": "created_at", "op": "within_days", "value": 30}]
        },
        "Event lovers on a free plan": {
            "all": [
                {"field": "tag", "op": "is", "value": "events"},
                {"field": "metadata.plan", "op": "is", "value": "free"},
            ]
        },
    }
    return {
        name: create_segment(values=SegmentValues(name=name, rules=rules), by=by, now=now)
        for name, rules in questions.items()
    }


def _make_campaigns(
    segments: dict[str, Segment], *, editor: Actor, sender: Actor, now: dt.datetime
) -> list[Campaign]:
    feature = Template.objects.get(key="new_feature")
    update = NotificationType.objects.get(key="update")
    data = {
        "feature": "Shared dashboards",
        "summary": "Show your team the same numbers, live, with one link.",
        "highlights": ["Share with one click", "Choose who may edit and who may only look"],
        "action_url": f"{settings.SITE_URL}/",
    }
    values = compose.CampaignValues(
        name="Shared dashboards are here",
        notification_type=update,
        channels=[Channel.EMAIL, Channel.IN_APP],
        audience={"everyone": True},
        data=data,
    )
    news = compose.create_campaign(template=feature, values=values, by=editor, now=now)
    lifecycle.send_now(campaign=news, by=sender, now=now)

    invitation = Template.objects.get(key="event_invitation")
    promotion = NotificationType.objects.get(key="promotion")
    newcomers = segments["New in the last 30 days"]
    day = now + dt.timedelta(days=24)
    starts_at = day.replace(hour=16, minute=0, second=0, microsecond=0)
    data = {
        "event": "User meeting",
        "starts_at": starts_at.isoformat(),
        "place": "Online",
        "about": "Three short talks, then your questions.",
        "agenda": ["What is new", "How others work with it", "Ask the makers"],
        "action_url": f"{settings.SITE_URL}/",
    }
    values = compose.CampaignValues(
        name="Invitation to the user meeting",
        notification_type=promotion,
        channels=[Channel.EMAIL],
        audience={"tags": ["events"], "exclude_segments": [str(newcomers.uid)]},
        data=data,
    )
    meeting = compose.create_campaign(template=invitation, values=values, by=editor, now=now)
    at_ten = dt.datetime.combine((now + dt.timedelta(days=3)).date(), dt.time(10, 0))
    lifecycle.schedule(campaign=meeting, wall=at_ten, zone="Europe/Berlin", by=sender, now=now)

    back = compose.create_campaign(
        template=Template.objects.get(key="re_engagement"),
        values=compose.CampaignValues(
            name="Shall we stay in touch?",
            notification_type=NotificationType.objects.get(key="promotion"),
            channels=[Channel.EMAIL],
            audience={"segments": [str(segments["Event lovers on a free plan"].uid)]},
        ),
        by=editor,
        now=now,
    )
    return [news, meeting, back]

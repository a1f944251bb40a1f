"""What a big site has sent: campaigns, and single notifications that programs asked for.

Campaigns are written and started by the acts of staff; their messages, and what people did with
them, are made by one statement each. All of it is over: nothing waits for a sender.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db.models import F, Model

from apps.campaigns import compose, lifecycle
from apps.campaigns.models import Campaign
from apps.content.drafts import published_version
from apps.content.models import Version
from apps.followers.models import (
    Address,
    Channel,
    ChannelMute,
    Follower,
    NotificationType,
    Preference,
    Tag,
    Tagging,
)
from apps.inbox.models import InboxItem
from apps.lib.actor import Actor
from apps.notifications.books import tallies
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    Engagement,
    EngagementTally,
    Notification,
    NotificationState,
    ProviderAccount,
    Source,
    Tally,
)
from apps.notifications.types.edit import template_of
from apps.ops.seed import bulk
from apps.ops.seed.crowd import DAY, EVERY, PHONES, Crowd

TABLES: Sequence[type[Model]] = (Delivery, DeliveryEvent, Engagement, InboxItem)
SINGLE = 50  # messages of campaigns to one that a program asked for
TEXTED = 10  # of those, one in so many goes to a phone
SINCE = 360  # days ago, the first campaign
SPREAD = 3600  # seconds that a campaign takes
# Audiences by turns: a tag, or everybody ("").
AUDIENCES = ("Newsletter", "Events", "", "Customers", "Beta testers", "Newsletter", "Partners", "")
SUBJECTS = ("Spring news", "Meet us in May", "What we learned", "A new workshop", "Your week")
LINKS = 3  # in the words below
HTML = (
    "<p>Hello {{ follower.name }},</p><p>there is news for you.</p>"
    '<p><a href="https://www.example.com/news">Read more</a>,'
    ' <a href="https://www.example.com/shop">visit the shop</a> or'
    ' <a href="https://www.example.com/events">meet us</a>.</p>'
)
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
REFUSED = "550 5.1.1 no such user here"
_ALLOWING = "('preference_on', 'default_on')"
_UNREACHED = (
    "WHEN address.id IS NULL THEN 'no_address'"
    " WHEN address.state <> 'active' THEN 'address_' || address.state"
)


@dataclass(frozen=True, slots=True)
class _Started:
    """A campaign under way, whose messages are to be made; times are Unix seconds."""

    campaign: Campaign
    notification: Notification
    number: int
    tag: str  # "" = everybody
    start: int


@dataclass(frozen=True, slots=True)
class _Marks:
    """The last rows before a campaign's own."""

    delivery: int
    engagement: int


def send(crowd: Crowd, *, most: int, by: Actor) -> Iterator[tuple[str, int]]:
    """Send campaigns, and single messages in between, until there are `most` messages; the name of
    each campaign, and how many messages there were until the next.
    """
    expected = most * 100 // (crowd.size * 45) + 1
    left = most
    number = 0
    while left > 0:
        marks = _Marks(bulk.highest(Delivery), bulk.highest(Engagement))
        start = _start(crowd, number, expected)
        sent = _start_campaign(crowd, number, start, by=by)
        made = 0
        for channel in sent.campaign.channels:
            made += _deliver(crowd, sent, Channel(channel), most=left - made)
        made += _single(crowd, sent, expected, most=min(made // SINGLE, left - made))
        _book(crowd, sent, marks)
        left -= made
        number += 1
        yield sent.campaign.name, made


def _start(crowd: Crowd, number: int, expected: int) -> int:
    """When a campaign starts: over the year, and those that nobody expected closer together."""
    step = SINCE * DAY // (expected + 1)
    ago = SINCE * DAY - min(number, expected) * step
    ago >>= max(number - expected, 0)
    return crowd.until - max(ago, 2 * SPREAD)


def _start_campaign(crowd: Crowd, number: int, start: int, *, by: Actor) -> _Started:
    """Write and send a campaign as staff do it."""
    now = dt.datetime.fromtimestamp(start, dt.UTC)
    tag = AUDIENCES[number % len(AUDIENCES)]
    audience: dict[str, object] = {"everyone": True}
    if tag:
        audience = {"tags": [Tag.objects.get(name=tag).slug]}
    subject = SUBJECTS[number % len(SUBJECTS)]
    words = {"email": {"subject": subject, "html": HTML}}
    kind = "promotion"
    channels = [Channel.EMAIL.value]
    if number % 4 == 2:
        kind = "update"
        channels.append(Channel.IN_APP.value)
        words["in_app"] = {"title": subject, "body": "There is news for you."}
    values = compose.CampaignValues(
        name=f"{subject} {number + 1}",
        notification_type=NotificationType.objects.get(key=kind),
        channels=channels,
        audience=audience,
        translations={"en": words},
    )
    campaign = compose.create_campaign(values=values, by=by, now=now)
    run = lifecycle.send_now(campaign=campaign, by=by, now=now)
    return _Started(campaign, run.notification, number, tag, start)


# ------------------------------------------------------------------ messages
def _deliver(crowd: Crowd, sent: _Started, channel: Channel, *, most: int) -> int:
    """Make the messages of a campaign on one channel: judged, sent, opened, clicked."""
    words = crowd.words
    about = f"{sent.number} {channel}"
    kind = sent.notification.notification_type
    fate = words.lot("person", f"fate {about}", 10_000)
    took = words.lot("person", f"took {about}", SPREAD)
    finished = f"CASE WHEN fate = 'skipped' THEN {sent.start} ELSE {sent.start} + {took} END"
    within = max(min(2 * DAY, crowd.until - sent.start - SPREAD), 120) - 60
    # the square of a share: most open soon
    haste = words.lot("person", f"haste {about}", 1000)
    opened = f"({sent.start} + {took} + 30 + {haste} * {haste} / 1000 * {within} / 1000)"
    eager = words.lot("person", f"eager {about}", 1000)
    reads = "false"
    if channel == Channel.EMAIL:
        reads = "fate = 'sent' AND measured"
    account = _account(channel)
    judged = _judged(crowd, sent, channel, kind, most=most)
    # names and expressions of ours
    fated = (
        f"SELECT judged.*, CASE WHEN why NOT IN {_ALLOWING} THEN 'skipped'"  # noqa: S608
        f" WHEN {fate} < 90"
        f" THEN 'failed' WHEN {fate} < 92 THEN 'in_doubt' ELSE 'sent' END AS fate"
        f" FROM ({judged}) AS judged"
    )
    return bulk.insert(
        Delivery,
        f"FROM ({fated}) AS fated ORDER BY person",
        uid=words.uid(str(sent.start), f"delivery {about}", "person"),
        notification_id=str(sent.notification.pk),
        follower_id="person",
        address_id="place",
        channel=f"'{channel.value}'",
        status="fate",
        reason=(
            "CASE fate WHEN 'failed' THEN 'refused_recipient' WHEN 'in_doubt' THEN 'in_doubt'"
            " ELSE why END"
        ),
        error=f"CASE fate WHEN 'failed' THEN '{REFUSED}' ELSE '' END",
        due_at=words.moment(str(sent.start)),
        created_at=words.moment(str(sent.start)),
        attempts="CASE fate WHEN 'skipped' THEN 0 ELSE 1 END",
        account_id=f"CASE WHEN fate <> 'skipped' THEN {account} END",
        finished_at=words.moment(finished),
        opened_at=f"CASE WHEN {reads} AND {eager} < 260 THEN {words.moment(opened)} END",
        clicked_at=f"CASE WHEN {reads} AND {eager} < 45 THEN {words.moment(f'{opened} + 20')} END",
    )


def _judged(
    crowd: Crowd, sent: _Started, channel: Channel, kind: NotificationType, *, most: int
) -> str:
    """SQL: whom a campaign is for (person, place, measured), and why each gets it or not.

    In the order of consent/verdict.py, as far as seeded people can differ.
    """
    joins = []
    place = "CAST(NULL AS bigint)"
    steps = []
    if channel != Channel.IN_APP:
        place = "address.id"
        joins.append(
            f"LEFT JOIN {Address._meta.db_table} AS address ON address.follower_id = follower.id"
            f" AND address.channel = '{channel.value}' AND address.\"primary\""
        )
        steps.append(_UNREACHED)
    if sent.tag:
        joins.append(
            f"JOIN {Tagging._meta.db_table} AS tagging ON tagging.follower_id = follower.id"
            f" AND tagging.tag_id = {Tag.objects.get(name=sent.tag).pk}"
        )
    joins.append(
        f"LEFT JOIN {Preference._meta.db_table} AS choice ON choice.follower_id = follower.id"
        f" AND choice.notification_type_id = {kind.pk} AND choice.channel = '{channel.value}'"
        f" LEFT JOIN {ChannelMute._meta.db_table} AS mute ON mute.follower_id = follower.id"
        f" AND mute.channel = '{channel.value}'"
    )
    default = "default_off"
    if channel in kind.default_channels:
        default = "default_on"
    start = crowd.words.moment(str(sent.start))
    steps += [
        f"WHEN NOT subscribed AND unsubscribed_at <= {start} THEN 'unsubscribed'",
        "WHEN mute.id IS NOT NULL THEN 'channel_off'",
        "WHEN choice.allowed THEN 'preference_on'",
        "WHEN choice.id IS NOT NULL THEN 'preference_off'",
        f"ELSE '{default}'",
    ]
    # names and numbers of ours
    return (
        f"SELECT follower.id AS person, {place} AS place, measured,"  # noqa: S608
        f" CASE {' '.join(steps)} END AS why FROM {Follower._meta.db_table} AS follower"
        f" {' '.join(joins)} WHERE follower.id BETWEEN {crowd.first} AND {crowd.last}"
        f" AND follower.created_at <= {start} ORDER BY follower.id LIMIT {most}"
    )


def _account(channel: Channel) -> str:
    """SQL: the account that a channel's messages left by, NULL where there is none."""
    account = ProviderAccount.objects.filter(channel=channel).first()
    if account:
        return str(account.pk)
    return "CAST(NULL AS bigint)"


def _single(crowd: Crowd, sent: _Started, expected: int, *, most: int) -> int:
    """Let programs tell single people something, until the next campaign starts."""
    end = max(_start(crowd, sent.number + 1, expected), sent.start + 1)
    phones = min(crowd.last // EVERY, PHONES - 1) - (crowd.first - 1) // EVERY
    texted = 0
    if phones > 0:
        texted = most // TEXTED
    person = f"{crowd.first} + {crowd.words.lot('n', 'order of', crowd.size)}"
    made = _tell(crowd, "transactional", Channel.EMAIL, person, sent.start, end, most - texted)
    if texted:
        place = crowd.words.lot("n", "text to", phones)
        person = f"{EVERY} * ({(crowd.first - 1) // EVERY + 1} + {place})"
        made += _tell(crowd, "security_alert", Channel.SMS, person, end - 1, end, texted)
    return made


def _tell(
    crowd: Crowd, key: str, channel: Channel, person: str, since: int, until: int, most: int
) -> int:
    """Make notifications to one person each, with their messages; `person` is SQL of `n`."""
    words = crowd.words
    kind = NotificationType.objects.get(key=key)
    before = bulk.highest(Notification)
    at = f"({since} + (n - {before + 1}) * {until - since} / {max(most, 1)})"
    numbers = words.numbers(before + 1, before + most)
    lane = "transactional"
    if kind.category == "critical":
        lane = "critical"
    moment = words.moment(at)
    bulk.insert(
        Notification,
        f"FROM {numbers} ORDER BY n",
        id="n",
        uid=words.uid(at, "notification", "n"),
        notification_type_id=str(kind.pk),
        version_id=str(_version_of(kind).pk),
        channels=words.json(f"'[\"{channel.value}\"]'"),
        source=f"'{Source.API.value}'",
        lane=f"'{lane}'",
        state=f"'{NotificationState.DONE.value}'",
        created_at=moment,
        send_at=moment,
        planned_at=moment,
        planned_through=person,
        finished_at=moment,
    )
    bulk.count_on(Notification)
    why = "default_on"
    if lane == "critical":
        why = "critical"
    reached = "address.state = 'active'"  # not true either where there is none
    return bulk.insert(
        Delivery,
        f"FROM {numbers} LEFT JOIN {Address._meta.db_table} AS address"
        f" ON address.follower_id = {person} AND address.channel = '{channel.value}' ORDER BY n",
        uid=words.uid(at, "message", "n"),
        notification_id="n",
        follower_id=person,
        address_id="address.id",
        channel=f"'{channel.value}'",
        status=f"CASE WHEN {reached} THEN 'sent' ELSE 'skipped' END",
        reason=f"CASE {_UNREACHED} ELSE '{why}' END",
        due_at=moment,
        created_at=moment,
        attempts=f"CASE WHEN {reached} THEN 1 ELSE 0 END",
        account_id=f"CASE WHEN {reached} THEN {_account(channel)} END",
        finished_at=moment,
    )


def _version_of(kind: NotificationType) -> Version:
    template = template_of(kind)
    assert template is not None  # noqa: S101  # every type of the set-up has one
    version = published_version(template)
    assert version is not None  # noqa: S101  # which the set-up published
    return version


# ------------------------------------------------------------------ what came of them
def _book(crowd: Crowd, sent: _Started, marks: _Marks) -> None:
    """Write the events, the opens and clicks, the inbox and the sums; and end the campaign."""
    fresh = f"FROM {Delivery._meta.db_table} WHERE id > {marks.delivery}"
    _write_events(crowd, fresh)
    _write_engagement(crowd, sent, fresh)
    _fill_inboxes(crowd, sent, fresh)
    bulk.insert(
        Tally,
        f"{fresh} GROUP BY notification_id, channel, status, reason",
        notification_id="notification_id",
        channel="channel",
        status="status",
        reason="reason",
        count="count(*)",
    )
    _sum_up_engagement(fresh, marks)
    over = dt.datetime.fromtimestamp(sent.start + SPREAD, dt.UTC)
    Notification.objects.filter(pk=sent.notification.pk).update(
        state=NotificationState.SENDING, planned_at=F("created_at"), planned_through=crowd.last
    )
    tallies.finish_all_done([sent.notification.pk], now=over)


def _write_events(crowd: Crowd, fresh: str) -> None:
    """Say of what failed, or is in doubt, what the server said."""
    for status in ("failed", "in_doubt"):
        detail = crowd.words.json(
            '\'{"said": "\' || error || \'", "attempt": 1, "account": \' || account_id || \'}\''
        )
        bulk.insert(
            DeliveryEvent,
            f"{fresh} AND status = '{status}' ORDER BY id",
            delivery_id="id",
            at="finished_at",
            kind="status",
            detail=detail,
        )


def _write_engagement(crowd: Crowd, sent: _Started, fresh: str) -> None:
    """Write an open, and perhaps a click, for each who has one."""
    link = crowd.words.lot("follower_id", f"link {sent.number}", LINKS)
    for kind, at, number in (
        ("open", "opened_at", "CAST(NULL AS smallint)"),
        ("click", "clicked_at", f"1 + {link}"),
    ):
        bulk.insert(
            Engagement,
            f"{fresh} AND {at} IS NOT NULL ORDER BY id",
            delivery_id="id",
            kind=f"'{kind}'",
            link=number,
            at=at,
            user_agent=f"'{BROWSER}'",
        )


def _fill_inboxes(crowd: Crowd, sent: _Started, fresh: str) -> None:
    words = crowd.words
    reads = words.share("follower_id", f"reads {sent.number}", 400)
    bulk.insert(
        InboxItem,
        f"{fresh} AND channel = 'in_app' AND status = 'sent' ORDER BY id",
        uid=words.uid(words.seconds("finished_at"), f"item {sent.number}", "follower_id"),
        follower_id="follower_id",
        delivery="uid",
        category=f"'{sent.notification.notification_type.category}'",
        title=f"'{SUBJECTS[sent.number % len(SUBJECTS)]}'",
        body="'There is news for you.'",
        created_at="finished_at",
        read_at=f"CASE WHEN {reads} THEN finished_at END",
    )


def _sum_up_engagement(fresh: str, marks: _Marks) -> None:
    for kind, at in (("open", "opened_at"), ("click", "clicked_at")):
        bulk.insert(
            EngagementTally,
            f"{fresh} AND {at} IS NOT NULL GROUP BY notification_id",
            notification_id="notification_id",
            kind=f"'{kind}'",
            people="count(*)",
            times="count(*)",
        )
    events = Engagement._meta.db_table
    bulk.insert(
        EngagementTally,
        f"FROM {events} AS event JOIN {Delivery._meta.db_table} AS delivery"
        f" ON delivery.id = event.delivery_id WHERE event.id > {marks.engagement}"
        " AND event.link IS NOT NULL GROUP BY notification_id, link",
        notification_id="notification_id",
        kind="'click'",
        link="link",
        people="count(*)",
        times="count(*)",
    )

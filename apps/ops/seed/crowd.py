"""Followers of a big site: who they are, what they chose, and what we know of their addresses.

Who somebody is comes from a pool of the demo world's people, and all else from lots, so that a
statement makes a million. Ids grow with the time at which people came, as on any site.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from apps.accounts.models import AuditEntry
from apps.followers.models import (
    Address,
    ChannelMute,
    ConsentRecord,
    Follower,
    NotificationType,
    Preference,
    Rhythm,
    Suppression,
    Tag,
    Tagging,
)
from apps.followers.people.tagging import ensure_tags
from apps.lib.actor import Actor
from apps.ops.demo.people import people
from apps.ops.seed import bulk
from apps.ops.seed.words import Dialect

POOL = 6000  # people whose names and languages are dealt out
YEARS = 3  # since the first follower came
DAY = 86_400  # seconds
# Tags, and how many of a thousand have each.
TAGS = {
    "Newsletter": 600,
    "Customers": 400,
    "Events": 250,
    "Product news": 180,
    "Beta testers": 120,
    "Webinar 2025": 80,
    "Partners": 50,
    "Students": 40,
    "Trial": 30,
    "Referred": 30,
    "Conference": 25,
    "Survey": 20,
    "VIP": 10,
    "Press": 5,
    "Board": 2,
    "Founders": 1,
}
# Mail domains that nobody can have.
DOMAINS = (
    "example.com",
    "mail.example.com",
    "post.example.org",
    "inbox.example.net",
    "example.org",
    "work.example.com",
    "uni.example.net",
    "example.net",
)
CITIES = ("Berlin", "Lisbon", "Moscow", "New York", "São Paulo", "Tokyo", "Vienna", "Warsaw")
# A number nobody has: +1, an area code, 555, and 0100 to 0199. There are so many of them.
PHONES = 80_000
EVERY = 12  # follower with a phone
TABLES = (Address, Tagging, ConsentRecord, Preference, ChannelMute, Suppression, AuditEntry)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Followers with the ids `first` to `last`, who came until `until` (Unix seconds)."""

    words: Dialect
    first: int
    last: int
    until: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1

    @property
    def numbers(self) -> str:
        return self.words.numbers(self.first, self.last)

    @property
    def came(self) -> str:
        """SQL: when `n` came, in Unix seconds; long ago, those with low numbers."""
        span = YEARS * 365 * DAY
        return f"({self.until - span} + (n - {self.first}) * {span} / {self.size})"

    @property
    def left(self) -> str:
        """SQL: when `n` unsubscribed, if ever; after they came."""
        later = self.words.lot("n", "unsubscribed at", 1000)
        return f"({self.came} + ({self.until} - {self.came}) * {later} / 1000)"

    @property
    def is_gone(self) -> str:
        """SQL: whether `n` has unsubscribed."""
        return self.words.share("n", "unsubscribed", 90)

    @property
    def bounced(self) -> str:
        return self.words.share("n", "bounced", 20)

    @property
    def complained(self) -> str:
        return self.words.share("n", "complained", 5)

    @property
    def came_at(self) -> str:
        return self.words.moment(self.came)


def make_pool(words: Dialect) -> None:
    """Deal the people out: a temporary table that statements join."""
    rows = []
    for number, person in enumerate(people(POOL, seed=words.seed)):
        mailbox = person.email.partition("@")[0].rstrip("0123456789")
        domain = DOMAINS[number % len(DOMAINS)]
        city = CITIES[number % len(CITIES)]
        plan = person.metadata["plan"]
        rows.append(
            (number, person.name, mailbox, domain, person.language, person.time_zone, plan, city)
        )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS seed_person")
        cursor.execute(
            "CREATE TEMPORARY TABLE seed_person (number integer PRIMARY KEY, name text,"
            " mailbox text, domain text, language text, time_zone text, plan text, city text)"
        )
        marks = ", ".join(["%s"] * 8)
        cursor.executemany(f"INSERT INTO seed_person VALUES ({marks})", rows)  # noqa: S608  # marks


def forget_pool() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE seed_person")


def _with_pool(crowd: Crowd) -> str:
    """Numbers, each with a person of the pool."""
    number = crowd.words.lot("n", "person", POOL)
    return f"FROM {crowd.numbers} JOIN seed_person ON seed_person.number = {number}"


def make_followers(crowd: Crowd) -> int:
    words = crowd.words
    gone = crowd.is_gone
    orders = words.lot("n", "orders", 25)
    score = words.lot("n", "score", 1000)
    source = words.lot("n", "source", 3)
    metadata = (
        '\'{"plan": "\' || plan || \'", "city": "\' || city || \'", "orders": \' ||'
        f' {orders} || \', "score": \' || {score} || \', "source": "\' ||'
        f" CASE {source} WHEN 0 THEN 'shop' WHEN 1 THEN 'form' ELSE 'import' END"
        ' || \'", "legacy_id": "\' || n || \'"}\''
    )
    # ordered: a join may give them otherwise, and lists go by id
    made = bulk.insert(
        Follower,
        f"{_with_pool(crowd)} ORDER BY n",
        id="n",
        uid=words.uid(crowd.came, "follower", "n"),
        name="name",
        external_id="'U-' || n",
        language="language",
        time_zone="time_zone",
        subscribed=f"NOT {gone}",
        subscribed_at=crowd.came_at,
        unsubscribed_at=f"CASE WHEN {gone} THEN {words.moment(crowd.left)} END",
        measured=f"NOT {words.share('n', 'not measured', 20)}",
        metadata=words.json(metadata),
        created_at=crowd.came_at,
        updated_at=crowd.came_at,
    )
    bulk.count_on(Follower)
    return made


def make_addresses(crowd: Crowd) -> int:
    """Email for nearly all, a phone for one of twelve."""
    words = crowd.words
    email = "mailbox || '.' || n || '@' || domain"
    state = (
        f"CASE WHEN {crowd.bounced} THEN 'bounced' WHEN {crowd.complained} THEN 'suppressed'"
        f" WHEN {words.share('n', 'unconfirmed', 10)} THEN 'unconfirmed' ELSE 'active' END"
    )
    without = words.share("n", "no email", 25)
    made = bulk.insert(
        Address,
        f"{_with_pool(crowd)} WHERE NOT {without} ORDER BY n",
        uid=words.uid(crowd.came, "email", "n"),
        follower_id="n",
        channel="'email'",
        value=email,
        key=email,
        state=state,
        created_at=crowd.came_at,
        confirmed_at=crowd.came_at,
    )
    place = f"(n / {EVERY})"
    phone = (
        f"'+1' || CAST(200 + {place} / 100 AS text) || '55501' || "
        f"{words.padded(f'{place} % 100', 2)}"
    )
    return made + bulk.insert(
        Address,
        f"FROM {crowd.numbers} WHERE n % {EVERY} = 0 AND {place} < {PHONES} ORDER BY n",
        uid=words.uid(crowd.came, "phone", "n"),
        follower_id="n",
        channel="'sms'",
        value=phone,
        key=phone,
        created_at=crowd.came_at,
        confirmed_at=crowd.came_at,
    )


def make_tags(crowd: Crowd, *, by: Actor, now: dt.datetime) -> int:
    made = 0
    for tag in ensure_tags(TAGS, by=by, now=now):
        made += _put_on(crowd, tag)
    return made


def _put_on(crowd: Crowd, tag: Tag) -> int:
    share = crowd.words.share("n", f"tag {tag.name}", TAGS[tag.name])
    return bulk.insert(
        Tagging,
        f"FROM {crowd.numbers} WHERE {share} ORDER BY n",
        follower_id="n",
        tag_id=str(tag.pk),
        created_at=crowd.came_at,
    )


def make_consent(crowd: Crowd, kinds: Iterable[NotificationType]) -> int:
    """What they said, with its proof: in, out, types on or off, channels off, quiet hours."""
    words = crowd.words
    everything = words.json("'{\"all\": true}'")
    proven = {"follower_id": "n", "scope": everything}
    made = bulk.insert(
        ConsentRecord,
        f"FROM {crowd.numbers} ORDER BY n",
        at=crowd.came_at,
        act="'subscribed'",
        source="'import'",
        actor_kind="'command'",
        actor_label="'manage.py import_followers'",
        **proven,
    )
    made += bulk.insert(
        ConsentRecord,
        f"FROM {crowd.numbers} WHERE {crowd.is_gone} ORDER BY n",
        at=words.moment(crowd.left),
        act="'unsubscribed'",
        source="'one_click'",
        actor_kind="'follower'",
        **proven,
    )
    for kind in kinds:
        made += _choose(crowd, kind)
    muted = words.share("n", "mutes in-app", 10)
    made += bulk.insert(
        ChannelMute,
        f"FROM {crowd.numbers} WHERE {muted} ORDER BY n",
        follower_id="n",
        channel="'in_app'",
        created_at=crowd.came_at,
    )
    night = '{"0": ["22:00", "07:00"], "5": ["22:00", "09:00"], "6": ["22:00", "09:00"]}'
    quiet = words.json(f"'{night}'")
    sleepers = words.share("n", "quiet hours", 15)
    return made + bulk.insert(
        Rhythm,
        f"FROM {crowd.numbers} WHERE {sleepers} ORDER BY n",
        follower_id="n",
        quiet=quiet,
        updated_at=crowd.came_at,
    )


def _choose(crowd: Crowd, kind: NotificationType) -> int:
    """Let some switch a type on or off for email: on what is off by default, off what is on."""
    on_by_default = "email" in kind.default_channels
    thousandths = 250
    if on_by_default:
        thousandths = 30
    chosen = crowd.words.share("n", f"chose {kind.key}", thousandths)
    return bulk.insert(
        Preference,
        f"FROM {crowd.numbers} WHERE {chosen} ORDER BY n",
        follower_id="n",
        notification_type_id=str(kind.pk),
        channel="'email'",
        allowed=str(not on_by_default).upper(),
        updated_at=crowd.came_at,
    )


def make_suppressions(crowd: Crowd) -> int:
    """Put what bounced and who complained on the list, and some that nobody here has."""
    words = crowd.words
    reason = f"CASE WHEN {crowd.bounced} THEN 'hard_bounce' ELSE 'complaint' END"
    note = f"CASE WHEN {crowd.bounced} THEN '550 5.1.1 no such user' ELSE '' END"
    made = bulk.insert(
        Suppression,
        # the address has them, by the follower's number
        f"FROM {Address._meta.db_table} AS address JOIN {crowd.numbers} ON n = follower_id"
        " WHERE channel = 'email' AND state IN ('bounced', 'suppressed') ORDER BY n",
        uid=words.uid(crowd.left, "suppression", "n"),
        channel="channel",
        key="key",
        reason=reason,
        note=note,
        created_at=words.moment(crowd.left),
    )
    listed = words.share("n", "do not contact", 4)
    return made + bulk.insert(
        Suppression,
        f"FROM {crowd.numbers} WHERE {listed} ORDER BY n",
        uid=words.uid(crowd.came, "do not contact", "n"),
        channel="'email'",
        key="'nobody.' || n || '@example.com'",
        reason="'manual'",
        note="'From the old list'",
        created_at=crowd.came_at,
    )


def make_history(crowd: Crowd) -> int:
    """Write down that each came, as an import does."""
    return bulk.insert(
        AuditEntry,
        f"FROM {Follower._meta.db_table} WHERE id BETWEEN {crowd.first} AND {crowd.last}"
        " ORDER BY id",
        at="created_at",
        kind="'follower.added'",
        actor_kind="'command'",
        actor_id="'import_followers'",
        actor_label="'manage.py import_followers'",
        subject_type="'follower'",
        subject_id=_written_uid(crowd.words),
        subject_label="name",
        data=crowd.words.json('\'{"source": "import"}\''),
    )


def _written_uid(words: Dialect) -> str:
    """SQL: the public id as facts name it, with hyphens."""
    if words.postgresql:
        return "CAST(uid AS text)"
    cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return " || '-' || ".join(f"substr(uid, {start}, {length})" for start, length in cuts)

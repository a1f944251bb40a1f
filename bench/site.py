"""The product as it runs in production: its settings, its processes, its tables full of people,
and its campaigns.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import newsletter
from bench.processes import HERE, ROOT, DidNotWork, Program, python, running, wait_for

if TYPE_CHECKING:
    from apps.notifications.models import Notification

# tags: six of ten people, and the first N
NEWSLETTER = "newsletter"
LARGE = "size-{}"
HOLDERS = "Members"  # a segment


def environment(*, url: str, folder: Path) -> dict[str, str]:
    """Production mode behind a proxy that speaks TLS; everything else as it comes."""
    return {
        "CARILLON_MODE": "production",
        "SECRET_KEY": "bench-" * 10,
        "FIELD_KEYS": "bench-" * 6,
        "DATABASE_URL": url,
        "VAR_DIR": str(folder / "var"),
        "SITE_NAME": "The Garden Society",
        "SITE_URL": "https://news.example.org",
        "ALLOWED_HOSTS": f"{HERE},news.example.org",
        "PROXY_COUNT": "1",
        "MARKETING_OPT_IN": "0",  # who follows this site asked for it
        "DEFAULT_FROM_NAME": newsletter.SENDER[0],
        "DEFAULT_FROM_EMAIL": newsletter.SENDER[1],
        "LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "notifications_project.settings",
    }


def prepare(folder: Path) -> None:
    """Tables and what every site has, through the product's own commands;
    then Django in this process, too.
    """
    (folder / "var" / "static").mkdir(parents=True)
    for words in (("migrate", "--verbosity", "0"), ("setup_site",)):
        command = python("manage.py", *words)
        done = subprocess.run(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise DidNotWork(f"manage.py {words[0]} failed:\n{done.stdout}{done.stderr}")
    import django

    django.setup()


@contextmanager
def worker(folder: Path) -> Iterator[Program]:
    """`manage.py worker` as it is started in production,
    ready when each lane has let a canary through.
    """
    from apps.ops import heartbeat
    from apps.ops.models import LaneHeartbeat

    with running(python("manage.py", "worker"), log=folder / "worker.log", within=40) as program:
        # one that was killed may have left its own
        alive = LaneHeartbeat.objects.filter(
            beat_at__isnull=False, supervisor__endswith=f":{program.pid}"
        )
        wait_for(
            lambda: alive.count() == len(heartbeat.GROUPS),
            "the worker's lanes",
            within=180,
            every=0.2,
        )
        yield program


@contextmanager
def web(folder: Path, port: int) -> Iterator[Program]:
    """As docs/operate.md starts it."""
    words = [
        "--interface",
        "wsgi",
        "--host",
        HERE,
        "--port",
        str(port),
        "--workers",
        "2",
        "--blocking-threads",
        "64",
    ]
    command = python(
        "-m", "granian", *words, "--log-level", "warning", "notifications_project.wsgi:application"
    )
    with running(command, log=folder / "web.log", port=port, within=180) as program:
        yield program


# ------------------------------------------------------------------ people
def fill(people: int, *, sizes: Sequence[int]) -> None:
    """People with an address, tags, metadata and a consent record;
    `sizes` are tags on the first N of them.
    """
    from django.db import connection, transaction
    from django.utils import timezone

    from apps.campaigns.audience.segments import SegmentValues, create_segment
    from apps.followers.models import Address, ConsentRecord, Follower, Tagging
    from apps.followers.people.tagging import create_tag
    from apps.lib.actor import command
    from apps.lib.ids import Uuid7
    from apps.ops.seed.bulk import count_on, insert

    by = command("bench")
    now = timezone.now()
    uid = Uuid7().as_postgresql(None, None)[0]
    with transaction.atomic():
        numbers = f"FROM generate_series(1, {people}) n"
        insert(
            Follower,
            numbers,
            id="n",
            uid=uid,
            name=newsletter.READER_NAME,
            metadata=newsletter.READER_METADATA,
            language="'en'",
            subscribed_at="now()",
            created_at="now() - mod(n, 700) * interval '1 day'",
            updated_at="now()",
        )
        email = newsletter.READER_EMAIL
        insert(
            Address,
            numbers,
            uid=uid,
            follower_id="n",
            channel="'email'",
            value=email,
            key=email,
            created_at="now()",
        )
        insert(
            ConsentRecord,
            numbers,
            follower_id="n",
            at="now()",
            act="'subscribed'",
            source="'import'",
            actor_kind="'system'",
        )
        tags = {NEWSLETTER: f"{numbers} WHERE mod(n, 10) < 6"}
        tags |= {LARGE.format(size): f"FROM generate_series(1, {size}) n" for size in sizes}
        for name, chosen in tags.items():
            tag = create_tag(name=name, by=by, now=now)
            insert(Tagging, chosen, follower_id="n", tag_id=str(tag.pk), created_at="now()")
        count_on(Follower)
    rules = {"all": [{"field": "metadata.plan", "op": "in", "value": ["pro", "team"]}]}
    create_segment(values=SegmentValues(name=HOLDERS, rules=rules), by=by, now=now)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


# ------------------------------------------------------------------ the way out
def send_through(port: int, **settings: Any) -> None:
    """The email account hands over to that port from now on;
    settings not named are the product's defaults.
    """
    from django.utils import timezone

    from apps.lib.actor import command
    from apps.notifications.accounts import edit
    from apps.notifications.models import ProviderAccount

    given = {
        "host": HERE,
        "port": port,
        "security": "none",
        "dkim_selector": "",
        "dkim_key": "",
        **settings,
    }
    account = ProviderAccount.objects.get(channel="email")  # setup_site made it
    edit.change_account(
        account=account,
        values=edit.AccountValues(settings=given),
        by=command("bench"),
        now=timezone.now(),
    )


# ------------------------------------------------------------------ campaigns
def forget_campaigns() -> None:
    """The next campaign finds the tables as the first one did."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE notifications_notification, campaigns_campaign CASCADE")


def press_send(audience: Mapping[str, Any]) -> "Notification":
    """A new campaign with the newsletter, written and sent as staff do it."""
    from django.utils import timezone

    from apps.campaigns import compose, lifecycle
    from apps.content import drafts
    from apps.content.models import Template
    from apps.followers.models import NotificationType
    from apps.lib.actor import command

    by = command("bench")
    now = timezone.now()
    template = Template.objects.filter(key="bench-newsletter").first() or drafts.create_template(
        key="bench-newsletter",
        name="Newsletter",
        translations={
            "en": {
                "email": {
                    "subject": newsletter.SUBJECT,
                    "html": newsletter.html(),
                    "text": newsletter.text(),
                },
            }
        },
        by=by,
        now=now,
    )
    campaign = compose.create_campaign(
        template=template,
        values=compose.CampaignValues(
            name="Spring",
            notification_type=NotificationType.objects.get(key="promotion"),
            channels=["email"],
            audience=dict(audience),
        ),
        by=by,
        now=now,
    )
    return lifecycle.send_now(campaign=campaign, by=by, now=timezone.now()).notification


def first(size: int) -> dict[str, Any]:
    return {"tags": [LARGE.format(size)]}


def state_of(notification: "Notification") -> str:
    notification.refresh_from_db(fields=["state", "planned_at"])
    return notification.state


def booked(notification: "Notification") -> int:
    """How many are handed over, as the books have it: a few rows of sums."""
    from django.db.models import Sum

    return notification.tallies.filter(status="sent").aggregate(n=Sum("count"))["n"] or 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A finished campaign.

    `seconds`: from "send" to the last one booked; `rate`: from the first booked to the last.
    """

    recipients: int
    seconds: float
    planning: float
    rate: float


def run_campaign(
    audience: Mapping[str, Any], *, within: float, look: Callable[[int], None] | None = None
) -> Sent:
    """Send to the audience and wait for the last one;
    `look` is told twice a second how many are booked.

    Raises DidNotWork when one was not handed over.
    """
    from django.db.models import Count

    notification = press_send(audience)
    deadline = time.monotonic() + within
    while state_of(notification) != "done":
        if look:
            look(booked(notification))
        if time.monotonic() > deadline:
            places = dict(notification.deliveries.values_list("status").annotate(n=Count("pk")))
            raise DidNotWork(
                f"The campaign was not through after {within:.0f} s: {notification.state},"
                f" {places}."
            )
        time.sleep(0.5 if look else 0.2)
    return _result(notification)


def _result(notification: "Notification") -> Sent:
    from django.db import connection

    with connection.cursor() as cursor:
        # `finished_at` is when the result was booked, many rows in one transaction; what was booked
        # first was handed over before our clock starts, so it does not count
        cursor.execute(
            "SELECT min(finished_at) FROM notifications_delivery WHERE notification_id = %s",
            [notification.pk],
        )
        [began] = cursor.fetchone()
        # by itself: in one statement, and before the first ANALYZE, it is found anew for each row
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE finished_at > %s), max(finished_at),"
            " count(*) FILTER (WHERE status <> 'sent') FROM notifications_delivery"
            " WHERE notification_id = %s",
            [began, notification.pk],
        )
        recipients, counted, ended, others = cursor.fetchone()
    if others or not recipients:
        raise DidNotWork(f"{others} of {recipients} mails were not handed over.")
    start = notification.created_at
    return Sent(
        recipients,
        (ended - start).total_seconds(),
        (notification.planned_at - start).total_seconds() if notification.planned_at else 0.0,
        counted / (ended - began).total_seconds(),
    )

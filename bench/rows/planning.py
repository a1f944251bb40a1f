"""How fast an audience is counted for a review and becomes deliveries, each judged and counted;
and that the review promised just those.
"""

import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import DidNotWork, cpu, wait_for
from bench.report import Line, Row, at_most

if TYPE_CHECKING:
    from apps.campaigns.review.numbers import Numbers
    from apps.notifications.models import Notification

ROUNDS = 3


def measure(bench: Bench) -> Row:
    """From “send” until everybody is frozen, by the worker, with tags and a segment;
    the sending is cancelled.
    """
    from django.utils import timezone

    from apps.campaigns import lifecycle
    from apps.campaigns.models import Campaign, Segment
    from apps.lib.actor import command

    audience = {
        "tags": [site.NEWSLETTER, site.LARGE.format(bench.sizes.planned)],
        "segments": [str(Segment.objects.get(name=site.HOLDERS).uid)],
    }
    site.forget_campaigns()
    with mailservers.sink(bench.folder) as sink, site.worker(bench.folder) as worker:
        site.send_through(sink.port)
        app = cpu(worker.pid)
        database = cpu(bench.database.pid)
        notification = site.press_send(audience)
        wait_for(
            lambda: site.state_of(notification) != "planning", "the plan", within=300, every=0.2
        )
        app = cpu(worker.pid) - app
        database = cpu(bench.database.pid) - database
        promised = _counted(audience)
        lifecycle.cancel(campaign=Campaign.objects.get(), by=command("bench"), now=timezone.now())
    _compare(promised, notification)
    ratio, whole = _review_of_everyone()
    copied = _copy(notification)
    frozen = notification.deliveries.count()
    assert notification.planned_at
    seconds = (notification.planned_at - notification.created_at).total_seconds()
    million = seconds * 1_000_000 / frozen
    site.forget_campaigns()
    return Row(
        [
            (
                at_most("1,000,000 recipients frozen", seconds, 30, unit=" s")
                if frozen >= 1_000_000
                else Line(
                    f"{frozen:,} recipients frozen (a million so: {million:.0f} s)",
                    f"{seconds:.1f} s",
                )
            ),
            Line(
                "the same, in the time in which PostgreSQL copies the rows it wrote",
                f"{seconds / copied:.1f}×",
            ),
            at_most(
                "numbers of a review to everyone, in SELECT count(*) of them", ratio, 25, unit="×"
            ),
        ],
        [
            f"{frozen / seconds:,.0f} recipients/s, waking the worker included; {app:.1f} s of CPU"
            f" in the app, {database:.1f} s in PostgreSQL. The audience: two tags or a segment that"
            " asks about metadata.",
            f"The numbers of a review to everyone take {whole:.1f} s. Those of the campaign, its"
            " reasons and the people it named are what the plan then wrote.",
        ],
    )


def _counted(audience: dict[str, Any], *, now: Any = None) -> "Numbers":
    from django.utils import timezone

    from apps.campaigns.audience.audience import Audience
    from apps.campaigns.models import Campaign
    from apps.campaigns.review import one_pass
    from apps.campaigns.review.numbers import Question
    from apps.lib.sql.cancellable import at_most as bounded

    campaign = Campaign.objects.select_related("notification_type").get()
    parsed = Audience.stored(audience)
    question = Question(parsed, tuple(campaign.channels), campaign.notification_type)
    with bounded(600):
        return one_pass.count(question, now=now or timezone.now())


def _compare(promised: "Numbers", notification: "Notification") -> None:
    """Raise DidNotWork unless the plan wrote what the review promised; what goes may have gone."""
    from apps.followers.consent.verdict_sql import ALLOWING
    from apps.notifications.models import DeliveryStatus

    skipped = notification.deliveries.filter(status=DeliveryStatus.SKIPPED)
    going = notification.deliveries.exclude(status=DeliveryStatus.SKIPPED)
    told: Counter[tuple[str, str]] = Counter()
    for channel, reasons in promised.channels.items():
        for each in reasons:
            rows = skipped.filter(channel=channel, reason=each.reason)
            reason = each.reason
            if reason in ALLOWING:
                rows = going.filter(channel=channel)
                reason = ""
            told[channel, reason] += each.count
            named = rows.filter(follower__in=each.samples).values("follower").distinct()
            if named.count() != len(each.samples):
                raise DidNotWork(f"The review named others than the plan: {channel}, {each}.")
    written = Counter(skipped.values_list("channel", "reason"))
    written += Counter((channel, "") for channel in going.values_list("channel", flat=True))
    if told != written:
        raise DidNotWork(f"The review promised {dict(told)}, the plan wrote {dict(written)}.")


def _copy(notification: "Notification") -> float:
    """Seconds in which PostgreSQL writes the same rows once more, into a table with the same
    indexes and no foreign keys: nobody is judged, nothing is counted.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_copy (LIKE notifications_delivery INCLUDING ALL)")
        began = time.perf_counter()
        cursor.execute(
            "INSERT INTO bench_copy OVERRIDING SYSTEM VALUE"
            " SELECT * FROM notifications_delivery WHERE notification_id = %s",
            [notification.pk],
        )
        seconds = time.perf_counter() - began
        cursor.execute("DROP TABLE bench_copy")
    return seconds


def _review_of_everyone() -> tuple[float, float]:
    """Seconds of its numbers in those of SELECT count(*), by turns; and alone."""
    from apps.followers.models import Follower

    ratios = []
    alone = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        Follower.objects.count()
        counted = time.perf_counter()
        _counted({"everyone": True})
        alone.append(time.perf_counter() - counted)
        ratios.append(alone[-1] / (counted - began))
    return statistics.median(ratios), statistics.median(alone)

"""How fast an audience becomes deliveries, each judged and counted."""

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import cpu, wait_for
from bench.report import Line, Row, at_most


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
        lifecycle.cancel(campaign=Campaign.objects.get(), by=command("bench"), now=timezone.now())
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
            )
        ],
        [
            f"{frozen / seconds:,.0f} recipients/s, waking the worker included; {app:.1f} s of CPU"
            f" in the app, {database:.1f} s in PostgreSQL. The audience: two tags or a segment that"
            " asks about metadata."
        ],
    )

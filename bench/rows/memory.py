"""Whether a campaign's length is felt in memory."""

import statistics

from bench.bench import Bench
from bench.report import Line, Row, at_most
from bench.rows.cpu import long_campaign

WARM = 0.2  # of the campaign: until then templates are compiled and caches fill
LEAST = 10  # samples


def measure(bench: Bench) -> Row:
    """The largest of all processes from “send” on,
    and a straight line through each one's samples once it is warm.
    """
    watched = long_campaign(bench)
    recipients = watched.sent.recipients
    peak = max(megabytes for samples in watched.memory.values() for _, megabytes in samples)
    slopes = []
    for samples in watched.memory.values():
        warm = [(booked, megabytes) for booked, megabytes in samples if booked >= WARM * recipients]
        if len(warm) >= LEAST:
            booked, megabytes = zip(*warm, strict=True)
            slopes.append(statistics.linear_regression(booked, megabytes).slope * 100_000)
    steepest = max(slopes, default=0.0)
    return Row(
        [
            at_most(
                f"peak memory of any process, {recipients:,} recipients", peak, 200, unit=" MB"
            ),
            at_most(
                "peak memory of `manage.py worker`, all processes",
                watched.together,
                400,
                unit=" MB",
            ),
            Line(
                "steepest growth of any process, per 100,000 mails",
                f"{steepest:+.1f} MB",
                "~ 0",
                steepest < 5,
            ),
        ],
        [
            f"{len(watched.memory)} processes, looked at twice a second from “send” to the end,"
            f" planning included; the line leaves out the first {WARM:.0%} of the mails."
            f" {len(slopes)} lived long enough for one. Of all together, pages that they share"
            " count once."
        ],
    )

"""The books: a journal and results in batches, or a commit for each reply?

Both measured; the better one is used.
"""

import time
from contextlib import nullcontext

from bench import claimed
from bench.bench import Bench
from bench.processes import cpu, median
from bench.report import Line, Row

WAYS = (
    (1, False),
    (1, True),
    (50, False),
    (50, True),
    (250, False),
    (250, True),
)  # results a transaction, journal
USED = (250, True)
OWNER = "bench-books"


def measure(bench: Bench) -> Row:
    """Each way books the same rows of a planned campaign, in turns;
    what it can lose by a kill is by construction.
    """
    from apps.channels.contract import Outcome, Result
    from apps.notifications.sending import outcomes
    from apps.notifications.sending.journal import Journal

    taken = Outcome(Result.ACCEPTED, "250 2.0.0 Ok: queued", "2.0.0 Ok: queued")
    times: dict[tuple[int, bool], list[float]] = {way: [] for way in WAYS}
    database: dict[tuple[int, bool], list[float]] = {way: [] for way in WAYS}
    for _ in range(bench.sizes.rounds):
        for size, noted in WAYS:
            claimed.plan(bench.sizes.micro)
            rows = [row for batch in claimed.claims(OWNER, 500) for row in batch]
            with Journal() if noted else nullcontext() as journal:
                began = time.perf_counter()
                spent = cpu(bench.database.pid)
                for at in range(0, len(rows), size):
                    some = [(row, taken) for row in rows[at : at + size]]
                    if journal:
                        for row, outcome in some:
                            journal.preparing(row.pk)
                            journal.handing_over(row.pk)
                            journal.ended(row.pk, outcome)
                    outcomes.record(OWNER, some)
                times[size, noted].append((time.perf_counter() - began) / len(rows) * 1e6)
                database[size, noted].append((cpu(bench.database.pid) - spent) / len(rows) * 1e6)
    found = {way: median(each) for way, each in times.items()}
    gain = found[1, False] / found[USED]
    return Row(
        [
            Line(
                "journal and batches of 250 vs a commit per reply (the books alone)",
                f"{gain:.1f}× as fast",
            )
        ],
        [
            (
                "With the journal a killed process leaves one message per connection in doubt,"
                " whatever the batch; without it, every result that was not booked is in doubt."
            ),
        ],
        [
            [
                "results a transaction",
                "journal",
                "µs a mail",
                "of it CPU of PostgreSQL",
                "mails/s of one process",
            ],
            *(
                [
                    str(size),
                    "yes" if noted else "no",
                    f"{cost:.0f}",
                    f"{median(database[size, noted]):.0f}",
                    f"{1e6 / cost:,.0f}",
                ]
                for (size, noted), cost in found.items()
            ),
        ],
    )

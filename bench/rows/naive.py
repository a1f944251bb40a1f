"""Beside one django-q2 task for each recipient, written as people write it."""

from bench import mailservers, rivals, site
from bench.bench import Bench
from bench.processes import median, spread
from bench.report import Row, at_least


def measure(bench: Bench) -> Row:
    """In turns: our campaign, tasks with kept connections, tasks with the defaults.

    From “send” to the last mail.
    """
    sizes = bench.sizes
    ours: list[site.Sent] = []
    kept: list[rivals.Told] = []
    plain: list[rivals.Told] = []
    with mailservers.sink(bench.folder) as sink:
        for _ in range(sizes.rounds):
            site.forget_campaigns()
            with site.worker(bench.folder):
                site.send_through(sink.port)
                ours.append(site.run_campaign(site.first(sizes.beside), within=300))
            kept.append(rivals.tasks(bench, port=sink.port, letters=sizes.naive, kept=True))
            plain.append(
                rivals.tasks(bench, port=sink.port, letters=sizes.naive_defaults, kept=False)
            )
    whole = [sent.recipients / sent.seconds for sent in ours]

    def times(theirs: list[rivals.Told]) -> float:
        return median([one / other.whole for one, other in zip(whole, theirs, strict=True)])

    steady = median([sent.rate for sent in ours])
    notes = [
        f"Carillon {spread(whole)} mails/s from “send” to the last one ({steady:,.0f} once it"
        " sends)."
    ]
    for name, told, letters in (
        ("CONN_MAX_AGE=600", kept, sizes.naive),
        ("defaults", plain, sizes.naive_defaults),
    ):
        alone = median([each.steady for each in told])
        notes.append(
            f"One task each, {name}: {spread([each.whole for each in told], 1)} mails/s"
            f" ({alone:.1f} from the first sent to the last: {steady / alone:.0f}× by that"
            f" measure); {letters} letters."
        )
    return Row(
        [
            at_least("vs one django-q2 task per recipient, CONN_MAX_AGE=600", times(kept), 25),
            at_least("vs one django-q2 task per recipient, defaults", times(plain), 80),
        ],
        notes,
    )

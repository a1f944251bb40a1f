"""Beside django-post_office with its own multiprocess queue."""

from bench import mailservers, rivals, site
from bench.bench import Bench
from bench.processes import median, spread
from bench.report import Row, at_least


def measure(bench: Bench) -> Row:
    """In turns, from “send” to the last mail: planning is in our time, queueing in theirs."""
    sizes = bench.sizes
    theirs = []
    ours: list[site.Sent] = []
    with mailservers.sink(bench.folder) as sink:
        for _ in range(sizes.rounds):
            site.forget_campaigns()
            with site.worker(bench.folder):
                site.send_through(sink.port)
                ours.append(site.run_campaign(site.first(sizes.beside), within=300))
            theirs.append(rivals.post_office(bench, port=sink.port, letters=sizes.post_office))
    whole = [sent.recipients / sent.seconds for sent in ours]
    ratio = median([one / other.whole for one, other in zip(whole, theirs, strict=True)])
    steady = median([sent.rate for sent in ours]) / median([told.steady for told in theirs])
    return Row(
        [at_least("vs django-post_office, two processes", ratio, 6)],
        [
            f"Carillon {spread(whole)} mails/s, django-post_office"
            f" {spread([told.whole for told in theirs])} (sending without its queueing"
            f" {spread([told.steady for told in theirs])}: {steady:.1f}× by that measure). It"
            " tracks no links here, so it does less."
        ],
    )

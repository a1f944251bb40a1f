"""How fast a campaign leaves, beside the fastest that two C programs can do."""

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import median, spread
from bench.report import Row, at_least
from bench.rows import build


def measure(bench: Bench) -> Row:
    """The product and smtp-source take turns at the same smtp-sink, with mails of the same size."""
    sizes = bench.sizes
    ours = []
    theirs = []
    whole = []
    mail = build.sample()
    with mailservers.sink(bench.folder) as sink, site.worker(bench.folder):
        site.send_through(sink.port)
        for _ in range(sizes.rounds):
            site.forget_campaigns()
            sent = site.run_campaign(site.first(sizes.campaign), within=60 + sizes.campaign / 100)
            ours.append(sent.rate)
            whole.append(sent.recipients / sent.seconds)
            theirs.append(mailservers.source(sink.port, messages=sizes.source, size=mail.size))
    share = median([100 * one / other for one, other in zip(ours, theirs, strict=True)])
    return Row(
        [at_least("rate vs smtp-source → smtp-sink (5 sessions, -d)", share, 45, unit=" %")],
        [
            (
                f"{spread(ours)} mails/s from the first booked to the last, {spread(whole)} from"
                f" “send” to the last with planning; smtp-source {spread(theirs)} mails/s of the"
                f" same size. Rounds: {sizes.rounds} of {sizes.campaign:,} recipients and"
                f" {sizes.source:,} mails, in turns."
            ),
            (
                f"The mail: {mail.size:,} bytes, {mail.tracked} tracked links, one-click"
                f" unsubscribe: {'yes' if mail.one_click else 'no'}."
            ),
        ],
    )

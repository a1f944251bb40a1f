"""Numbers as lines: what it says, how many, what share, and the list of deliveries behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.analytics.results.counts import Counts, Portion
from apps.analytics.results.funnel import Funnel
from apps.analytics.results.typical import Typical
from apps.followers.models import Channel
from apps.lib.network.host_name import in_own_letters
from apps.notifications.reports.became import NO_DOMAIN, Did


@dataclass(frozen=True, slots=True)
class Step:
    """A number. `share`: in per cent of `whole`, which is 0 where a share says nothing. `names`:
    the address of the deliveries it counts.
    """

    key: str
    label: str
    number: int
    names: str
    whole: int = 0
    usual: float | None = None

    @property
    def share(self) -> float:
        return self.number * 100 / self.whole


@dataclass(frozen=True, slots=True)
class Cell:
    number: int
    names: str


@dataclass(frozen=True, slots=True)
class PartLine:
    """Numbers of one domain, language or channel; `opened` and `clicked` are shares, None where
    none of its messages tells.
    """

    label: str
    cells: list[Cell]
    opened: float | None
    clicked: float | None


def names_of(base: Mapping[str, str], **more: str) -> str:
    """The address of the list of deliveries, narrowed."""
    asked = {name: value for name, value in {**base, **more}.items() if value}
    return f"{reverse('dashboard:deliveries')}?{urlencode(asked)}"


def funnel_steps(funnel: Funnel, base: Mapping[str, str], usual: Typical | None) -> list[Step]:
    """Lines from planned to clicked."""
    steps = [
        Step("planned", _("Planned"), funnel.planned, names_of(base)),
        Step("sent", _("Sent"), funnel.sent, names_of(base, status="sent"), funnel.planned),
    ]
    if funnel.delivered:
        names = names_of(base, status="delivered")
        said = _("Reported as delivered")
        steps.append(Step("delivered", said, funnel.delivered, names, funnel.sent))
    if funnel.tracked or funnel.opened:
        opened = names_of(base, did=Did.OPENED)
        clicked = names_of(base, did=Did.CLICKED)
        whole = funnel.tracked
        commonly: tuple[float | None, float | None] = (None, None)
        if usual:
            commonly = (usual.opened, usual.clicked)
        steps += [
            Step("opened", _("Opened"), funnel.opened, opened, whole, commonly[0]),
            Step("clicked", _("Clicked"), funnel.clicked, clicked, whole, commonly[1]),
        ]
    return steps


def losses(funnel: Funnel, base: Mapping[str, str], usual: Typical | None) -> list[Step]:
    """What got in the way, and what people did against it."""
    found = [
        Step("skipped", _("Skipped"), funnel.skipped, names_of(base, status="skipped")),
        Step("failed", _("Failed"), funnel.failed, names_of(base, status="failed")),
        Step("bounced", _("Bounced"), funnel.bounced, names_of(base, did=Did.BOUNCED)),
        Step("complained", _("Marked as spam"), funnel.complained, ""),
        Step("unsubscribed", _("Unsubscribed by it"), funnel.unsubscribed, ""),
    ]
    lines = []
    for step in found:
        whole = funnel.sent
        names = step.names or names_of(base, did=step.key)
        if step.key in ("skipped", "failed"):
            whole = funnel.planned
        if step.key == "bounced":
            whole += funnel.bounced
        common = None
        if usual and step.key == "bounced":
            common = usual.bounced
        lines.append(Step(step.key, step.label, step.number, names, whole, common))
    return lines


def apart(counts: Counts, base: Mapping[str, str]) -> list[Step]:
    """Who did not open it, and what only machines looked at."""
    unopened = names_of(base, did=Did.UNOPENED)
    machine = names_of(base, did=Did.MACHINE)
    return [
        Step("unopened", _("Sent and not opened"), counts.unopened, unopened),
        Step("machine", _("Opened or clicked by machines only"), counts.machine_only, machine),
    ]


def part_lines(
    parts: Mapping[str, Portion], by: str, base: Mapping[str, str], labels: Mapping[str, str]
) -> list[PartLine]:
    """A line for each domain, language or channel; `by` is what the list is narrowed by."""
    lines = []
    for name, part in parts.items():
        lines.append(_part_line(labels.get(name, name), part, {**base, by: name}))
    return lines


def channel_lines(parts: Mapping[str, Portion], base: Mapping[str, str]) -> list[PartLine]:
    return part_lines(parts, "channel", base, {name: str(label) for name, label in Channel.choices})


def domain_lines(counts: Counts, base: Mapping[str, str]) -> list[PartLine]:
    """The largest domains, then all others together."""
    labels = {name: in_own_letters(name) for name in counts.domains}
    lines = part_lines(counts.domains, "domain", base, labels | gone())
    if counts.others.planned:
        cells = [Cell(number, "") for number in _numbers(counts.others)]
        opened = _share(counts.others.opened, counts.others)
        clicked = _share(counts.others.clicked, counts.others)
        # too many for one list
        lines.append(PartLine(_("All others"), cells, opened, clicked))
    return lines


def gone() -> dict[str, str]:
    """What stands for an address or a follower that is no more."""
    return {NO_DOMAIN: _("deleted since")}


def _part_line(label: str, part: Portion, base: Mapping[str, str]) -> PartLine:
    asked: tuple[dict[str, str], ...] = (
        {},
        {"status": "sent"},
        {"did": Did.OPENED.value},
        {"did": Did.CLICKED.value},
        {"did": Did.BOUNCED.value},
    )
    cells = []
    for number, more in zip(_numbers(part), asked, strict=True):
        cells.append(Cell(number, names_of(base, **more)))
    return PartLine(label, cells, _share(part.opened, part), _share(part.clicked, part))


def _numbers(part: Portion) -> tuple[int, ...]:
    return part.planned, part.sent, part.opened, part.clicked, part.bounced


def _share(number: int, part: Portion) -> float | None:
    if part.tracked:
        return number * 100 / part.tracked
    return None

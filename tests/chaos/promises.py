"""What a scenario finds: one row per promise, with the bar and the figure that was measured."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

MARKS = {True: "kept", False: "BROKEN", None: "SKIPPED"}


@dataclass(frozen=True, slots=True)
class Finding:
    """`kept` is None where it could not be tried here; `measured` then says why."""

    scenario: str
    promise: str
    bar: str
    measured: str
    kept: bool | None


class Findings:
    """Written down as they are made, so that a scenario that breaks off leaves what it found."""

    def __init__(self, scenario: str, path: Path) -> None:
        self._scenario = scenario
        self._path = path
        self.all: list[Finding] = []

    def add(self, promise: str, *, bar: str, measured: object, kept: bool | None) -> None:
        finding = Finding(self._scenario, promise, bar, str(measured), kept)
        self.all.append(finding)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(finding)) + "\n")
        print(f"  {MARKS[kept]:<8} {promise}: {measured} (bar: {bar})", flush=True)

    def at_most(self, promise: str, measured: float, most: float, unit: str = "") -> None:
        if isinstance(measured, float):
            shown = f"{measured:.1f}"
        else:
            shown = str(measured)
        self.add(promise, bar=f"≤ {most:g}{unit}", measured=f"{shown}{unit}", kept=measured <= most)

    def none(self, promise: str, measured: int) -> None:
        self.add(promise, bar="0", measured=measured, kept=measured == 0)

    def note(self, what: str, measured: object) -> None:
        """A figure without a bar."""
        self.add(what, bar="shown", measured=measured, kept=True)

    def skip(self, promise: str, why: str) -> None:
        self.add(promise, bar="", measured=why, kept=None)


def read(path: Path) -> list[Finding]:
    if path.exists():
        return [Finding(**json.loads(line)) for line in path.read_text().splitlines()]
    return []


def table(findings: list[Finding]) -> str:
    """A Markdown table, as docs/reliability.md shows it."""
    lines = ["| scenario | promise | bar | measured | |", "|---|---|---|---|---|"]
    lines += [
        f"| {f.scenario} | {f.promise} | {f.bar} | {f.measured} | {MARKS[f.kept]} |"
        for f in findings
    ]
    return "\n".join(lines)

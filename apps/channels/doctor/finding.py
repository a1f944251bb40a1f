"""What the doctor says: a verdict on one topic, why, and the record that mends it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext


class Verdict(StrEnum):
    GOOD = "good"
    NOTICE = "notice"  # mail arrives, and could be trusted more
    FAULT = "fault"  # receivers refuse or distrust mail for it
    UNKNOWN = "unknown"  # the DNS or the server did not answer: nobody can say


@dataclass(frozen=True, slots=True)
class Record:
    """A TXT record to publish."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement; `sentence` is English with places for `values`, and read in each
    person's language.
    """

    topic: str
    verdict: Verdict
    sentence: str
    values: dict[str, Any] = field(default_factory=dict)
    publish: Record | None = None

    @property
    def said(self) -> str:
        return gettext(self.sentence).format(**self.values)

    def as_json(self) -> dict[str, Any]:
        """Give it as it is stored, and as programs read it."""
        publish = None
        if self.publish:
            publish = {"name": self.publish.name, "type": "TXT", "value": self.publish.value}
        return {
            "topic": self.topic,
            "verdict": str(self.verdict),
            "sentence": self.sentence,
            "values": self.values,
            "publish": publish,
        }


def finding_of(stored: dict[str, Any]) -> Finding:
    """Read what `as_json` gave."""
    publish = None
    if stored["publish"]:
        publish = Record(stored["publish"]["name"], stored["publish"]["value"])
    return Finding(
        stored["topic"],
        Verdict(stored["verdict"]),
        stored["sentence"],
        stored["values"],
        publish,
    )

"""SMTP TLS reports (RFC 8460): how often others could not write to us in secret."""

import datetime as dt
import json
from typing import Any

from apps.channels.doctor.reports.report import BadReport, Budget, Observed, Sort, words

MOST_POLICIES = 50
MOST_FAILURES = 200
MOST_COUNT = 10**12
# what is met where JSON is of another form; OverflowError: Infinity, and the year 0
ODD = (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError)


def read_json(data: bytes, budget: Budget) -> list[Observed]:
    """Read a report, one for each domain in it. Raises BadReport."""
    budget.read(data.count(b",") + data.count(b"[") + data.count(b"{"))
    try:
        told = json.loads(data)
        spans = told["date-range"]
        begin = dt.datetime.fromisoformat(spans["start-datetime"])
        end = dt.datetime.fromisoformat(spans["end-datetime"])
        by_domain: dict[str, list[dict[str, Any]]] = {}
        for each in told["policies"][:MOST_POLICIES]:
            domain = str(each["policy"]["policy-domain"]).lower().rstrip(".")
            by_domain.setdefault(domain, []).append(each)
        return [
            Observed(
                sort=Sort.TLS,
                domain=domain,
                organization=words(told.get("organization-name", "")),
                name=words(told["report-id"]),
                begin=_utc(begin),
                end=max(_utc(begin), _utc(end)),
                passed=_sum(policies, "total-successful-session-count"),
                failed=_sum(policies, "total-failure-session-count"),
                rows=[row for each in policies for row in _failures(each)][:MOST_FAILURES],
            )
            for domain, policies in by_domain.items()
        ]
    except ODD as error:
        raise BadReport(f"This is no TLS report: {error}.") from error


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC)
    return moment.astimezone(dt.UTC)


def _sum(policies: list[dict[str, Any]], name: str) -> int:
    return sum(_count(each["summary"][name]) for each in policies)


def _failures(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "result": words(each["result-type"], 60),
            "count": _count(each["failed-session-count"]),
            "host": words(each.get("receiving-mx-hostname") or "", 255),
        }
        for each in policy.get("failure-details") or []
    ]


def _count(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= MOST_COUNT:
        raise ValueError(f"{value} is no count")
    return number

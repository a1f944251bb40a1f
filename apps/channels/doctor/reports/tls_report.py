"""SMTP TLS reports (RFC 8460): how often others could not write to us in secret."""

import datetime as dt
import json
from typing import Any

from apps.channels.doctor.reports.report import BadReport, Observed, Sort

MOST_POLICIES = 50
MOST_FAILURES = 200
MOST_COUNT = 10**12


def read_json(data: bytes) -> list[Observed]:
    """Read a report, one for each domain in it. Raises BadReport."""
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
                organization=str(told.get("organization-name", ""))[:300],
                name=str(told["report-id"])[:300],
                begin=_utc(begin),
                end=max(_utc(begin), _utc(end)),
                passed=_sum(policies, "total-successful-session-count"),
                failed=_sum(policies, "total-failure-session-count"),
                rows=[row for each in policies for row in _failures(each)][:MOST_FAILURES],
            )
            for domain, policies in by_domain.items()
        ]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadReport(f"This is no TLS report: {error}.") from error


def _utc(moment: dt.datetime) -> dt.datetime:
    if moment.tzinfo is None:
        return moment.replace(tzinfo=dt.UTC)
    return moment


def _sum(policies: list[dict[str, Any]], name: str) -> int:
    return sum(_count(each["summary"][name]) for each in policies)


def _failures(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "result": str(each["result-type"])[:60],
            "count": _count(each["failed-session-count"]),
            "host": str(each.get("receiving-mx-hostname") or "")[:255],
        }
        for each in policy.get("failure-details") or []
    ]


def _count(value: Any) -> int:
    number = int(value)
    if not 0 <= number <= MOST_COUNT:
        raise ValueError(f"{value} is no count")
    return number

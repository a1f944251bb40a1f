"""The lanes work travels in."""

from enum import StrEnum


class Lane(StrEnum):
    """Each lane is a cluster of its own, so that a one-time code never waits behind a campaign."""

    CRITICAL = "critical"
    TRANSACTIONAL = "transactional"
    BULK = "bulk"

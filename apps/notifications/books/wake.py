"""Wake the senders of a lane: a call each, never one for each message."""

from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane

SEND_TASK = "apps.notifications.sending.sender.send_lane"


def announce_senders(lane: Lane) -> None:
    """Wake the lane's senders: one call each for up to two of them; they keep themselves going."""
    calls = 1
    if lane is Lane.BULK:
        calls = 2
    for _ in range(calls):
        announce(SEND_TASK, lane=lane, name=lane.value)

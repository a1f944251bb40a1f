"""Calls of tasks that have moved since they were put into the queue, taken out under their new path.

A call that waits while the site is upgraded names the path its task had then. Each path that moved stays in
settings.MOVED_TASKS for one release.
"""

from django.conf import settings
from django_q.brokers.orm import ORM
from django_q.signing import SignedPackage


def path_now(path: str) -> str:
    """Where the task of this dotted path is found now."""
    moved: dict[str, str] = settings.MOVED_TASKS
    return moved.get(path, path)


def readdressed(payload: str) -> str:
    """The signed call with its task's path of today; unchanged where the task has not moved.

    Raises django_q.signing.BadSignature where the call is not ours.
    """
    call = SignedPackage.loads(payload)
    path = path_now(call["func"])
    if path == call["func"]:
        return payload
    new: str = SignedPackage.dumps(call | {"func": path})
    return new


class ReaddressingBroker(ORM):  # type: ignore[misc]  # django-q2 has no types
    """django-q2's ORM broker (`broker_class` of Q_CLUSTER) that readdresses what it takes out."""

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Calls to work off now, as (primary key, payload); None after a pause where there are none."""
        taken = super().dequeue()
        if not taken:
            return None
        return [(key, self._readdressed(payload)) for key, payload in taken]

    def _readdressed(self, payload: str) -> str:
        """A call that can't be read stays as it is: the cluster logs it and throws it away."""
        try:
            return readdressed(payload)
        except Exception:  # noqa: BLE001  # whatever a foreign payload raises, the cluster meets it next
            return payload

"""Calls of tasks that have moved since they were announced, taken out under their new path.

A call that waits while the site is upgraded names the path its task had then. Each path that
moved stays in settings.MOVED_TASKS for one release.
"""

from django.conf import settings
from django_q.signing import SignedPackage


def path_now(path: str) -> str:
    """Dotted path under which the task of this one is found now."""
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

"""A database connection that goes from thread to thread, with one of them at a time.

Django gives each thread one of its own, so a web server with many threads would open as many.
"""

from typing import Any

from apps.lib.sql.undocumented import hand_over, taken_from_thread


def lend(connection: Any) -> None:
    """Let this thread use the connection; None: it makes one where it asks for one."""
    if connection is not None:
        hand_over(connection)


def take_back() -> Any:
    """Take from this thread what it used, for another one; None where it used none."""
    return taken_from_thread()

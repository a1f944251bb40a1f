"""Processes that end with the one that started them,
so that a killed parent leaves nobody working behind it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded at import: between fork and exec nothing may be imported.
if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)
else:
    _libc = None


def end_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when `parent` dies.

    Does nothing where there is no Linux.

    The supervisor also writes down which groups it started and ends the ones of a dead supervisor,
    everywhere.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), number)

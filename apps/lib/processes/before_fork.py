"""Memory as it should be when a process forks: nothing in it that each fork would fill for itself.

A fork shares a page with its parent until one of them writes to it. The C library's free memory
lies in some thousand holes between what is kept for ever, and a fork's first connection to the
database goes into these: 3 MB of pages that it then has for itself, for 0.4 MB of memory.
"""

import ctypes
import sys

from apps.lib.processes.gc_tuning import settle

_SIZES = (*(2**power for power in range(14, 10, -1)), *range(1024, 16, -16))  # bytes of holes


class _MallInfo(ctypes.Structure):
    """What glibc's mallinfo2 gives; the last is the size of the free memory above all other."""

    _fields_ = [(f"_{number}", ctypes.c_size_t) for number in range(9)] + [
        ("keepcost", ctypes.c_size_t)
    ]


def _glibc() -> ctypes.CDLL | None:
    """The C library, if it is one whose memory we know (from glibc 2.33 on)."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallinfo2"):
        return None
    library.mallinfo2.restype = _MallInfo
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    library.free.argtypes = [ctypes.c_void_p]
    library.sbrk.restype = ctypes.c_void_p
    library.sbrk.argtypes = [ctypes.c_ssize_t]
    return library


_library = _glibc()


def prepare_to_fork() -> None:
    """Call it in a process with one thread, right before it forks what lives long."""
    settle()
    if _library is not None:
        _fill_holes(_library)


def _fill_holes(library: ctypes.CDLL) -> None:
    """Take what is free below the memory's upper end, and keep it: less than 1 MB once, and shared
    by all forks.
    """
    end = library.sbrk(0) - library.mallinfo2().keepcost
    for size in _SIZES:
        while (place := library.malloc(size)) and place < end:
            pass
        library.free(place)

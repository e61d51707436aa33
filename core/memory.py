"""Memory that one step frees is kept for the next one.

glibc hands blocks of more than 32 MB back to the system and asks for them anew, page by page, at
every step: on a CPU that took a tenth to a fifth of a step of clips (`benchmarks/train.py`).
"""

import ctypes
import sys

LARGEST_KEPT_BYTES = 1 << 30
"""Of one block. All of it comes from what the process already has, once it has had it."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h


def keep_freed_memory() -> bool:
    """Tell the allocator to keep what is freed; False where it is none that can be told."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    told = (
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES),
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1),
    )
    return all(told)

"""Memory of the process while a model trains on the CPU."""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Tell glibc to keep freed memory for the next step instead of giving it back to the system.

    A step frees and takes the same gradients and activations over and over; given back, each of their 4 KiB
    pages costs a fault and a clearing when it is taken again (60,000 faults a step at 51M parameters).
    Whether it was done: where the C library is another one nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    values = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 2**28, M_ARENA_MAX: 1}
    return all(mallopt(parameter, value) for parameter, value in values.items())

"""How this process gets memory from the operating system."""

import ctypes
import sys

# Parameters of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for the next allocation, where it is glibc.

    By default glibc maps every large block anew and gives it back when freed, so that each activation of each step is
    paid for once more in page faults: a quarter of the time of a large forward pass on a CPU
    (`benchmarks/step_time.py` measures it). Peak memory stays about the same; what was the peak once stays with the
    process until it ends. It concerns the whole process, so commands and workers call it, never the library.

    Returns:
        Whether it took effect.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # a C library other than glibc, such as musl
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))

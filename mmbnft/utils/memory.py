"""How this process gets memory from the operating system."""

import ctypes
import resource
import sys
from contextlib import suppress
from pathlib import Path

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


def forget_peak_memory() -> bool:
    """Start the system's record of this process's peak memory anew, after giving back memory that is not in use.

    Returns:
        Whether the system allows that; otherwise `peak_memory` is that of the process's whole life.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def peak_memory() -> int:
    """Most bytes that this process held since `forget_peak_memory`, what it shares with others included."""
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

"""How many processor cores this process may use, which in a container or a job is less than the machine has."""

import math
import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def available_cores() -> int:
    """Cores this process may use: those of its affinity, as Slurm sets it, and of its control group's quota.

    Returns:
        At least 1.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    quota = _quota(CGROUPS)
    return max(1, cores if quota is None else min(cores, math.ceil(quota)))


def _quota(root: Path) -> float | None:
    """Cores that the control group mounted at `root` grants, or None without a limit."""
    try:  # version 2, as containers see their own group
        granted, period = (root / "cpu.max").read_text().split()
        return None if granted == "max" else int(granted) / int(period)
    except (OSError, ValueError):
        pass
    try:  # version 1
        amount = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        return amount / int((root / "cpu" / "cpu.cfs_period_us").read_text()) if amount > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None

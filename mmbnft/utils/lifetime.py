"""Processes that must not outlive the one they work for."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1  # of prctl(2)


def die_with_parent() -> None:
    """End this worker process as soon as the process that started it has ended, in whatever way.

    A thread waits for that; it also notices the end of a parent that is not the process that forked this one, as with
    multiprocessing's fork server. Where the kernel can (Linux), it kills this process too when the forking one is gone,
    even while a long computation keeps the thread from running.

    Raises:
        RuntimeError: This process was not started by `multiprocessing`.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("die_with_parent is for processes that multiprocessing started")

    def wait() -> None:
        parent.join()
        os._exit(1)  # what was finished is on the disk; no clean-up may delay the end

    threading.Thread(target=wait, name="parent-watcher", daemon=True).start()
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import torch
import mmbnft.plugin  # as every command and worker that computes
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)  # 64 MiB, above any threshold
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
DIRECTLY = """
from mmbnft.utils.memory import keep_freed_memory
assert keep_freed_memory() is True
"""
BY_A_COMMAND = """
from mmbnft.utils.command import run_command
run_command(lambda: 0)
"""
BY_A_WORKER = """
from multiprocessing import Pipe
from mmbnft.grid.executors import local
local.die_with_parent = lambda: None  # this process has none
theirs, ours = Pipe()
theirs.close()  # nothing to do
local._serve(ours, 0, None, None, 1)
"""


def faults(setting):
    """Page faults of a large allocation after others, in a fresh process."""
    output = subprocess.run([sys.executable, "-c", setting + FAULTS], check=True, capture_output=True, text=True).stdout
    return int(output.split()[-1])


@pytest.fixture(scope="module")
def plain():
    return faults("")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an allocator of another kind")
@pytest.mark.parametrize("setting", [DIRECTLY, BY_A_COMMAND, BY_A_WORKER], ids=["itself", "command", "worker"])
def test_freed_memory_is_used_again_without_page_faults(setting, plain):
    assert faults(setting) < plain / 4


def test_elsewhere_nothing_happens(monkeypatch):
    from mmbnft.utils import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_freed_memory() is False
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed_memory() is False

import json
import platform
import subprocess
import sys

import pytest

FAULTS = """
import json, resource, sys
import torch
from mmbnft.memory import keep_freed_memory
kept = keep_freed_memory() if sys.argv[1] == "keep" else None
torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(6):
    torch.ones(2**24)  # 64 MiB, above any threshold
print(json.dumps([kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before]))
"""


def faults(mode):
    output = subprocess.run([sys.executable, "-c", FAULTS, mode], check=True, capture_output=True, text=True).stdout
    return json.loads(output)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="an allocator of another kind")
def test_freed_memory_is_used_again_without_page_faults():
    kept, without = faults("keep")
    _, plain = faults("plain")
    assert kept is True
    assert without < plain / 4  # the heap may grow once more


def test_elsewhere_nothing_happens(monkeypatch):
    from mmbnft import memory

    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert memory.keep_freed_memory() is False
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory.keep_freed_memory() is False

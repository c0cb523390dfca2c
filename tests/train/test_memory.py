"""What training tells the C library, seen from the page faults of a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from mintage.train.memory import keep_freed_memory
if {keep}:
    assert keep_freed_memory()
def step():
    return torch.ones(16 * 2**20).sum()
for _ in range(10):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    code = FAULTS.format(keep=keep)
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(answer.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="mallopt belongs to glibc")
def test_memory_that_is_kept_is_taken_again_without_page_faults() -> None:
    assert faults(keep=True) * 20 < faults(keep=False)

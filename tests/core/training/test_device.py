"""Freed memory is kept: a second block of the same size needs no new pages."""

import resource
import subprocess
import sys

import pytest

from core.training.device import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from core.training.device import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
np.ones(1 << 26, np.uint8)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    np.ones(1 << 26, np.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    """Count the faults of five blocks of 64 MB, one after the other, behind a first one."""
    done = subprocess.run([sys.executable, "-c", FAULTS, how], capture_output=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the allocator of glibc")
def test_a_freed_block_is_reused():
    pages = 5 * (1 << 26) / resource.getpagesize()
    assert page_faults("kept") < 0.01 * pages


def test_another_systems_allocator_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("core.training.device.sys.platform", "darwin")
    assert not keep_freed_memory()

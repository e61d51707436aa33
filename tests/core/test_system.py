"""Systems on which pianoreel runs."""

import subprocess
import sys

import pytest


def _imported(platform: str) -> subprocess.CompletedProcess[str]:
    """Import core in a fresh interpreter that says it is on this platform."""
    program = f"import os, sys; sys.platform = {platform!r}; import core; print(*os.environ)"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def test_windows_is_refused_with_a_cure():
    """Else the first error is about a module that only others have."""
    said = _imported("win32")
    assert said.returncode == 1
    assert "wsl --install" in said.stderr.splitlines()[-1]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_processor_helps_out_apples_gpu(platform: str):
    said = _imported(platform)
    assert said.returncode == 0, said.stderr
    assert "PYTORCH_ENABLE_MPS_FALLBACK" in said.stdout.split()

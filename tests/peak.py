"""The peak memory of a process, also as code for a process of its own.

What `getrusage` says is handed down from parent to child, so that a test run that holds torch
would be counted in; VmHWM is a process's own. macOS has no such file, and no such inheritance.
"""

CODE = """
import resource, sys
from pathlib import Path

def peak_mb():
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
"""


def peak_mb() -> float:
    """Peak resident memory of this process in MB."""
    names: dict[str, object] = {}
    exec(CODE, names)
    measured = names["peak_mb"]
    assert callable(measured)
    return float(str(measured()))
